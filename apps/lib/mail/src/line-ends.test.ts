/** Line ends and line lengths. */
import { expect, test } from '@jest/globals'
import { hasLongLine, withCrlf } from './line-ends.ts'

test.each([
  ['nothing to do', 'a\r\n\r\nb\r\n', 'a\r\n\r\nb\r\n'],
  ['LF', 'a\n\nb\n', 'a\r\n\r\nb\r\n'],
  ['CR', 'a\r\rb\r', 'a\r\n\r\nb\r\n'],
  ['CR before CRLF', 'a\r\r\nb\r\n', 'a\r\n\r\nb\r\n'],
  ['LF first, CR last', '\na\r', '\r\na\r\n'],
  ['LF CR', 'a\n\rb\r\n', 'a\r\n\r\nb\r\n'],
  ['not ended', 'a', 'a\r\n'],
  ['empty', '', '\r\n'],
  ['other octets stay', '\x0b\x0c\x85\xff\r\n', '\x0b\x0c\x85\xff\r\n'],
])('withCrlf: %s', (_name, raw, expected) => {
  expect(withCrlf(Buffer.from(raw, 'latin1')).toString('latin1')).toBe(expected)
})

test('withCrlf gives the same buffer where nothing had to change', () => {
  const raw = Buffer.from('a\r\n')
  expect(withCrlf(raw)).toBe(raw)
})

test('hasLongLine agrees with counting each line', () => {
  for (let length = 0; length <= 12; length++) {
    for (let before = 0; before <= 12; before++) {
      for (const end of ['\r\n', '\r\n\r\n', '\r\nxx\r\n', '']) {
        const text = `${'y'.repeat(before)}\r\n${'x'.repeat(length)}${end}`
        const counted = text.split('\r\n').some((line) => line.length > 5)
        expect([text, hasLongLine(Buffer.from(text), 5)]).toEqual([text, counted])
      }
    }
  }
})
