/** Reports can be read by people, by programs and by mail software, whatever the remote and the sender wrote. */
import { describe, expect, test } from '@jest/globals'
import { simpleParser } from 'mailparser'
import { composeReport, type ReportInput, type ReportRecipient } from './report.ts'
import { typedAddress } from './report-fields.ts'

const failed: ReportRecipient = {
  address: 'ann@dest.test',
  original: 'rfc822;Ann@dest.test',
  action: 'failed',
  status: '5.1.1',
  reply: '550 5.1.1 nobody of that name',
  remote: 'mx.dest.test',
  lastAttempt: new Date('2026-03-01T10:00:05Z'),
}
const original = 'From: a@example.test\r\nSubject: lunch\r\n\r\nHello\r\n'

function compose(changes: Partial<ReportInput> = {}) {
  return composeReport({
    hostname: 'mail.postel.test',
    now: new Date('2026-03-01T10:00:10Z'),
    to: 'a@example.test',
    envelopeId: 'job 7',
    messageId: '<1@example.test>',
    subject: 'lunch',
    arrival: new Date('2026-03-01T10:00:00Z'),
    retryUntil: new Date('2026-03-04T10:00:00Z'),
    recipients: [failed],
    original: { raw: Buffer.from(original), whole: false },
    ...changes,
  })
}

/** The parts between the boundaries: [header section, content]. */
function partsOf(raw: Buffer): [string, string][] {
  const text = raw.toString('utf8')
  const boundary = /boundary="([^"]+)"/.exec(text)![1]!
  const pieces = text.split(`--${boundary}`)
  expect(pieces.at(-1)).toBe('--\r\n')
  return pieces.slice(1, -1).map((piece) => {
    const end = piece.indexOf('\r\n\r\n')
    return [piece.slice(2, end), piece.slice(end + 4, -2)]
  })
}

/** Blocks of unfolded fields. */
function fieldsOf(raw: Buffer): Record<string, string>[] {
  const [header, content] = partsOf(raw)[1]!
  expect(header).toBe('Content-Type: message/delivery-status')
  return content
    .trimEnd()
    .split('\r\n\r\n')
    .map((block) =>
      Object.fromEntries(
        block
          .replace(/\r\n /g, ' ')
          .split('\r\n')
          .map((line) => /^([A-Z][A-Za-z-]*): (.+)$/.exec(line)!.slice(1)),
      ),
    )
}

test('a failure has all that RFC 3464 asks for', async () => {
  const { raw, messageId, from } = compose()
  expect(fieldsOf(raw)).toEqual([
    {
      'Original-Envelope-Id': 'job 7',
      'Reporting-MTA': 'dns; mail.postel.test',
      'Arrival-Date': 'Sun, 01 Mar 2026 10:00:00 +0000',
    },
    {
      'Original-Recipient': 'rfc822;Ann@dest.test',
      'Final-Recipient': 'rfc822; ann@dest.test',
      Action: 'failed',
      Status: '5.1.1',
      'Remote-MTA': 'dns; mx.dest.test',
      'Diagnostic-Code': 'smtp; 550 5.1.1 nobody of that name',
      'Last-Attempt-Date': 'Sun, 01 Mar 2026 10:00:05 +0000',
    },
  ])
  const mail = await simpleParser(raw)
  expect({
    from: mail.from!.text,
    to: [mail.to].flat()[0]!.text,
    subject: mail.subject,
    id: mail.messageId,
    about: [mail.inReplyTo, mail.references],
    auto: mail.headers.get('auto-submitted'),
    type: mail.headers.get('content-type'),
    date: mail.date,
  }).toEqual({
    from: '"Mail Delivery System" <MAILER-DAEMON@mail.postel.test>',
    to: 'a@example.test',
    subject: 'Your message was not delivered',
    id: messageId,
    about: ['<1@example.test>', '<1@example.test>'],
    auto: 'auto-replied',
    type: {
      value: 'multipart/report',
      params: { 'report-type': 'delivery-status', boundary: expect.any(String) },
    },
    date: new Date('2026-03-01T10:00:10Z'),
  })
  expect(from).toBe('Mail Delivery System <MAILER-DAEMON@mail.postel.test>')
  expect(mail.text).toContain(
    '  ann@dest.test\n    mx.dest.test said: 550 5.1.1 nobody of that name\n\nCheck each address',
  )
  expect(mail.text).toContain('Subject: lunch\n  Message-ID: <1@example.test>')
})

test('recipients of one report keep what is their own, failures first in what people read', () => {
  const { raw, subject } = compose({
    recipients: [
      {
        ...failed,
        address: 'd@dest.test',
        original: undefined,
        action: 'delayed',
        status: '4.2.2',
        reply: '452 full',
      },
      {
        ...failed,
        address: 'r@dest.test',
        original: undefined,
        action: 'relayed',
        status: '2.0.0',
        reply: '250 ok',
      },
      { ...failed, reply: 'The domain does not exist', remote: undefined, lastAttempt: undefined },
    ],
  })
  expect(
    fieldsOf(raw)
      .slice(1)
      .map((block) => [block.Action, block.Status, block['Diagnostic-Code'], block['Will-Retry-Until']]),
  ).toEqual([
    ['delayed', '4.2.2', 'smtp; 452 full', 'Wed, 04 Mar 2026 10:00:00 +0000'],
    ['relayed', '2.0.0', 'smtp; 250 ok', undefined],
    ['failed', '5.1.1', 'x-postel; The domain does not exist', undefined],
  ])
  expect(subject).toBe('Your message was not delivered')
  const text = partsOf(raw)[0]![1]
  const order = ['could not be delivered to this recipient, and', 'yet:', 'handed to another'].map((words) =>
    text.replace(/=\r\n/g, '').indexOf(words),
  )
  expect(order).toEqual([...order].sort((a, b) => a - b))
  expect(order[0]).toBeGreaterThan(0)
})

describe('what is returned', () => {
  const whole = { raw: Buffer.from(original), whole: true }
  const delayed: ReportRecipient = { ...failed, action: 'delayed' }
  const returned = (changes: Partial<ReportInput>) => {
    const { raw, eightBit } = compose(changes)
    return { part: partsOf(raw)[2], eightBit }
  }

  test.each<[string, Partial<ReportInput>, string, string]>([
    ['the headers, when the sender did not ask for more', {}, 'text/rfc822-headers', 'headers'],
    ['the message, when he did', { original: whole }, 'message/rfc822', 'message'],
    [
      'the headers, when nothing failed',
      { original: whole, recipients: [delayed] },
      'text/rfc822-headers',
      'headers',
    ],
    [
      'the headers, when a line is too long to travel',
      { original: { raw: Buffer.from(`${original}${'x'.repeat(999)}\r\n`), whole: true } },
      'text/rfc822-headers',
      'headers',
    ],
    [
      'the whole lines that there are, when the header section is cut off',
      { original: { raw: Buffer.from(`${original.slice(0, 38)}\r\nX-Y: cut`), whole: false } },
      'text/rfc822-headers',
      'headers',
    ],
  ])('is %s', (_name, changes, type, content) => {
    const { part } = returned(changes)
    expect(part![0]).toMatch(new RegExp(`^Content-Type: ${type}`))
    expect(part![1]).toBe(content === 'message' ? original : 'From: a@example.test\r\nSubject: lunch\r\n')
  })

  test('is nothing, when the message is not kept any more', () => {
    expect(returned({ original: undefined }).part).toBeUndefined()
  })

  test('is 8-bit where the message is, and the report says so', () => {
    const { part, eightBit } = returned({
      original: { raw: Buffer.from(`${original}é\r\n`), whole: true },
    })
    expect([part, eightBit]).toEqual([
      ['Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit', `${original}é\r\n`],
      true,
    ])
  })

  test('are the headers in 7 bits, when they are not ASCII', async () => {
    const { raw, eightBit, utf8Headers } = compose({
      original: { raw: Buffer.from('From: a@example.test\r\nSubject: café\r\n\r\nHello\r\n'), whole: true },
    })
    const mail = await simpleParser(raw)
    expect([eightBit, utf8Headers]).toEqual([false, false])
    expect(raw.every((octet) => octet < 128)).toBe(true)
    expect(mail.attachments.map(({ content }) => content.toString())).toContain(
      'From: a@example.test\r\nSubject: café\r\n',
    )
  })
})

describe('hostile text changes nothing but itself (D-14)', () => {
  const hostile: [string, string][] = [
    ['line breaks', '550 no\r\nBcc: victim@dest.test\r\n\r\n--=_x\r\nAction: delivered'],
    ['bare line breaks', '550 no\nAction: delivered\rStatus: 2.0.0'],
    ['other line separators', '550 a\u2028b\u2029c\u0085Action: delivered\vx\fy'],
    ['terminal controls', '550 \u001b[31mred\u001b[0m \u0007'],
    ['markup', '550 <script>alert(1)</script>'],
    ['8-bit text', '550 postfach gelöscht 満杯 \u{1f600}'],
    ['half a surrogate pair', '550 \ud83d'],
    ['text that runs backwards', '550 \u202egnihton\u202c'],
    ['4 KB in words', `550 ${'word '.repeat(900)}`],
    ['4 KB in one word', `550 ${'x'.repeat(4_096)}`],
    ['spaces alone', '  \t '],
    ['nothing', ''],
  ]
  test.each(hostile)('%s', async (_name, text) => {
    const plain = compose()
    const { raw, ...rest } = compose({
      subject: text,
      messageId: text,
      envelopeId: text,
      recipients: [{ ...failed, reply: text, remote: text, original: `rfc822;${text}` }],
    })
    const lines = raw.toString('utf8').split('\r\n')
    expect(lines.every((line) => Buffer.byteLength(line) <= 998 && !/[\r\n]/.test(line))).toBe(true)
    expect(raw.every((octet) => octet < 127 && (octet >= 32 || octet === 13 || octet === 10))).toBe(true)
    expect(rest).toEqual({ ...plain, raw: undefined, messageId: rest.messageId })
    expect(partsOf(raw)).toHaveLength(3)

    const [message, recipient, ...more] = fieldsOf(raw)
    expect(more).toEqual([])
    expect(Object.keys(message!)).toEqual(expect.arrayContaining(['Reporting-MTA', 'Arrival-Date']))
    expect(recipient).toMatchObject({ Action: 'failed', Status: '5.1.1' })

    const mail = await simpleParser(raw)
    expect([...mail.headers.keys()].sort()).toEqual(
      [...(await simpleParser(plain.raw)).headers.keys()]
        .filter((name) => name !== 'in-reply-to' && name !== 'references')
        .sort(),
    )
    expect(mail.text).not.toMatch(/[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e]/u)
  })

  test('people read the reply as it was', async () => {
    const mail = await simpleParser(
      compose({ recipients: [{ ...failed, reply: '550 Postfach gelöscht 満杯 \u{1f600} <b>x</b>' }] }).raw,
    )
    expect(mail.text).toContain('550 Postfach gelöscht 満杯 \u{1f600} <b>x</b>')
  })
})

test.each([
  ['ann@dest.test', 'rfc822; ann@dest.test'],
  ['a+b=c@dest.test', 'rfc822; a+b=c@dest.test'],
  ['ü+x@dest.test', 'utf-8; \\x{FC}\\x{2B}x@dest.test'],
  ['\u{1f600}@dest.test', 'utf-8; \\x{1F600}@dest.test'],
])('the address %s is written %s', (address, written) => {
  expect(typedAddress(address)).toBe(written)
})

test('a sender with a UTF-8 address gets a report that says it needs SMTPUTF8', async () => {
  const { raw, utf8Headers, eightBit } = compose({ to: 'ü@example.test' })
  expect([utf8Headers, eightBit]).toEqual([true, false])
  expect([(await simpleParser(raw)).to].flat()[0]!.text).toBe('ü@example.test')
})
