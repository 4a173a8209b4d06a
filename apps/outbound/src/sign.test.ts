/** Mail never leaves unsigned when its domain has keys, and a database that is away is not taken for a bad key. */
import { randomBytes } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { newDkimKey } from '@postel/db/bootstrap'
import type { LoadedMessage, OutboundQueries, SendingDomain } from '@postel/db/queries/outbound'
import { readReturnToken } from '@postel/mail/return-path'
import { createSecretBox } from '@postel/runtime/secret-box'
import { DomainNotVerified, KeysUnavailable, Signer, SigningKeyError } from './sign.ts'

const secret = () => randomBytes(32).toString('base64')
const message = Buffer.from('From: a@s.test\r\nSubject: hi\r\n\r\nhello\r\n')

const tokenSecret = randomBytes(32)
const of = { projectId: 'p', signingDomain: 's.test' }

/** A signer over what `sendingDomain` answers. */
function signerOver(
  sendingDomain: () => Promise<SendingDomain | undefined>,
  box = createSecretBox(secret()),
  held: unknown[] = [],
): Signer {
  const holdUnverified = async (...mail: unknown[]) => held.push(mail)
  return new Signer({ sendingDomain, holdUnverified } as unknown as OutboundQueries, box, tokenSecret)
}

async function sendingDomain(
  box: ReturnType<typeof createSecretBox>,
  { owner = 's.test', ...changes }: Partial<SendingDomain> & { owner?: string } = {},
): Promise<SendingDomain> {
  const { selector, privateKey } = await newDkimKey('ed25519-sha256')
  const key = { selector, algorithm: 'ed25519-sha256', privateKey: box.seal(Buffer.from(privateKey), owner) }
  return { name: 's.test', returnPathHost: null, keys: [key], readAt: new Date(), ...changes }
}

test('a message of a domain with a key is signed for that domain', async () => {
  const box = createSecretBox(secret())
  const row = await sendingDomain(box)
  const fields = await signerOver(async () => row, box).sign(message, of)
  expect(fields.toString()).toContain(`d=s.test; s=${row.keys[0]!.selector};`)
})

test.each([
  ['another POSTEL_SECRET', createSecretBox(secret()), 's.test'],
  ['a row moved from another domain', undefined, 'other.test'],
])('a key that cannot be opened is a SigningKeyError: %s', async (_name, opening, owner) => {
  const box = createSecretBox(secret())
  const row = await sendingDomain(box, { owner })
  await expect(signerOver(async () => row, opening ?? box).sign(message, of)).rejects.toThrow(SigningKeyError)
})

test('a database that cannot be asked is no SigningKeyError, and is asked again', async () => {
  const box = createSecretBox(secret())
  const row = await sendingDomain(box)
  let away = true
  const signer = signerOver(async () => {
    if (away) throw new Error('connection refused')
    return row
  }, box)
  await expect(signer.sign(message, of)).rejects.not.toThrow(SigningKeyError)
  away = false
  expect((await signer.sign(message, of)).length).toBeGreaterThan(0)
})

test('a signature is dated by the clock of the database, whatever this machine believes (C-33)', async () => {
  const box = createSecretBox(secret())
  const row = await sendingDomain(box, { readAt: new Date('2026-01-02T03:04:05Z') })
  const fields = await signerOver(async () => row, box).sign(message, of)
  const seconds = Number(/ t=(\d+);/.exec(fields.toString())![1])
  expect(seconds - row.readAt.getTime() / 1000).toBeGreaterThanOrEqual(-1)
  expect(seconds - row.readAt.getTime() / 1000).toBeLessThan(60)
})

test('mail of a domain that is not verified any more is held, and not signed or sent', async () => {
  const held: unknown[] = []
  const signer = signerOver(async () => undefined, undefined, held)
  await expect(signer.sign(message, of)).rejects.toThrow(DomainNotVerified)
  expect(held).toEqual([['p', 's.test']])
})

test('while the database is away such mail is left where it is', async () => {
  const signer = signerOver(async () => {
    throw new Error('connection refused')
  })
  await expect(signer.sign(message, of)).rejects.toThrow(KeysUnavailable)
})

test.each([
  ['nothing in DNS: as the client gave it', null, 'a@s.test', [3], 'a@s.test'],
  ['the null sender stays that', 'send.s.test', '', [3], ''],
])('the envelope sender with %s', async (_name, returnPathHost, envelopeFrom, numbers, expected) => {
  const box = createSecretBox(secret())
  const row = await sendingDomain(box, { returnPathHost })
  const loaded = { ...of, messageId: uuid, envelopeFrom, numbers } as LoadedMessage
  expect((await signerOver(async () => row, box).withReturnPath(loaded)).envelopeFrom).toBe(expected)
})

const uuid = '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'

test.each([
  ['one recipient is named', [3], 3],
  ['of several the domain of the first is', [3, 4], -3],
])(
  'the envelope sender is below the domain, with a token of the message: %s',
  async (_name, numbers, number) => {
    const box = createSecretBox(secret())
    const row = await sendingDomain(box, { returnPathHost: 'send.s.test' })
    const loaded = { ...of, messageId: uuid, envelopeFrom: 'a@s.test', numbers } as LoadedMessage
    const { envelopeFrom } = await signerOver(async () => row, box).withReturnPath(loaded)
    const [token, host] = envelopeFrom.split('@')
    expect(host).toBe('send.s.test')
    expect(readReturnToken(token!, tokenSecret)).toEqual({ messageId: uuid, number })
  },
)
