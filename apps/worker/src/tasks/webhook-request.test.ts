/** What goes over the wire, and how the answer is read. */
import { randomBytes } from 'node:crypto'
import { expect, test } from '@jest/globals'
import type { ClaimedDelivery } from '@postel/db/queries/webhook-dispatch'
import { createSecretBox } from '@postel/runtime/secret-box'
import { judged, retryAfterSeconds, signedHeaders, tellWebhook } from './webhook-request.ts'

const secretBox = createSecretBox(randomBytes(32).toString('base64'))
const webhookId = '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'
/** Of the test vectors of Standard Webhooks. */
const vector = {
  secret: Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'),
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  at: new Date(1_614_265_330_000),
  payload: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}

function delivery(changes: Partial<ClaimedDelivery> = {}): ClaimedDelivery {
  return {
    id: vector.id,
    webhookId,
    type: 'email.sent',
    payload: vector.payload,
    attempts: 2,
    createdAt: vector.at,
    endpoint: 'https://127.0.0.1/',
    failing: false,
    secret: secretBox.seal(vector.secret, webhookId),
    previousSecret: null,
    ...changes,
  }
}

test('the test vector of Standard Webhooks is signed as it says, under both names', () => {
  const { id, signature } = vector
  const timestamp = '1614265330'
  expect(signedHeaders(delivery(), vector.at, secretBox)).toEqual({
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signature,
    'svix-id': id,
    'svix-timestamp': timestamp,
    'svix-signature': signature,
  })
})

test('a former secret signs after the present one', () => {
  const previousSecret = secretBox.seal(randomBytes(24), webhookId)
  const signatures = signedHeaders(delivery({ previousSecret }), vector.at, secretBox)[
    'webhook-signature'
  ]!.split(' ')
  expect(signatures).toEqual([vector.signature, expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/)])
  expect(signatures[1]).not.toBe(vector.signature)
})

const options = { secretBox, allowPrivate: false, timeoutMs: 1_000, userAgent: 'Postel' }

test.each([
  ['of another webhook', secretBox.seal(vector.secret, 'another')],
  [
    'of another installation',
    createSecretBox(randomBytes(32).toString('base64')).seal(vector.secret, webhookId),
  ],
])('with a secret %s nothing is sent, and that is said without it', async (_, secret) => {
  expect(await tellWebhook(delivery({ secret }), options)).toMatchObject({
    ...{ id: vector.id, after: 2, status: null, body: null },
    error: 'The request could not be made. This is a fault of the sender.',
  })
})

test('an endpoint that has become private since it was made is not connected to', async () => {
  expect(await tellWebhook(delivery(), options)).toMatchObject({
    status: null,
    error: 'The URL must not be on a private network.',
  })
})

const reply = (status: number, body = '', headers = {}) =>
  judged({ status, body: Buffer.from(body), headers, truncated: false })

test.each([
  [200, null],
  [299, null],
  [300, 'It answered 300: redirects are not followed.'],
  [399, 'It answered 399: redirects are not followed.'],
  [400, 'It answered 400.'],
  [599, 'It answered 599.'],
])('%d', (status, error) => {
  expect(reply(status)).toMatchObject({ status, error })
})

test('of an answer a beginning is kept, in what Postgres can hold', () => {
  expect(reply(500, 'a\0b').body).toBe('a\ufffdb')
  expect(reply(500, `${'x'.repeat(1_999)}😀`).body).toBe(`${'x'.repeat(1_999)}\ufffd`)
  expect(judged({ status: 500, body: Buffer.from([0xff, 0x41]), headers: {}, truncated: true }).body).toBe(
    '\ufffdA',
  )
})

test('Retry-After of an answer that took it means nothing', () => {
  const headers = { 'retry-after': '60' }
  expect([reply(200, '', headers).retryAfterSeconds, reply(503, '', headers).retryAfterSeconds]).toEqual([
    null,
    60,
  ])
})

test.each([
  ['nothing', undefined, null],
  ['seconds', '120', 120],
  ['seconds with space around', ' 5 ', 5],
  ['a date', 'Sun, 22 Nov 2026 00:01:00 GMT', 60],
  ['a date that is past', 'Sat, 21 Nov 2026 00:00:00 GMT', 0],
  ['a negative number', '-5', null],
  ['more than can be', '9999999999999', null],
  ['text', 'soon', null],
])('Retry-After with %s', (_, header, seconds) => {
  expect(retryAfterSeconds(header, Date.parse('2026-11-22T00:00:00Z'))).toBe(seconds)
})
