// TLS is used wherever it works, broken TLS does not hold mail up that nobody asked to protect, and nothing said before it counts.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { MxScript } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({ mx: { starttls: 'works' }, outbound: { DELIVERY_COMMAND_SECONDS: '2' } })
})

afterAll(() => system.stop())

test('a self-signed certificate is good enough for opportunistic TLS', async () => {
  const { postel, mx } = system
  mx.script = { starttls: 'works' }
  const id = await postel.submit({ to: `reader@${system.freshDomain()}`, data: message() })
  expect((await postel.settled(id)).map(({ state }) => state)).toEqual(['delivered'])
  expect(mx.messages.at(-1)!.tls).toBe(true)
  expect((await postel.attempts(id))[0]!.tls).toMatch(/^TLSv1\.3 TLS_/)
})

test.each(['refused', 'garbage', 'closes', 'resets'] as const)(
  'STARTTLS that is offered and %s: in plain text (D-10)',
  async (starttls) => {
    const { postel, mx } = system
    const count = mx.messages.length
    mx.script = { starttls }
    const id = await postel.submit({ to: `reader@${system.freshDomain()}`, data: message() })
    expect((await postel.settled(id)).map(({ state, attempts }) => [state, attempts])).toEqual([
      ['delivered', 1],
    ])
    expect(mx.messages.slice(count).map(({ tls }) => tls)).toEqual([false])
    expect((await postel.attempts(id))[0]!.tls).toBeNull()
  },
)

test.each<[string, MxScript['starttls']]>([
  ['is not offered', undefined],
  ['is refused', 'refused'],
  ['breaks', 'garbage'],
  ['has a certificate that nobody vouches for', 'works'],
])('REQUIRETLS, and STARTTLS %s: deferred or refused, never sent (RFC 8689)', async (_name, starttls) => {
  const { postel, mx } = system
  const count = mx.messages.length
  mx.script = { ...(starttls && { starttls }), extensions: ['REQUIRETLS'] }
  const client = await postel.session('STARTTLS')
  await client.say('MAIL FROM:<sender@example.test> REQUIRETLS', 250)
  await client.say(`RCPT TO:<reader@${system.freshDomain()}>`, 250)
  await client.say('DATA', 354)
  client.write(`${message()}.\r\n`)
  const id = /queued as (\S+)/.exec(await client.expect(250))![1]!
  expect((await postel.settled(id)).map(({ state }) => state)).toEqual(['deferred'])
  expect(mx.messages.length - count).toBe(0)
})

test('replies injected behind the 220 of STARTTLS are not believed (D-11)', async () => {
  const { postel, mx } = system
  mx.script = { starttls: { injects: '250-evil.test\r\n250 SIZE 10' }, extensions: ['8BITMIME'] }
  const id = await postel.submit({ to: `reader@${system.freshDomain()}`, data: message() })
  expect((await postel.settled(id)).map(({ state, reply }) => [state, reply])).toEqual([
    ['delivered', '250 2.0.0 ok'],
  ])
  expect(mx.messages.at(-1)!.tls).toBe(true)
  expect(mx.sessions.at(-1)!.commands.filter((line) => line.startsWith('EHLO'))).toHaveLength(2)
})
