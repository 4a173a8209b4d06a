/** Links are what they were signed as, or nothing (no open redirect, no forged unsubscription). */
import { randomBytes, randomUUID } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { type LinkToken, LinkTokens, refBytes, tokenKinds } from './tracking-token.ts'

const secret = () => randomBytes(32).toString('base64')
const tokens = new LinkTokens([secret()])
const token: LinkToken = {
  projectId: randomUUID(),
  ref: randomBytes(refBytes).toString('base64url'),
  at: new Date('2026-11-22T08:00:00Z'),
  number: 1,
  text: 'https://example.com/bücher?a=1&b=2',
}

test.each([
  ['as it is', token],
  ['of a message to several', { ...token, number: null }],
  ['with an empty text', { ...token, text: '' }],
  ['with a long text', { ...token, text: `https://example.com/${'x'.repeat(1_980)}` }],
])('a token comes back: %s', (_name, given) => {
  expect(tokens.read('click', tokens.sign('click', given))).toEqual(given)
})

test('a token is good for its own kind only', () => {
  for (const signed of tokenKinds)
    for (const read of tokenKinds)
      expect(tokens.read(read, tokens.sign(signed, token)) !== undefined).toBe(signed === read)
})

test('no octet of a token can be changed, and none left out', () => {
  const signed = tokens.sign('click', token)
  const bytes = Buffer.from(signed, 'base64url')
  for (let index = 0; index < bytes.length; index++) {
    const forged = Buffer.from(bytes)
    forged[index]! ^= 1
    expect(tokens.read('click', forged.toString('base64url'))).toBeUndefined()
    expect(tokens.read('click', bytes.subarray(0, index).toString('base64url'))).toBeUndefined()
  }
})

test.each([
  ['empty', ''],
  ['a guess', randomBytes(60).toString('base64url')],
  ['without its signature', tokens.sign('click', token).slice(0, -22)],
  ['of another installation', new LinkTokens([secret()]).sign('click', token)],
  ['with something behind it', `${tokens.sign('click', token)}=`],
  ['with white space in it', tokens.sign('click', token).replace(/^(.{9})/, '$1 ')],
  ['of many letters', 'A'.repeat(1_000_000)],
])('not a token of ours: %s', (_name, text) => {
  expect(tokens.read('click', text)).toBeUndefined()
})

test('after a change of the secret, old tokens are good while the old secret is given', () => {
  const [old, fresh] = [secret(), secret()]
  const signed = new LinkTokens([old]).sign('open', token)
  expect(new LinkTokens([fresh, old]).read('open', signed)).toEqual(token)
  expect(new LinkTokens([fresh]).read('open', signed)).toBeUndefined()
})
