/** Mail never leaves unsigned when its domain has keys, and a database that is away is not taken for a bad key. */
import { randomBytes } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { newDkimKey } from '@postel/db/bootstrap'
import type { OutboundQueries } from '@postel/db/queries/outbound'
import { createSecretBox } from '@postel/runtime/secret-box'
import { Signer, SigningKeyError } from './sign.ts'

const secret = () => randomBytes(32).toString('base64')
const message = Buffer.from('From: a@s.test\r\nSubject: hi\r\n\r\nhello\r\n')

/** A signer over what `dkimKeys` answers. */
function signerOver(dkimKeys: () => Promise<unknown[]>, box = createSecretBox(secret())): Signer {
  return new Signer({ dkimKeys } as unknown as OutboundQueries, box)
}

async function keyRow(box: ReturnType<typeof createSecretBox>, owner = 's.test') {
  const { selector, privateKey } = await newDkimKey('ed25519-sha256')
  return {
    domain: 's.test',
    selector,
    algorithm: 'ed25519-sha256',
    privateKey: box.seal(Buffer.from(privateKey), owner),
    readAt: new Date(),
  }
}

test('a message of a domain with a key is signed for that domain', async () => {
  const box = createSecretBox(secret())
  const row = await keyRow(box)
  const fields = await signerOver(async () => [row], box).sign(message, 's.test')
  expect(fields.toString()).toContain(`d=s.test; s=${row.selector};`)
})

test.each([
  ['another POSTEL_SECRET', createSecretBox(secret()), 's.test'],
  ['a row moved from another domain', undefined, 'other.test'],
])('a key that cannot be opened is a SigningKeyError: %s', async (_name, opening, owner) => {
  const box = createSecretBox(secret())
  const row = await keyRow(box, owner)
  await expect(signerOver(async () => [row], opening ?? box).sign(message, 's.test')).rejects.toThrow(
    SigningKeyError,
  )
})

test('a database that cannot be asked is no SigningKeyError, and is asked again', async () => {
  const box = createSecretBox(secret())
  const row = await keyRow(box)
  let away = true
  const signer = signerOver(async () => {
    if (away) throw new Error('connection refused')
    return [row]
  }, box)
  await expect(signer.sign(message, 's.test')).rejects.not.toThrow(SigningKeyError)
  away = false
  expect((await signer.sign(message, 's.test')).length).toBeGreaterThan(0)
})

test('a signature is dated by the clock of the database, whatever this machine believes (C-33)', async () => {
  const box = createSecretBox(secret())
  const row = { ...(await keyRow(box)), readAt: new Date('2026-01-02T03:04:05Z') }
  const fields = await signerOver(async () => [row], box).sign(message, 's.test')
  const seconds = Number(/ t=(\d+);/.exec(fields.toString())![1])
  expect(seconds - row.readAt.getTime() / 1000).toBeGreaterThanOrEqual(-1)
  expect(seconds - row.readAt.getTime() / 1000).toBeLessThan(5)
})
