/** Header sections in ASCII: a reader sees the same before and after, and what has no such form is refused. */
import { isAscii } from 'node:buffer'
import { describe, expect, test } from '@jest/globals'
import { simpleParser } from 'mailparser'
import { toAsciiHeaders } from './ascii-headers.ts'
import { decodeEncodedWords } from './encoded-word.ts'
import { fastestOfThree, soonMs } from './testing.ts'

const body = '\r\nbody \u00fc\r\n'

describe('the same text', () => {
  test.each([
    ['a subject', 'Subject: Gr\u00fc\u00dfe aus M\u00fcnchen\r\n'],
    ['a long subject', `Subject: ${'\u{1f600} \u041f\u0440\u0438\u0432\u0435\u0442 '.repeat(20)}.\r\n`],
    ['a folded subject with an encoded word', 'Subject:\r\n =?utf-8?q?=C3=A9?= and\r\n raw \u00e9\r\n'],
    [
      'names',
      'To: Zo\u00eb <z@x.test>, "Lee, \u00c4nn" <l@x.test>,\r\n plain@x.test, "An \\"x\\" n" <a@x.test>\r\n',
    ],
    ['a name of another script', `Cc: ${'\u65e5\u672c'.repeat(40)} <z@x.test>\r\n`],
    ['an own field', 'X-Note: caf\u00e9\r\n'],
    [`a field with a long name`, `X-${'N'.repeat(72)}: caf\u00e9\r\n`],
  ])('%s', async (_name, field) => {
    const raw = Buffer.from(`From: a@own.test\r\n${field}X-Z:  stays \r\n${body}`)
    const converted = toAsciiHeaders(raw)!
    const text = converted.toString()
    const section = text.slice(0, text.indexOf('\r\n\r\n'))
    expect(isAscii(Buffer.from(section))).toBe(true)
    expect(text.endsWith(`X-Z:  stays \r\n${body}`)).toBe(true)
    for (const line of section.split('\r\n')) expect(line.length).toBeLessThan(79)
    const [before, after] = [await simpleParser(raw), await simpleParser(converted)]
    // mailparser leaves encoded words of unknown fields alone
    for (const name of ['subject', 'x-note', `x-${'n'.repeat(72)}`])
      expect(decodeEncodedWords(String(after.headers.get(name)))).toBe(String(before.headers.get(name)))
    const mailboxes = ({ to, cc }: typeof before) => [to, cc].flat().map((list) => list?.value)
    expect(mailboxes(after)).toEqual(mailboxes(before))
  })

  test('a domain becomes its A-labels', () => {
    const raw = Buffer.from(`From: \u00c5sa <a@b\u00fccher.test>\r\n${body}`)
    expect(toAsciiHeaders(raw)!.toString()).toBe(
      `From: =?UTF-8?B?w4VzYQ==?=\r\n <a@xn--bcher-kva.test>\r\n${body}`,
    )
  })

  test('ASCII headers are returned as they are', () => {
    const raw = Buffer.from(`From: a@own.test\r\n${body}`)
    expect(toAsciiHeaders(raw)).toBe(raw)
  })
})

test.each([
  ['a UTF-8 local part', 'To: \u00fc@x.test\r\n'],
  ['a group', 'To: T\u00e9am: a@x.test;\r\n'],
  ['an address list that cannot be read', 'To: \u00fc\r\n'],
  ['a file name', 'Content-Disposition: attachment; filename=\u00fc\r\n'],
  ['a Message-ID', 'Message-ID: <\u00fc@x.test>\r\n'],
  ['a link', 'List-Unsubscribe: <https://x.test/\u00fc>\r\n'],
  ['Latin-1', Buffer.from('Subject: \u00e9\r\n', 'latin1')],
])('is refused: %s', (_name, field) => {
  const raw = Buffer.concat([
    Buffer.from('From: a@own.test\r\n'),
    Buffer.from(field as string),
    Buffer.from(body),
  ])
  expect(toAsciiHeaders(raw)).toBeUndefined()
})

test('200 KB of header cost little', () => {
  const raw = Buffer.from(`From: a@own.test\r\n${`X-A: ${'\u00fc'.repeat(400)}\r\n`.repeat(240)}${body}`)
  expect(toAsciiHeaders(raw)).toBeDefined()
  expect(fastestOfThree(() => toAsciiHeaders(raw))).toBeLessThan(soonMs)
})
