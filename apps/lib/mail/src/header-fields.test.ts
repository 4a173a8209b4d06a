/** Splitting a header section into fields. */
import { expect, test } from '@jest/globals'
import { fieldValue, splitHeaderSection, trimSpaces } from './header-fields.ts'

test('a field spans its continuation lines, and values are unfolded', () => {
  const section = 'A: 1\r\nSubject:  a\r\n b\r\n\tc \r\n__proto__:x\r\n'
  const fields = splitHeaderSection(section, 3)
  expect(fields).toEqual([
    { name: 'a', start: 0, valueStart: 2, end: 6 },
    { name: 'subject', start: 6, valueStart: 14, end: 28 },
    { name: '__proto__', start: 28, valueStart: 38, end: 41 },
  ])
  expect(Array.isArray(fields) && fields.map((field) => fieldValue(section, field))).toEqual([
    '1',
    'a b\tc',
    'x',
  ])
})

test.each([
  ['no colon', 'A: 1\r\nhello\r\nB: 2\r\n', /^header field 2 is malformed/],
  ['continuation first', ' A: 1\r\n', /^header field 1 is malformed/],
  ['space before the colon', 'From : a@b.test\r\n', /^header field 1 is malformed/],
  ['empty name', ': x\r\n', /^header field 1 is malformed/],
  ['8-bit name', 'S\xfcbject: x\r\n', /^header field 1 is malformed/],
  ['mbox line', 'From a@b.test Mon Jan  1 00:00:00 2026\r\n', /^header field 1 is malformed/],
  ['too many', 'A: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\n', /^more than 3 header fields/],
])('gives the reason: %s', (_name, section, reason) => {
  expect(splitHeaderSection(section, 3)).toMatch(reason)
})

test('trimSpaces leaves the octet A0, the end of a UTF-8 letter', () => {
  expect(trimSpaces(' \t\xc3\xa0 ')).toBe('\xc3\xa0')
  expect(trimSpaces('  ')).toBe('')
})
