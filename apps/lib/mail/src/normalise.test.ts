/** What normalisation keeps, mends, adds, removes and refuses. */
import { describe, expect, test } from '@jest/globals'
import { type NormalisedMessage, normaliseMessage } from './normalise.ts'
import { fastestOfThree, soonMs } from './testing.ts'

const options = { hostname: 'mx.postel.test', now: new Date('2026-01-02T03:04:05.678Z'), protocol: 'ESMTPSA' }
const trace = 'Received: by mx.postel.test (Postel) with ESMTPSA;\r\n\tFri, 02 Jan 2026 03:04:05 +0000\r\n'
const required = 'From: a@own.test\r\nDate: x\r\nMessage-ID: <m@own.test>\r\n'

function accept(raw: string | Buffer): NormalisedMessage {
  const result = normaliseMessage(typeof raw === 'string' ? Buffer.from(raw, 'latin1') : raw, options)
  if ('refused' in result) throw new Error(result.reason)
  return result
}

function text(raw: string): string {
  return accept(raw).raw.toString('latin1')
}

describe('the message', () => {
  test.each([
    [
      'a sound message gets the trace field alone',
      `${required}\r\nbody\r\n`,
      `${trace}${required}\r\nbody\r\n`,
    ],
    ['the last line is ended', `${required}\r\nbody`, `${trace}${required}\r\nbody\r\n`],
    ['no body', `${required}\r\n`, `${trace}${required}\r\n`],
    ['no empty line', required, `${trace}${required}\r\n`],
    ['no empty line and no line end', required.trimEnd(), `${trace}${required}\r\n`],
    ['LF alone', `${required}\r\na\n`.replaceAll('\r\n', '\n'), `${trace}${required}\r\na\r\n`],
    ['CR alone', `${required}\r\na\r`.replaceAll('\r\n', '\r'), `${trace}${required}\r\na\r\n`],
    [
      'dots, tabs, ESC and 8-bit octets in the body stay',
      `${required}\r\n..\r\n.x\r\n\x1b$B\x1b(B\t\xff\x80 \r\n`,
      `${trace}${required}\r\n..\r\n.x\r\n\x1b$B\x1b(B\t\xff\x80 \r\n`,
    ],
    [
      'Bcc, forged trust and control fields go, folded ones too, in any case',
      `BCC: x@y.test,\r\n z@y.test\r\nReturn-Path: <x@y.test>\r\nX-A: 1\r\nResent-bcc: x@y.test\r\n${required}X-Postel-Project: 1\r\nX-B: 2\r\nAuthentication-Results: mx.postel.test;\r\n dkim=pass\r\nx-pm-tag: t\r\n\r\nBcc: stays\r\n`,
      `${trace}X-A: 1\r\n${required}X-B: 2\r\n\r\nBcc: stays\r\n`,
    ],
    [
      "the client's DKIM signature and earlier trace fields stay",
      `Received: from x\r\nDKIM-Signature: v=1;\r\n b=x\r\n${required}\r\n`,
      `${trace}Received: from x\r\nDKIM-Signature: v=1;\r\n b=x\r\n${required}\r\n`,
    ],
    [
      'names of the prototype are plain fields',
      `__proto__: a\r\nconstructor: b\r\ntoString: c\r\n${required}\r\n`,
      `${trace}__proto__: a\r\nconstructor: b\r\ntoString: c\r\n${required}\r\n`,
    ],
  ])('%s', (_name, raw, expected) => {
    expect(text(raw)).toBe(expected)
  })

  test('a missing Date and Message-ID are added', () => {
    const { raw, messageId } = accept('From: Ann <a@Own.test>\r\nSubject: x\r\n\r\nb\r\n')
    expect(messageId).toMatch(/^<[0-9a-f]{32}@own\.test>$/)
    expect(raw.toString()).toBe(
      `${trace}Date: Fri, 02 Jan 2026 03:04:05 +0000\r\nMessage-ID: ${messageId}\r\nFrom: Ann <a@Own.test>\r\nSubject: x\r\n\r\nb\r\n`,
    )
  })

  test('an empty Message-ID is replaced', () => {
    const { raw, messageId } = accept('From: a@own.test\r\nDate: x\r\nMessage-ID: \r\n\r\n')
    expect(raw.toString()).toBe(`${trace}Message-ID: ${messageId}\r\nFrom: a@own.test\r\nDate: x\r\n\r\n`)
  })

  test.each([
    ['P-01', '\n.\n'],
    ['P-02', '\n.\r\n'],
    ['P-03', '\r.\r\n'],
    ['P-04', '\r\n.\n'],
    ['P-05', '\r.\r'],
    ['P-06', '\n.\r'],
    ['P-07', '\r.\n'],
    ['P-08', '\r\n.\r'],
    ['P-11', '\r\n.\r\r\n'],
    ['P-12', '\r\r\n.\r\r\n'],
    ['P-13, dot taken off', '\n.\r\n'],
  ])('a would-be end of data is content with CRLF around it: %s', (_name, end) => {
    const raw = text(`${required}\r\nbody${end}MAIL FROM:<evil@x.test>\r\nsmug\r\n`)
    expect(raw).toMatch(/\r\nbody\r\n(?:\r\n)?\.\r\n(?:\r\n)?MAIL FROM:<evil@x\.test>\r\nsmug\r\n$/)
    expect(raw.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  })

  test('its own result passes again and gains the trace field alone', () => {
    const once = text('From: a@own.test\nBcc: x@y.test\n\nb\rc')
    expect(text(once)).toBe(trace + once)
  })
})

describe('what is read from it', () => {
  test('a full header', () => {
    const { raw, ...rest } = accept(
      'From: =?utf-8?q?Zo=C3=AB?=\r\n <Z@Own.test>\r\nSender: s@other.test\r\nReply-To: r@own.test\r\nTo: Ann <a@b.test>,\r\n c@d.test\r\nCc: =?utf-8?q?=C3=A9?= <e@f.test>\r\nSubject: =?utf-8?q?a?=\r\n =?utf-8?q?b=0D=0AX?=\r\nMessage-Id:\r\n <1@own.test>\r\nX-Postel-Tag: a=1\r\nX-Postel-Metadata-k: v\r\nX-Postel-Pool: p\r\nX-Postel-Send-At: t\r\nX-Postel-Idempotency-Key: i\r\n\r\n',
    )
    expect(raw.toString()).not.toContain('X-Postel-')
    expect(Object.getPrototypeOf(rest.control.metadata)).toBeNull()
    expect({ ...rest, control: { ...rest.control, metadata: { ...rest.control.metadata } } }).toEqual({
      headerFrom: { address: 'Z@own.test', localPart: 'Z', domain: 'own.test' },
      sender: { address: 's@other.test', localPart: 's', domain: 'other.test' },
      fromHeader: 'Zoë <Z@Own.test>',
      subject: 'ab X',
      messageId: '<1@own.test>',
      replyTo: 'r@own.test',
      to: 'Ann <a@b.test>, c@d.test',
      cc: 'é <e@f.test>',
      control: {
        tags: [{ name: 'a', value: '1' }],
        metadata: { k: 'v' },
        pool: 'p',
        sendAt: 't',
        idempotencyKey: 'i',
      },
      eightBit: false,
      utf8Headers: false,
    })
  })

  test('a minimal header', () => {
    expect(accept(`${required}\r\n`)).toMatchObject({
      sender: undefined,
      subject: '',
      replyTo: '',
      to: '',
      cc: '',
    })
  })

  test.each([
    ['ASCII', `${required}\r\na`, false, false],
    ['8-bit body', `${required}\r\n\xe9`, true, false],
    ['8-bit header', `${required}Subject: \xc3\xa0\r\n\r\na`, false, true],
    ['both', `${required}Subject: \xe9\r\n\r\n\xe9`, true, true],
  ])('octets above 127: %s', (_name, raw, eightBit, utf8Headers) => {
    expect(accept(raw)).toMatchObject({ eightBit, utf8Headers })
  })

  test('raw UTF-8 and latin1 in a header are shown, and bounded', () => {
    expect(accept(`${required}Subject: \xc3\xa0\r\n\r\n`).subject).toBe('à')
    expect(accept(`${required}Subject: \xe9\r\n\r\n`).subject).toBe('é')
    expect(
      accept(`${required}Subject: ${'x'.repeat(900)}\r\n ${'y'.repeat(900)}\r\n\r\n`).subject,
    ).toHaveLength(998)
    expect(
      accept(`${required}To: ${'a@b.test,\r\n '.repeat(10_000)}c@d.test\r\n\r\n`).to.length,
    ).toBeLessThan(10_001)
  })

  test.each([
    ['without brackets', 'x@own.test', '<x@own.test>'],
    ['with a comment', '<x@own.test> (y)', '<x@own.test>'],
    ['broken', '<<x@own.test', '<x@own.test>'],
  ])('a Message-ID %s', (_name, value, expected) => {
    expect(accept(`From: a@own.test\r\nMessage-ID: ${value}\r\n\r\n`).messageId).toBe(expected)
  })
})

describe('what is refused', () => {
  const lines = (count: number, line: string) => `${line}\r\n`.repeat(count)
  test.each([
    ['P-09: NUL before a dot', `${required}\r\nbody\r\n\0.\r\n`, 554, '5.6.0', 'NUL'],
    ['P-10: NUL after a dot', `${required}\r\nbody\r\n.\0\r\n`, 554, '5.6.0', 'NUL'],
    ['NUL in the header', `${required}X: \0\r\n\r\n`, 554, '5.6.0', 'NUL'],
    ['ESC in the header', `${required}X: \x1b[0m\r\n\r\n`, 554, '5.6.0', 'control characters'],
    ['DEL in the header', `${required}X: \x7f\r\n\r\n`, 554, '5.6.0', 'control characters'],
    ['line of 999 in the body', `${required}\r\n${'x'.repeat(999)}\r\n`, 554, '5.6.0', 'longer than 998'],
    ['last line of 999, not ended', `${required}\r\n${'x'.repeat(999)}`, 554, '5.6.0', 'longer than 998'],
    [
      'line of 999 among others',
      `${required}\r\n${lines(50, 'y')}${'x'.repeat(999)}\r\n${lines(50, 'y')}`,
      554,
      '5.6.0',
      'longer than 998',
    ],
    [
      'header of 1 MB on one line',
      `X: ${'x'.repeat(1e6)}\r\n${required}\r\n`,
      554,
      '5.6.0',
      'longer than 998',
    ],
    [
      'header of 1 MB, folded',
      `X: x\r\n${lines(1_100, ` ${'x'.repeat(990)}`)}${required}\r\n`,
      552,
      '5.3.4',
      '256 KiB',
    ],
    ['100,000 header lines', `${lines(100_000, 'X: 1')}${required}\r\n`, 552, '5.3.4', '256 KiB'],
    ['1,001 fields', `${lines(998, 'X: 1')}${required}\r\n`, 554, '5.6.0', 'more than 1000 header fields'],
    ['51 Received', `${lines(51, 'Received: x')}${required}\r\n`, 554, '5.4.6', 'loop'],
    ['empty', '', 550, '5.6.0', 'no From'],
    ['body alone', '\r\nbody\r\n', 550, '5.6.0', 'no From'],
    ['no From', 'Subject: x\r\n\r\nbody\r\n', 550, '5.6.0', 'no From'],
    ['no header', 'Hello there\r\n\r\nbody\r\n', 554, '5.6.0', 'header field 1 is malformed'],
    [
      'no empty line before the body',
      `${required}Hello there\r\n`,
      554,
      '5.6.0',
      'header field 4 is malformed',
    ],
    ['continuation first', ` x\r\n${required}\r\n`, 554, '5.6.0', 'header field 1 is malformed'],
    [
      'space before the colon',
      `From : b@x.test\r\n${required}\r\n`,
      554,
      '5.6.0',
      'header field 1 is malformed',
    ],
    ['second From field', `${required}From: b@x.test\r\n\r\n`, 550, '5.6.0', 'more than one from'],
    [
      'second From field in another case',
      `${required}fROM: b@x.test\r\n\r\n`,
      550,
      '5.6.0',
      'more than one from',
    ],
    ['two Subject', `${required}Subject: a\r\nSubject: b\r\n\r\n`, 550, '5.6.0', 'more than one subject'],
    ['two Message-ID', `${required}Message-ID: <n@x.test>\r\n\r\n`, 550, '5.6.0', 'more than one message-id'],
    ['two Date', `${required}Date: y\r\n\r\n`, 550, '5.6.0', 'more than one date'],
    ['two To', `${required}To: a@b.test\r\nTo: c@d.test\r\n\r\n`, 550, '5.6.0', 'more than one to'],
    ['two mailboxes in From', 'From: a@own.test, v@bank.test\r\n\r\n', 550, '5.7.1', 'exactly one mailbox'],
    ['group From', 'From: Team: a@own.test;\r\n\r\n', 550, '5.7.1', 'exactly one mailbox'],
    ['empty From', 'From: \r\n\r\n', 550, '5.7.1', 'exactly one mailbox'],
    ['From with a comment in the address', 'From: a@own.test(x)bank.test\r\n\r\n', 550, '5.6.0', 'comment'],
    [
      'From hidden in an encoded word',
      'From: =?utf-8?q?v=40bank.test?= <a@own.test>\r\n\r\n',
      550,
      '5.6.0',
      'holds an e-mail',
    ],
    ['bad From', 'From: nobody\r\n\r\n', 550, '5.6.0', 'no address'],
    ['two mailboxes in Sender', `${required}Sender: a@b.test, c@d.test\r\n\r\n`, 550, '5.7.1', 'Sender'],
    ['bad control header', `${required}X-SMTPAPI: {\r\n\r\n`, 550, '5.6.0', 'X-SMTPAPI'],
  ])('%s', (_name, raw, code, enhanced, reason) => {
    const message = Buffer.from(raw, 'latin1')
    const result = normaliseMessage(message, options)
    expect(fastestOfThree(() => normaliseMessage(message, options))).toBeLessThan(soonMs)
    expect(result).toEqual({ refused: true, code, enhanced, reason: expect.stringContaining(reason) })
    expect('refused' in result && result.reason).toMatch(/^[ -~]{1,200}$/)
  })

  test.each([
    ['line of 998', `${required}\r\n${'x'.repeat(998)}\r\n${'y'.repeat(998)}`],
    [
      'lines up to 998',
      `${required}\r\n${Array.from({ length: 999 }, (_, i) => 'x'.repeat(i)).join('\r\n')}`,
    ],
    ['1,000 fields', `${lines(997, 'X: 1')}${required}\r\n`],
    ['50 Received', `${lines(50, 'Received: x')}${required}\r\n`],
  ])('the limit itself passes: %s', (_name, raw) => {
    expect(accept(raw).headerFrom.address).toBe('a@own.test')
  })
})

test('the given buffer is not changed', () => {
  const raw = Buffer.from('From: a@own.test\nBcc: x@y.test\n\nb')
  const copy = Buffer.from(raw)
  accept(raw)
  expect(raw.equals(copy)).toBe(true)
})
