// How much goes to whom at once: rules of destinations, sites that share them, smarthosts, and what keeps turns fair.
import { afterEach, describe, expect, test } from '@jest/globals'
import { sealSmarthost } from '@postel/runtime/sealed-smarthost'
import { createSecretBox } from '@postel/runtime/secret-box'
import type { Zone } from '../support/fake-dns.ts'
import type { MxScript } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor, waitUntilEqual } from '../support/wait-for.ts'

let system: System

afterEach(() => system.stop())

const names = (count: number) => Array.from({ length: count }, (_, index) => `r${index}`)

/** A system with these operator's rules, whose outbound has not been started. */
async function start(
  rules: readonly Record<string, unknown>[],
  mx: MxScript | readonly MxScript[] = {},
  zones: Record<string, Zone> = {},
): Promise<void> {
  system = await startSystem({ outbound: false, mx, zones })
  const { sql } = system.postel
  for (const rule of rules) await sql`insert into postel.destination_rules ${sql(rule)}`
}

async function submitAll(recipients: readonly string[]): Promise<string[]> {
  const ids: string[] = []
  for (const to of recipients) ids.push(await system.postel.submit({ to, data: message() }))
  return ids
}

const deliver = () => system.postel.startOutbound(system.outboundEnv)

async function allDelivered(ids: readonly string[]): Promise<void> {
  for (const id of ids)
    expect((await system.postel.settled(id)).every(({ state }) => state === 'delivered')).toBe(true)
}

function gate(): { until: Promise<void>; open: () => void } {
  let open = () => {}
  const until = new Promise<void>((resolve) => {
    open = resolve
  })
  return { until, open }
}

describe('domains behind the same mail exchangers', () => {
  const zones = (hosts: Record<string, string>): Record<string, Zone> => ({
    'a.test': { MX: [[10, 'mx1.big.test']] },
    'b.test': { MX: [[10, 'mx2.big.test']] },
    ...Object.fromEntries(Object.entries(hosts).map(([host, address]) => [host, { A: [address] }])),
  })

  test('share the connections that their rule allows', async () => {
    const { until, open } = gate()
    await start(
      [{ name: 'big', mx: ['big.test'], connections_max: 2 }],
      { dot: { reply: '250 ok', until } },
      zones({ 'mx1.big.test': '127.0.0.2', 'mx2.big.test': '127.0.0.2' }),
    )
    const ids = await submitAll(names(12).flatMap((name) => [`${name}@a.test`, `${name}@b.test`]))
    await deliver()
    await waitUntilEqual(() => system.mx.messages.length, 2)
    expect(system.mx.open).toBe(2)
    open()
    await allDelivered(ids)
    await waitUntilEqual(async () => {
      const rows = await system.postel.sql`select site from postel.destinations`
      return rows.map(({ site }) => site as string)
    }, ['big', 'big'])
  })

  test('do not share a session to a host that is not their own', async () => {
    await start(
      [{ name: 'big', mx: ['big.test'], connections_max: 1 }],
      [{}, {}],
      zones({ 'mx1.big.test': '127.0.0.2', 'mx2.big.test': '127.0.0.3' }),
    )
    await deliver()
    const ids = await submitAll(['x@a.test', 'y@b.test', 'z@a.test'])
    await allDelivered(ids)
    expect(system.mxs.map((mx) => mx.messages.map(({ to }) => to[0]).sort())).toEqual([
      ['x@a.test', 'z@a.test'],
      ['y@b.test'],
    ])
  })
})

test('a session to a second-best exchanger is for no other domain: that asks the best first (RFC 5321 §5.1)', async () => {
  const zone: Zone = {
    MX: [
      [10, 'mx1.remote.test'],
      [20, 'mx2.remote.test'],
    ],
  }
  await start([], [{ greeting: ['421 4.3.2 busy', '220 ok'] }, {}], { 'a.test': zone, 'b.test': zone })
  await deliver()
  await allDelivered(await submitAll(['x@a.test']))
  await allDelivered(await submitAll(['y@b.test']))
  expect(system.mxs.map((mx) => mx.envelopes)).toEqual([
    ['sender@example.test → y@b.test'],
    ['sender@example.test → x@a.test'],
  ])
})

describe('a rule', () => {
  test('ends a session after so many messages', async () => {
    await start([{ name: 'few', domains: ['dest.test'], connections_max: 1, messages_per_connection: 3 }])
    const ids = await submitAll(names(7).map((name) => `${name}@dest.test`))
    await deliver()
    await allDelivered(ids)
    expect(system.mx.sessions).toHaveLength(3)
  })

  test('puts so many recipients into a transaction, and all into one outcome', async () => {
    await start([{ name: 'few', domains: ['dest.test'], recipients_per_transaction: 2 }], {
      rcpt: { 'r3@dest.test': '550 5.1.1 nobody' },
    })
    const id = await system.postel.submit({
      to: names(5).map((name) => `${name}@dest.test`),
      data: message(),
    })
    await deliver()
    expect((await system.postel.settled(id)).map(({ state, attempts }) => `${state} ${attempts}`)).toEqual([
      'delivered 1',
      'delivered 1',
      'delivered 1',
      'bounced 1',
      'delivered 1',
    ])
    expect(system.mx.messages.map(({ to }) => to.length)).toEqual([2, 1, 1])
    expect(system.mx.sessions).toHaveLength(1)
  })

  test('sends no more messages a minute than it says', async () => {
    await start([{ name: 'slow', domains: ['dest.test'], messages_per_minute: 60 }])
    const ids = await submitAll(names(3).map((name) => `${name}@dest.test`))
    const startedAt = performance.now()
    await deliver()
    await allDelivered(ids)
    expect(performance.now() - startedAt).toBeGreaterThan(1_900)
  })

  test('sends a domain through a smarthost, with what it needs to be let in', async () => {
    await start([], {
      extensions: ['PIPELINING', 'AUTH PLAIN'],
    })
    const { sql } = system.postel
    const smarthost = `smtp://us:secret@127.0.0.2:${system.mx.port}`
    await sql`insert into postel.destination_rules (name, domains, smarthost) values ('via', '{no-dns.test}', ${smarthost})`
    const ids = await submitAll(['x@no-dns.test'])
    await deliver()
    await allDelivered(ids)
    const login = Buffer.from('\0us\0secret').toString('base64')
    expect(system.mx.sessions[0]!.commands).toContain(`AUTH PLAIN ${login}`)
  })

  test('has the password of its smarthost sealed for that server: mail by another that it is moved to waits', async () => {
    await start([], { extensions: ['PIPELINING', 'AUTH PLAIN'] })
    const { secret, sql } = system.postel
    const smarthost = sealSmarthost(`smtp://us:secret@127.0.0.2:${system.mx.port}`, createSecretBox(secret))
    const moved = smarthost.replace('127.0.0.2', '127.0.0.3')
    await sql`
      insert into postel.destination_rules (name, domains, smarthost)
      values ('via', '{no-dns.test}', ${smarthost}), ('moved', '{moved.test}', ${moved})`
    const [waiting, ...ids] = await submitAll(['x@moved.test', 'x@no-dns.test'])
    await deliver()
    await allDelivered(ids)
    const login = Buffer.from('\0us\0secret').toString('base64')
    expect(system.mx.sessions[0]!.commands).toContain(`AUTH PLAIN ${login}`)
    const reply = expect.stringContaining('rule moved cannot be used: its password cannot be opened')
    expect(await system.postel.settled(waiting!)).toMatchObject([{ state: 'deferred', reply }])
  })

  test('that gets another smarthost: what is open to the last server carries nothing more', async () => {
    await start([{ name: 'via', domains: ['a.test'], messages_per_connection: 10_000 }], [{}, {}, {}])
    const { postel, mxs } = system
    await deliver()
    // First direct, then by one server and by another; a session idles for longer than the next message takes to come
    for (const mx of mxs) {
      const smarthost = mx === mxs[0] ? null : `smtp://${mx.address}:${mx.port}`
      await postel.sql`update postel.destination_rules set smarthost = ${smarthost} where name = 'via'`
      await postel.sql`select pg_notify('postel_control', 'rules')`
      await waitFor(async () => {
        await allDelivered(await submitAll(['x@a.test']))
        return mx.messages.length > 0
      })
    }
  })

  test('takes effect while mail is flowing', async () => {
    await start([])
    await deliver()
    await allDelivered(await submitAll(['x@dest.test']))
    const { sql } = system.postel
    const smarthost = `smtp://127.0.0.2:${system.mx.port}`
    await sql`insert into postel.destination_rules (name, domains, smarthost) values ('via', '{later.test}', ${smarthost})`
    await sql`select pg_notify('postel_control', 'rules')`
    await waitFor(async () => {
      const [id] = await submitAll(['x@later.test'])
      return (await system.postel.settled(id!))[0]!.state === 'delivered'
    })
  })
})

test('a server that takes one recipient a transaction gets the others at once (D-27)', async () => {
  await start([], {
    rcpt: {
      'r1@dest.test': ['452 4.5.3 too many', '250 ok'],
      'r2@dest.test': ['452 4.5.3 too many', '250 ok'],
    },
  })
  const id = await system.postel.submit({ to: names(3).map((name) => `${name}@dest.test`), data: message() })
  await deliver()
  expect((await system.postel.settled(id)).map(({ state, attempts }) => `${state} ${attempts}`)).toEqual([
    'delivered 1',
    'delivered 1',
    'delivered 1',
  ])
  expect(system.mx.messages.map(({ to }) => to)).toEqual([
    ['r0@dest.test'],
    ['r1@dest.test'],
    ['r2@dest.test'],
  ])
})

describe('turns', () => {
  test('urgent mail goes before what was there first', async () => {
    await start([{ name: 'one', domains: ['dest.test'], connections_max: 1 }])
    // Few enough to be read all at once: what has not been read yet cannot be put in order
    const ids = await submitAll(names(15).map((name) => `${name}@dest.test`))
    const { sql } = system.postel
    await sql`update postel.queue set priority = 90`
    const code = await system.postel.submit({ to: 'code@dest.test', data: message() })
    await sql`update postel.queue set priority = 10 where message_id = ${code}`
    await deliver()
    await allDelivered([...ids, code])
    const order = system.mx.messages.map(({ to }) => to[0])
    expect(order.indexOf('code@dest.test')).toBeLessThan(5)
  })

  test('a domain whose every session hangs does not keep the others waiting (D-25)', async () => {
    const { until, open } = gate()
    await start([], [{ dot: { reply: '250 ok', until } }, {}], {
      'stuck.test': { MX: [[10, 'mx1.remote.test']] },
      'fine.test': { MX: [[10, 'mx2.remote.test']] },
    })
    const stuck = await submitAll(names(60).map((name) => `${name}@stuck.test`))
    await deliver()
    await waitUntilEqual(() => system.mx.messages.length, 20)
    await allDelivered(await submitAll(['x@fine.test']))
    expect(await system.postel.states(stuck[0]!)).toEqual(['r0@stuck.test queued'])
    open()
    await allDelivered(stuck)
  })
})

test('mail past its expiry is not sent', async () => {
  await start([])
  const [late, fine] = await submitAll(['late@dest.test', 'fine@dest.test'])
  const { sql } = system.postel
  await sql`update postel.queue set expires_at = now() - interval '1 s' where message_id = ${late!}`
  await deliver()
  await allDelivered([fine!])
  expect(system.mx.envelopes).toEqual(['sender@example.test → fine@dest.test'])
})
