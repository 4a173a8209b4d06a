/** Header text decoded for display, and encoded. */
import { expect, test } from '@jest/globals'
import { decodeEncodedWords, encodeWords, octetsToText, truncate } from './encoded-word.ts'

test.each([
  ['plain text', 'Hello', 'Hello'],
  ['Q', '=?utf-8?Q?a_b=C3=A9?=', 'a bé'],
  ['B', '=?UTF-8?B?w6k=?= x', 'é x'],
  ['adjacent words join', '=?utf-8?q?a?= =?utf-8?q?b?= c', 'ab c'],
  ['a character split between words', '=?utf-8?q?=C3?= =?utf-8?q?=A9?=', 'é'],
  ['two charsets', '=?utf-8?q?a?= =?iso-8859-1?q?=E9?=', 'aé'],
  ['language tag', '=?utf-8*en?q?a?=', 'a'],
  ['Japanese', '=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=', '日本'],
  ['unknown charset stays', '=?x-none?q?a?=', '=?x-none?q?a?='],
  ['NUL and line breaks become a space', '=?utf-8?q?a=00=0D=0Ab=E2=80=A8c?=', 'a b c'],
  ['no word', 'a =? b ?=', 'a =? b ?='],
])('decodeEncodedWords: %s', (_name, text, expected) => {
  expect(decodeEncodedWords(text)).toBe(expected)
})

test('octets are UTF-8, or latin1 where they cannot be', () => {
  expect(octetsToText('Ã©')).toBe('é')
  expect(octetsToText('\xe9')).toBe('é')
})

test.each([
  ['nothing', '', 0],
  ['a word', 'Z\u00fcrich', 9],
  ['what looks encoded', '=?utf-8?q?a?=', 9],
  ['letters of two, three and four octets', '\u00e9\u65e5\u{1f600}x'.repeat(40), 9],
  ['on a line that is taken', 'Z\u00fcrich', 70],
])('encodeWords reads as the text, in lines of 76 with the column: %s', (_name, text, column) => {
  const encoded = encodeWords(text, column)
  const lines = `${'x'.repeat(column)}${encoded}`.split('\r\n ')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(76)
  for (const word of encoded.split('\r\n ').filter(Boolean))
    expect(decodeEncodedWords(word)).not.toMatch(/\ufffd|=\?UTF-8/)
  expect(decodeEncodedWords(encoded.replaceAll('\r\n', '').trim())).toBe(text)
})

test('truncate never splits a surrogate pair', () => {
  expect(truncate('ab😀', 3)).toBe('ab')
  expect(truncate('ab😀', 4)).toBe('ab😀')
})
