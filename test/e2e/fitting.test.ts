// A message that must be signed anew for its remote waits when that cannot be done: it never leaves unsigned, nor counts as broken.
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { LoadedMessage } from '@postel/db/queries/outbound'
import { deliver } from '@postel/outbound/deliver'
import { KeysUnavailable, SigningKeyError } from '@postel/outbound/sign'
import { SmtpClient } from '@postel/outbound/smtp-client'
import { TlsContexts } from '@postel/outbound/tls-contexts'
import { noPolicy } from '@postel/outbound/tls-policy'
import { FakeMx } from '../support/fake-mx.ts'

let mx: FakeMx
let client: SmtpClient

beforeEach(async () => {
  mx = await FakeMx.start({ extensions: [] })
  client = await SmtpClient.open({
    address: mx.address,
    port: mx.port,
    host: 'mx.test',
    sniName: 'mx.test',
    localAddress: '127.0.0.1',
    ehloName: 'mail.postel.test',
    tls: 'none',
    secureContext: new TlsContexts().opportunistic,
    strict: false,
    connectSeconds: 5,
    commandSeconds: 5,
    finalDotSeconds: 5,
    terms: { policy: noPolicy('dest.test'), floor: 'opportunistic' },
  })
})

afterEach(async () => {
  client.close()
  await mx.stop()
})

/** What becomes of a message with 8-bit content at a remote that takes none. */
function send(sign: () => Promise<Buffer>) {
  const message: LoadedMessage = {
    id: 1,
    ipId: 1,
    messageId: 'm',
    projectId: 'p',
    domain: 'dest.test',
    priority: 50,
    sizeBytes: 0,
    attempts: 0,
    numbers: [1],
    recipients: ['reader@dest.test'],
    envelopeFrom: 'sender@example.test',
    signingDomain: 'example.test',
    details: { eight_bit: true },
    raw: Buffer.from('Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nü\r\n'),
  } as unknown as LoadedMessage
  return deliver({ message, signature: Buffer.from('DKIM-Signature: x\r\n'), startedAt: 0 }, client, {
    maySendDot: () => true,
    recipientsPerTransaction: 100,
    tellEnvelopeId: false,
    sign,
    replyRules: [],
    recordPart: async () => true,
  })
}

test('the keys could not be asked for: it stays in the queue, and that is no try', async () => {
  expect(await send(async () => Promise.reject(new KeysUnavailable('away')))).toBe('fenced')
  expect([mx.messages, client.usable]).toEqual([[], true])
})

test('the key cannot be used: it waits, and why is said', async () => {
  const outcome = await send(async () => Promise.reject(new SigningKeyError('bad')))
  expect(outcome).toMatchObject({
    recipients: [{ number: 1, outcome: 'deferred', category: 'signing' }],
  })
  expect([mx.messages, client.usable]).toEqual([[], true])
})

test('the new signature is the one that is sent', async () => {
  await send(async () => Buffer.from('DKIM-Signature: new\r\n'))
  expect(mx.messages[0]!.content).toMatch(/^DKIM-Signature: new\r\nSubject: x\r\n/)
})
