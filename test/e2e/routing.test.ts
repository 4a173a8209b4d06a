// Where mail goes is what DNS says: by preference, with the fallbacks of RFC 5321, and never to where it must not go.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System
let guarded: System

beforeAll(async () => {
  const zones = {
    'null-mx.test': { MX: [[0, '.'] as const], A: ['127.0.0.2'] },
    'no-mx.test': { A: ['127.0.0.2'] },
    'nothing.test': { TXT: ['here'] },
    'broken.test': { fails: 'SERVFAIL' as const },
    'refusing.test': { fails: 'REFUSED' as const },
    'lame-mx.test': { MX: [[10, 'broken.test'] as const] },
    'dead-name.test': { MX: [[10, 'no-such-host.test'] as const] },
    'dead-first.test': { MX: [[10, 'dead.test'] as const, [20, 'mx1.remote.test'] as const] },
    'dead.test': { A: ['127.0.0.99'] },
    'missing-first.test': { MX: [[10, 'no-such-host.test'] as const, [20, 'mx1.remote.test'] as const] },
    'reversed.test': { MX: [[30, 'mx1.remote.test'] as const, [5, 'mx2.remote.test'] as const] },
    'equal.test': { MX: [[10, 'mx1.remote.test'] as const, [10, 'mx2.remote.test'] as const] },
    'ipv6-only.test': { MX: [[10, 'six.test'] as const] },
    'six.test': { AAAA: ['::1'] },
    'numeric.test': { MX: [[10, '127.0.0.2'] as const] },
  }
  ;[system, guarded] = await Promise.all([
    startSystem({ mx: [{}, {}], zones }),
    startSystem({
      outbound: { DELIVERY_ALLOW_PRIVATE: 'false' },
      zones: {
        'private.test': { MX: [[10, 'mx1.remote.test']] },
        'metadata.test': { A: ['169.254.169.254'] },
        'mapped.test': { MX: [[10, 'ten.test']] },
        'ten.test': { A: ['10.0.0.1'] },
      },
    }),
  ])
})

afterAll(() => Promise.all([system.stop(), guarded.stop()]))

async function outcome(domain: string, { postel }: System = system): Promise<(string | null)[]> {
  const id = await postel.submit({ to: `reader@${domain}`, data: message() })
  const [delivery] = await postel.settled(id, 30)
  const [attempt] = await postel.attempts(id)
  return [delivery!.state, attempt!.mx, attempt!.enhanced?.replace(/^2.*/, '') ?? null]
}

test.each([
  ['the lowest preference is tried first', 'reversed.test', ['delivered', 'mx2.remote.test', '']],
  ['without MX, the address record (D-20)', 'no-mx.test', ['delivered', 'no-mx.test', '']],
  [
    'a first MX that refuses connections is passed over (D-16)',
    'dead-first.test',
    ['delivered', 'mx1.remote.test', ''],
  ],
  [
    'a first MX that does not exist is passed over',
    'missing-first.test',
    ['delivered', 'mx1.remote.test', ''],
  ],
  [
    'a null MX bounces at once, without the address record (D-19)',
    'null-mx.test',
    ['bounced', null, '5.1.10'],
  ],
  ['a domain that does not exist bounces (D-18)', 'no-such-domain.test', ['bounced', null, '5.1.2']],
  ['neither MX nor address bounces (D-20)', 'nothing.test', ['bounced', null, '5.1.2']],
  ['SERVFAIL defers (D-17)', 'broken.test', ['deferred', null, '4.4.3']],
  ['REFUSED defers (D-17)', 'refusing.test', ['deferred', null, '4.4.3']],
  ['SERVFAIL for the only MX defers (D-17)', 'lame-mx.test', ['deferred', null, '4.4.3']],
  ['an only MX without address defers', 'dead-name.test', ['deferred', null, '4.4.4']],
  ['an MX of another address family defers', 'ipv6-only.test', ['deferred', null, '4.4.4']],
  ['an MX that is an address is none', 'numeric.test', ['deferred', null, '4.4.4']],
])('%s', async (_name, domain, expected) => {
  expect(await outcome(domain)).toEqual(expected)
})

test('MX of equal preference share the mail', async () => {
  const hosts = new Set<string | null>()
  for (let round = 0; round < 40 && hosts.size < 2; round++) {
    system.dns.zones[`equal-${round}.test`] = system.dns.zones['equal.test']!
    hosts.add((await outcome(`equal-${round}.test`))[1]!)
  }
  expect([...hosts].sort()).toEqual(['mx1.remote.test', 'mx2.remote.test'])
})

test('a bounce makes one event and is not tried again', async () => {
  const { postel } = system
  const id = await postel.submit({ to: 'reader@no-such-domain.test', data: message() })
  await postel.settled(id)
  const events =
    await postel.sql`select type from postel.events where message_id = ${id} and number is not null`
  expect(events.map(({ type }) => type)).toEqual(['bounced'])
  expect(await postel.waits(id)).toEqual([])
})

test.each(['private.test', 'metadata.test', 'mapped.test'])(
  '%s has only private addresses: bounced unsent (D-23)',
  async (domain) => {
    expect(await outcome(domain, guarded)).toEqual(['bounced', null, '5.4.4'])
    expect(guarded.mx.sessions).toEqual([])
  },
)
