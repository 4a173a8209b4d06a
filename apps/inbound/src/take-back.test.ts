/** For how long, and by whose secret, a return path is believed. */
import { randomBytes } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { returnToken } from '@postel/mail/return-path'
import { readToken } from './take-back.ts'

const [secret, previous, foreign] = [randomBytes(32), randomBytes(32), randomBytes(32)]

/** A message's id (UUIDv7) as of that many days ago. */
function idOf(days: number): string {
  const hex = (Date.now() - days * 86_400_000).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-0000000000aa`
}

test.each([
  ['of today', 0, secret, true],
  ['of the secret before', 0, previous, true],
  ['of somebody else', 0, foreign, false],
  ['29 days old', 29, secret, true],
  ['31 days old', 31, secret, false],
])('%s', (_name, days, signer, believed) => {
  const messageId = idOf(days)
  const token = returnToken({ messageId, number: 3 }, signer)
  expect(readToken(token, [secret, previous])).toEqual(believed ? { messageId, number: 3 } : undefined)
})
