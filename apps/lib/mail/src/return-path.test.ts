/** A bounce finds its message again, and nobody else can make one that does. */
import { randomBytes } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { readReturnToken, returnToken } from './return-path.ts'

const secret = randomBytes(32)
const about = { messageId: '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e', number: 31_999 }

test.each([1, 255, 256, 32_000, -1, -32_000])('what was said comes back, with number %d', (number) => {
  const token = returnToken({ ...about, number }, secret)
  expect(token).toMatch(/^b[a-z2-7]{42}$/)
  expect(readReturnToken(token, secret)).toEqual({ ...about, number })
  expect(readReturnToken(token.toUpperCase(), secret)).toEqual({ ...about, number })
})

test('every character counts', () => {
  const token = returnToken(about, secret)
  for (let at = 0; at < token.length - 1; at++) {
    const changed = token.slice(0, at) + (token[at] === 'c' ? 'd' : 'c') + token.slice(at + 1)
    expect(readReturnToken(changed, secret)).toBeUndefined()
  }
})

test.each([
  ['another secret', () => readReturnToken(returnToken(about, secret), randomBytes(32))],
  ['nothing', () => readReturnToken('', secret)],
  ['an address of people', () => readReturnToken('bob', secret)],
  ['a longer one', () => readReturnToken(`${returnToken(about, secret)}aaaaaaaa`, secret)],
  ['other characters', () => readReturnToken(`b${'é'.repeat(42)}`, secret)],
  ['a long one', () => readReturnToken('b'.repeat(100_000), secret)],
])('%s is none of ours', (_name, read) => {
  expect(read()).toBeUndefined()
})
