// Where mail goes is what DNS says: by preference, with the fallbacks of RFC 5321, and never to where it must not go.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { MxScript } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitUntilEqual } from '../support/wait-for.ts'

/** As long as a name may be. */
const long = `${`${'a'.repeat(49)}.`.repeat(4)}${'b'.repeat(41)}.remote.test`

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
    'six-implicit.test': { AAAA: ['::1'] },
    'numeric.test': { MX: [[10, '127.0.0.2'] as const] },
    'numeric-first.test': { MX: [[10, '127.0.0.99'] as const, [20, 'mx1.remote.test'] as const] },
    'alias-mx.test': { MX: [[10, 'alias.remote.test'] as const] },
    'alias.remote.test': { CNAME: 'mx1.remote.test' },
    'alias.test': { CNAME: 'dest.test' },
    'underscore.test': { MX: [[10, 'mx_1.remote.test'] as const] },
    'mx_1.remote.test': { A: ['127.0.0.2'] },
    'idn-mx.test': { MX: [[10, 'mü.remote.test'] as const] },
    'xn--m-eha.remote.test': { A: ['127.0.0.2'] },
    'xn--mnchen-3ya.test': { MX: [[10, 'mx1.remote.test'] as const] },
    'long-mx.test': { MX: [[10, long] as const] },
    [long]: { A: ['127.0.0.2'] },
    'ttl-0.test': { MX: [[10, 'mx1.remote.test'] as const], ttl: 0 },
    'null-among.test': { MX: [[0, '.'] as const, [10, 'mx1.remote.test'] as const] },
    'hundred.test': {
      MX: Array.from({ length: 100 }, (_, index) => [index, `dead-${index}.test`] as const),
    },
    'hundred-good.test': {
      MX: Array.from({ length: 100 }, (_, index) => [index, 'mx1.remote.test'] as const),
    },
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
        'db.svc.cluster.local': { A: ['10.96.0.1'] },
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
  ['so does a domain of another address family', 'six-implicit.test', ['deferred', null, '4.4.4']],
  ['an MX that is an address is none (D-21)', 'numeric.test', ['deferred', null, '4.4.4']],
  ['and others are used (D-21)', 'numeric-first.test', ['delivered', 'mx1.remote.test', '']],
  ['an MX may be a CNAME (D-21)', 'alias-mx.test', ['delivered', 'alias.remote.test', '']],
  ['a domain may be a CNAME', 'alias.test', ['delivered', 'mx1.remote.test', '']],
  ['an MX may have an underscore (D-21)', 'underscore.test', ['delivered', 'mx_1.remote.test', '']],
  ['an MX in UTF-8 is its A-label (D-21)', 'idn-mx.test', ['delivered', 'xn--m-eha.remote.test', '']],
  ['an MX of 253 characters is used (D-21)', 'long-mx.test', ['delivered', long, '']],
  ['a TTL of 0 is no hindrance (D-21)', 'ttl-0.test', ['delivered', 'mx1.remote.test', '']],
  ['a null MX among others is none', 'null-among.test', ['delivered', 'mx1.remote.test', '']],
  ['a hundred MX that do not exist defer (D-21)', 'hundred.test', ['deferred', null, '4.4.4']],
  ['a hundred times the same MX is one', 'hundred-good.test', ['delivered', 'mx1.remote.test', '']],
])('%s', async (_name, domain, expected) => {
  expect(await outcome(domain)).toEqual(expected)
})

test('of a hundred MX no more than 20 are asked for (D-21)', async () => {
  await outcome('hundred.test')
  const asked = system.dns.questions.filter((question) => /^A dead-/.test(question))
  expect(new Set(asked).size).toBe(20)
})

test('why an IPv6 exchanger cannot be used is said', async () => {
  const { postel } = system
  const id = await postel.submit({ to: 'reader@ipv6-only.test', data: message() })
  expect((await postel.settled(id))[0]!.reply).toBe(
    'six.test has only IPv6 addresses, and the source address is an IPv4 address',
  )
})

test('MX of equal preference share the mail', async () => {
  const { postel } = system
  // Each message takes a session, and so a choice, of its own: of forty, however slow they come, not all fall the same way
  const once = { dot: { reply: '250 2.0.0 ok', then: 'close' } } as const
  for (const mx of system.mxs) mx.script = once
  const ids = await Promise.all(
    Array.from({ length: 40 }, (_, n) => postel.submit({ to: `reader${n}@equal.test`, data: message() })),
  )
  for (const id of ids) await postel.settled(id, 30)
  const attempts = await Promise.all(ids.map((id) => postel.attempts(id)))
  for (const mx of system.mxs) mx.script = {}
  expect([...new Set(attempts.map(([attempt]) => attempt!.mx))].sort()).toEqual([
    'mx1.remote.test',
    'mx2.remote.test',
  ])
})

test.each<[string, readonly MxScript[], (string | null)[]]>([
  ['554, the next MX is tried', [{ greeting: '554 5.7.1 no' }, {}], ['delivered', 'mx2.remote.test', '']],
  ['421, the next MX is tried', [{ greeting: '421 4.3.2 busy' }, {}], ['delivered', 'mx2.remote.test', '']],
  [
    '554 everywhere, the mail bounces',
    [{ greeting: '554 5.3.0 no' }, { greeting: '554 5.3.0 never' }],
    ['bounced', 'mx2.remote.test', '5.3.0'],
  ],
  [
    '554 and 421, the mail waits',
    [{ greeting: '554 5.3.0 no' }, { greeting: '421 4.3.2 busy' }],
    ['deferred', 'mx2.remote.test', '4.3.2'],
  ],
  [
    '421 and 554, the mail waits',
    [{ greeting: '421 4.3.2 busy' }, { greeting: '554 5.3.0 no' }],
    ['deferred', 'mx2.remote.test', '4.3.2'],
  ],
])('where the greeting is %s (D-15)', async (_name, scripts, expected) => {
  const one = await startSystem({ mx: scripts })
  expect(await outcome('dest.test', one)).toEqual(expected)
  await one.stop()
})

test('an MX that does not answer is tried last from then on, and first no more (D-16)', async () => {
  const one = await startSystem({
    mx: [{ greeting: '' }, {}],
    outbound: { DELIVERY_COMMAND_SECONDS: '4' },
  })
  const [silent, good] = one.mxs
  for (let mail = 0; mail < 2; mail++) {
    expect(await outcome('dest.test', one)).toEqual(['delivered', 'mx2.remote.test', ''])
    good!.dropSessions()
    await waitUntilEqual(() => good!.open, 0)
  }
  expect([silent!.sessions.length, good!.sessions.length]).toEqual([1, 2])
  await one.stop()
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

test.each(['private.test', 'metadata.test', 'mapped.test', 'db.svc.cluster.local'])(
  '%s has only private addresses: bounced unsent (D-23, D-24)',
  async (domain) => {
    expect(await outcome(domain, guarded)).toEqual(['bounced', null, '5.4.4'])
    expect(guarded.mx.sessions).toEqual([])
  },
)
