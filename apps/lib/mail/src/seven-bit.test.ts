/** 8-bit messages in 7 bits: a reader sees the same before and after, and what could be harmed is refused. */
import { isAscii } from 'node:buffer'
import { describe, expect, test } from '@jest/globals'
import { simpleParser } from 'mailparser'
import { toSevenBit } from './seven-bit.ts'
import { fastestOfThree, soonMs } from './testing.ts'

/** UTF-8, with CRLF. */
function mail(...lines: string[]): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n`)
}

function convert(raw: Buffer): string {
  const converted = toSevenBit(raw)
  if (converted === undefined) throw new Error('refused')
  expect(isAscii(converted)).toBe(true)
  expect(converted.toString('latin1')).not.toMatch(/\r(?!\n)|(?<!\r)\n|[^\r\n]{999}/)
  return converted.toString('latin1')
}

/** What a reader gets of a message, embedded messages included. */
async function readBy(raw: Buffer): Promise<unknown> {
  const parsed = await simpleParser(raw, { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true })
  const attachments = parsed.attachments.map(async ({ filename, contentType, content }) => ({
    filename,
    contentType,
    content: contentType === 'message/rfc822' ? await readBy(content) : content.toString('latin1'),
  }))
  return {
    text: parsed.text,
    html: parsed.html,
    subject: parsed.subject,
    attachments: await Promise.all(attachments),
  }
}

const plain = ['From: a@own.test', 'Subject: x', 'MIME-Version: 1.0']
const mixed = [...plain, 'Content-Type: multipart/mixed; boundary=b']
const utf8Text = 'Content-Type: text/plain; charset=utf-8'
const eightBit = 'Content-Transfer-Encoding: 8bit'
const german = 'Größe, Überraschung und viel anderer Text = nur wenige Umlaute '

describe('the same content', () => {
  test.each<[string, Buffer]>([
    ['text', mail(...plain, utf8Text, eightBit, '', 'na\u00efve', '', '.', '..', 'end')],
    ['text without an encoding named', mail(...plain, utf8Text, '', german.repeat(4))],
    ['text labelled 7bit', mail(...plain, utf8Text, 'content-transfer-encoding: 7BIT', '', german)],
    ['white space at line ends', mail(...plain, utf8Text, eightBit, '', 'ü \t', ' ', `${german}   `, '\t')],
    ['mostly another script', mail(...plain, utf8Text, eightBit, '', 'Привет, мир! '.repeat(30), '', 'こん')],
    ['a line of 998 octets', mail(...plain, utf8Text, eightBit, '', 'ü'.repeat(499), `${'x'.repeat(996)}ü`)],
    ['what looks encoded', mail(...plain, utf8Text, eightBit, '', `=C3=A9 = =\t=20 ${german}`, 'a=', 'b')],
    ['no line that is not empty', mail(...plain, utf8Text, eightBit, '', '', '', 'ü', '', '')],
    ['HTML', mail(...plain, 'Content-Type: text/html; charset=utf-8', eightBit, '', `<p>${german}</p>`)],
    [
      'Latin-1',
      Buffer.from(
        mail(...plain, 'Content-Type: text/plain; charset=iso-8859-1', eightBit, '', 'na\u00efve').toString(),
        'latin1',
      ),
    ],
    ['no MIME header at all', mail('From: a@own.test', 'Subject: x', '', german)],
    ['a Content-Type without MIME-Version', mail('From: a@own.test', utf8Text, '', german)],
    [
      'alternatives with an attachment',
      mail(
        ...mixed,
        eightBit,
        '',
        'preamble',
        '--b',
        'Content-Type: multipart/alternative;',
        '\tboundary="inner (b)"; x=y',
        '',
        '--inner (b)',
        utf8Text,
        eightBit,
        '',
        german,
        '--inner (b)',
        'Content-Type: text/html; charset=utf-8 (comment)',
        'Content-Transfer-Encoding: (comment) 8Bit',
        '',
        `<p>${german}</p>`,
        '',
        '--inner (b)--',
        '',
        '--b',
        'Content-Type: application/octet-stream; name="a;boundary=c.bin"',
        'Content-Disposition: attachment; filename=a.bin',
        'Content-Transfer-Encoding: binary',
        '',
        '\u0001\u00ff\u00fe\u0080',
        '\t ',
        '--b',
        'Content-Type: image/png',
        'Content-Disposition: attachment; filename=a.png',
        'Content-Transfer-Encoding: base64',
        '',
        'iVBORw0KGgo=',
        '--b--',
        'epilogue',
      ),
    ],
    [
      'a forwarded message',
      mail(
        ...mixed,
        '',
        '--b',
        utf8Text,
        '',
        'see below',
        '--b',
        'Content-Type: message/rfc822',
        eightBit,
        '',
        'From: c@d.test',
        'Subject: inner',
        'MIME-Version: 1.0',
        'Content-Type: multipart/mixed; boundary=c',
        '',
        '--c',
        utf8Text,
        '',
        german,
        '--c--',
        '--b--',
      ),
    ],
    ['an end that is missing', mail(...mixed, '', '--b', utf8Text, eightBit, '', german)],
    [
      'a boundary in a comment before the real one',
      mail(
        ...plain,
        'Content-Type: multipart/mixed (;boundary=x); boundary=b',
        '',
        '--b',
        utf8Text,
        '',
        german,
        '--x',
        '--b--',
      ),
    ],
  ])('%s', async (_name, raw) => {
    const converted = convert(raw)
    expect(await readBy(Buffer.from(converted, 'latin1'))).toEqual(await readBy(raw))
  })

  test('ASCII is returned as it is', () => {
    const raw = mail(...plain, eightBit, '', 'x')
    expect(toSevenBit(raw)).toBe(raw)
  })

  test('its own result is ASCII', () => {
    const once = toSevenBit(mail(...plain, utf8Text, eightBit, '', german))!
    expect(toSevenBit(once)).toBe(once)
  })

  test('random octets in every kind of part come back', async () => {
    let seed = 1
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed / 2_147_483_647
    }
    const octets = [
      ' ',
      '\t',
      '=',
      '-',
      '--',
      '--b',
      '.',
      '\r\n',
      '\r\n',
      'x',
      'xyz',
      '\xe9',
      '\xff',
      '\x80',
      '\x1b',
      '\x7f',
    ]
    for (let round = 0; round < 200; round++) {
      const content =
        `\xe9${Array.from({ length: Math.floor(random() * 200) }, () => octets[Math.floor(random() * octets.length)]).join('')}`.replace(
          /^--b/gm,
          '-b',
        )
      const raw = Buffer.from(
        `${mixed.join('\r\n')}\r\n\r\n--b\r\nContent-Type: ${random() < 0.5 ? 'text/x' : 'image/x'}\r\nContent-Disposition: attachment\r\n\r\n${content}\r\n--b--\r\n`,
        'latin1',
      )
      const { attachments } = await simpleParser(convert(raw))
      expect(attachments.map((attachment) => attachment.content.toString('latin1'))).toEqual([content])
    }
  })
})

describe('octet for octet', () => {
  test('only the parts with 8-bit content and their labels change', () => {
    const raw = mail(
      'DKIM-Signature: v=1;',
      '\tb=x',
      ...mixed,
      eightBit,
      '',
      'This is  a preamble ',
      '--b',
      '',
      'an ASCII part ',
      '--b \t',
      'CONTENT-transfer-ENCODING:',
      ' 8bit',
      'X-Part: 1',
      '',
      'caf\u00e9 at the end of the line ',
      '--b',
      eightBit,
      '',
      'ASCII, though labelled',
      '--b',
      'Content-Type: broken',
      '',
      'ASCII that nobody understands',
      '--b--  ',
      'epilogue',
    )
    expect(convert(raw)).toBe(
      raw
        .toString()
        .replace(eightBit, 'Content-Transfer-Encoding: 7bit')
        .replace('ENCODING:\r\n 8bit', 'ENCODING: quoted-printable')
        .replace('caf\u00e9 at the end of the line ', 'caf=C3=A9 at the end of the line=20')
        .replace(eightBit, 'Content-Transfer-Encoding: 7bit'),
    )
  })

  test('signed parts that are ASCII stay, labels and all', () => {
    const signed = [
      '--b',
      'Content-Type: multipart/signed; boundary=s; protocol="application/pgp-signature"',
      '',
      '--s',
      'Content-Transfer-Encoding: 8bit',
      '',
      'signed ',
      '--s',
      'Content-Type: application/pgp-signature',
      '',
      'x',
      '--s--',
    ]
    const converted = convert(mail(...mixed, '', '--b', utf8Text, '', german, ...signed, '--b--'))
    expect(converted).toContain(`\r\n${signed.join('\r\n')}\r\n`)
  })

  test('a message without MIME headers gets those that name what it is', () => {
    expect(convert(mail('From: a@own.test', '', `${german}${german}`))).toBe(
      mail(
        'From: a@own.test',
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: quoted-printable',
        '',
        'Gr=C3=B6=C3=9Fe, =C3=9Cberraschung und viel anderer Text =3D nur wenige Uml=',
        'aute Gr=C3=B6=C3=9Fe, =C3=9Cberraschung und viel anderer Text =3D nur wenig=',
        'e Umlaute=20',
      ).toString(),
    )
  })

  test('no soft line break makes a line that looks like a delimiter', () => {
    const converted = convert(
      mail(...mixed, '', '--b', utf8Text, '', `\u00fc${'x'.repeat(69)}--b--`, '--b--'),
    )
    expect(converted).toContain('=\r\n=2D-b--\r\n--b--\r\n')
  })
})

describe('what is refused', () => {
  const latin1 = Buffer.from([0xe9, 0x0d, 0x0a])
  test.each<[string, Buffer]>([
    ['UTF-8 in the header', mail(...plain, 'X-A: \u00fc', utf8Text, '', german)],
    ['UTF-8 in the header of a part', mail(...mixed, '', '--b', 'X-A: \u00fc', '', german, '--b--')],
    ['unlabelled text that is not UTF-8', Buffer.concat([mail('From: a@own.test', ''), latin1])],
    [
      'a signed part',
      mail(...plain, 'Content-Type: multipart/signed; boundary=b', '', '--b', utf8Text, '', german, '--b--'),
    ],
    [
      'an encrypted part',
      mail(...plain, 'Content-Type: multipart/encrypted; boundary=b', '', '--b', '', german, '--b--'),
    ],
    ['a preamble', mail(...mixed, '', german, '--b', '', 'x', '--b--')],
    ['an epilogue', mail(...mixed, '', '--b', '', 'x', '--b--', german)],
    ['raw octets in base64', mail(...plain, 'Content-Transfer-Encoding: base64', '', german)],
    [
      'raw octets in quoted-printable',
      mail(...plain, 'Content-Transfer-Encoding: quoted-printable', '', german),
    ],
    ['an encoding that is not known', mail(...plain, 'Content-Transfer-Encoding: x-uuencode', '', german)],
    ['an encoding named twice', mail(...plain, eightBit, 'Content-Transfer-Encoding: binary', '', german)],
    [
      'an encoded multipart',
      mail(...mixed, 'Content-Transfer-Encoding: base64', '', '--b', '', german, '--b--'),
    ],
    ['no boundary', mail(...plain, 'Content-Type: multipart/mixed', '', '--b', '', german, '--b--')],
    [
      'two boundaries',
      mail(...plain, 'Content-Type: multipart/mixed; boundary=a; boundary=b', '', '--b', '', german, '--b--'),
    ],
    ['no delimiter', mail(...mixed, '', '--a', '', german, '--a--')],
    ['a Content-Type that is none', mail(...plain, 'Content-Type: text', '', german)],
    ['a malformed header of a part', mail(...mixed, '', '--b', 'no colon', '', german, '--b--')],
    ['part of a message', mail(...plain, 'Content-Type: message/partial; id=x', '', german)],
    ['a delivery report', mail(...plain, 'Content-Type: message/delivery-status', '', german)],
    ['no end of the header', mail(...plain, 'X: \u00fc')],
  ])('%s', (_name, raw) => {
    expect(toSevenBit(raw)).toBeUndefined()
  })
})

describe('hostile messages cost little', () => {
  const nested = (levels: number) =>
    Array.from(
      { length: levels },
      (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`,
    ).join('')
  test.each<[string, string, boolean]>([
    ['1,000 levels', `${nested(1_000)}\r\nü\r\n`, false],
    ['15 levels', `${nested(15)}\r\nü\r\n`, true],
    ['1,000 embedded messages', `${'Content-Type: message/rfc822\r\n\r\n'.repeat(1_000)}\r\nü\r\n`, false],
    ['100,000 parts', `${nested(1)}${'\r\nü\r\n--b0\r\n'.repeat(100_000)}`, false],
    ['a megabyte of near delimiters', `${nested(1)}\r\nü\r\n${'--b0x\r\n'.repeat(150_000)}`, false],
    ['1 MB of equals signs', `\r\nü${'='.repeat(900)}\r\n`.repeat(1_100), true],
    ['1 MB of hyphens', `${nested(10)}\r\nü\r\n${`${'-'.repeat(900)}\r\n`.repeat(1_100)}`, true],
    ['parentheses', `Content-Type: ${'('.repeat(60_000)}\r\n\r\nü\r\n`, false],
    ['parameters', `Content-Type: text/plain${'; a=b'.repeat(20_000)}\r\n\r\nü\r\n`, true],
  ])('%s', (_name, rest, converts) => {
    const raw = Buffer.from(`From: a@own.test\r\n${rest}`)
    expect(toSevenBit(raw) !== undefined).toBe(converts)
    expect(fastestOfThree(() => toSevenBit(raw))).toBeLessThan(soonMs)
  })
})
