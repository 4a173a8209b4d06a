// EHLO offers exactly what the server can do on this connection.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Postel, startPostel } from '../support/postel.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel({ inbound: { MAX_MESSAGE_BYTES: '123456' } })
})

afterAll(() => postel.stop())

const always = ['8BITMIME', 'DSN', 'ENHANCEDSTATUSCODES', 'PIPELINING', 'SIZE 123456', 'SMTPUTF8']

test('in plain text: STARTTLS, no AUTH', async () => {
  const client = await postel.session()
  expect((await client.ehlo()).sort()).toEqual([...always, 'STARTTLS'].sort())
})

test.each(['STARTTLS', 'implicit TLS'] as const)(
  'over %s: AUTH and REQUIRETLS, no STARTTLS',
  async (channel) => {
    const client = await postel.session(channel)
    expect((await client.ehlo()).sort()).toEqual([...always, 'AUTH PLAIN LOGIN', 'REQUIRETLS'].sort())
  },
)
