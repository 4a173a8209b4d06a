/** The lease on source IPs: one holder at a time, and what a dead one had in flight is not lost. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { OutboundQueries } from './queries/outbound.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import {
  inconsistencies,
  makeIp,
  makeTenant,
  queueRow,
  stateOf,
  submitBatch,
  submitOne,
  type Tenant,
  unique,
} from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let queries: OutboundQueries
let tenant: Tenant
let node: string

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
  queries = new OutboundQueries(database.url)
})
afterAll(async () => {
  await queries.stop()
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  tenant = await makeTenant(sql, { ips: 3 })
  node = unique('node')
})
afterEach(async () => expect(await inconsistencies(sql)).toEqual([]))

const addresses = () => tenant.ips.map((ip) => ip.address)
const ids = () => tenant.ips.map((ip) => ip.id)

async function acquire(processId: string, nodeName = node, wanted = addresses()): Promise<number[]> {
  return (await queries.acquire(processId, nodeName, wanted)).map((ip) => ip.ipId).sort((a, b) => a - b)
}

async function holders(): Promise<{ process: string; epoch: number }[]> {
  return sql<{ process: string; epoch: number }[]>`
    select process_id as process, epoch::int as epoch from postel.ip_holders
    where ip_id = any (${ids()}) order by ip_id`
}

async function expire(processId: string): Promise<void> {
  await sql`update postel.ip_holders set expires_at = now() - interval '1 s' where process_id = ${processId}`
}

describe('acquire_ips', () => {
  test('gives a process the IPs of its node that are free', async () => {
    const process = randomUUID()
    expect(await queries.acquire(process, node, [addresses()[0]!, '192.0.2.99'])).toEqual([
      { ipId: ids()[0], address: addresses()[0], ehloName: null, state: 'active', takenOver: false },
    ])
    expect(await acquire(process)).toEqual(ids().slice(1))
    expect(await holders()).toEqual(Array(3).fill({ process, epoch: 1 }))
  })

  test('leaves alone what another process holds, and what has another node', async () => {
    const [first, second] = [randomUUID(), randomUUID()]
    await sql`update postel.ip_addresses set node_name = 'elsewhere' where id = ${ids()[0]!}`
    expect(await acquire(first)).toEqual(ids().slice(1))
    expect(await acquire(second)).toEqual([])
    expect(await acquire(second, 'elsewhere')).toEqual([ids()[0]])
  })

  test.each([
    ['active', true],
    ['warming', true],
    ['paused', true],
    ['quarantined', true],
    ['draining', true],
    ['retired', false],
  ])('an IP that is %s is held: %p', async (state, held) => {
    const ip = await makeIp(sql, tenant.poolId, { state })
    expect(await acquire(randomUUID(), node, [ip.address])).toEqual(held ? [ip.id] : [])
  })

  test('takes over an expired hold with a higher epoch', async () => {
    const [first, second] = [randomUUID(), randomUUID()]
    await acquire(first)
    await expire(first)
    expect(await acquire(second)).toEqual(ids())
    expect(await holders()).toEqual(Array(3).fill({ process: second, epoch: 2 }))
    const [row] = await sql`select count(*)::int as count from postel.outbound_processes where id = ${first}`
    expect(row).toEqual({ count: 0 })
  })

  test('gives each IP to one process, however many ask at once', async () => {
    const many = Array.from({ length: 8 }, () => new OutboundQueries(database.url))
    try {
      for (let round = 0; round < 5; round++) {
        const processes = many.map(() => randomUUID())
        const got = await Promise.all(
          many.map((each, index) => each.acquire(processes[index]!, node, addresses())),
        )
        expect(got.flatMap((ips) => ips.map((ip) => ip.ipId)).sort((a, b) => a - b)).toEqual(ids())
        const winners = got.flatMap((ips, index) => ips.map(() => processes[index]!))
        for (const process of new Set(winners)) await expire(process)
      }
    } finally {
      await Promise.all(many.map((each) => each.stop()))
    }
  })
})

describe('renew_ips', () => {
  test('extends the holds and tells what they have become', async () => {
    const process = randomUUID()
    await acquire(process)
    await expire(process)
    await sql`
      update postel.ip_addresses set state = 'paused', ehlo_name = 'mx.sender.test' where id = ${ids()[1]!}`
    expect((await queries.renew(process)).sort((a, b) => a.ipId - b.ipId)).toMatchObject([
      { ipId: ids()[0], state: 'active', ehloName: null },
      { ipId: ids()[1], state: 'paused', ehloName: 'mx.sender.test' },
      { ipId: ids()[2], state: 'active', ehloName: null },
    ])
    expect(await acquire(randomUUID())).toEqual([])
  })

  test('does not name an IP that another process has taken', async () => {
    const [first, second] = [randomUUID(), randomUUID()]
    await acquire(first)
    await sql`update postel.ip_holders set expires_at = now() where ip_id = ${ids()[2]!}`
    expect(await acquire(second)).toEqual([ids()[2]])
    expect((await queries.renew(first)).map((ip) => ip.ipId).sort()).toEqual(ids().slice(0, 2))
  })
})

describe('release_ips', () => {
  test('gives back some, and the others stay held', async () => {
    const [first, second] = [randomUUID(), randomUUID()]
    await acquire(first)
    await queries.release(first, [ids()[0]!])
    expect(await acquire(second)).toEqual([ids()[0]])
  })

  test('gives back all with the process, so that the next one takes over at once and nothing waits', async () => {
    const [first, second] = [randomUUID(), randomUUID()]
    await acquire(first)
    const id = await submitOne(sql, tenant)
    await queries.reportInFlight(first, [(await queueRow(sql, id)).id])
    await queries.release(first, null)
    expect(await acquire(second)).toEqual(ids())
    expect((await stateOf(sql, id)).deliveries).toEqual(['1 queued'])
    const [row] = await sql`select count(*)::int as count from postel.outbound_processes where id = ${first}`
    expect(row).toEqual({ count: 0 })
  })

  test('does not give back what another process has taken meanwhile', async () => {
    const [first, second] = [randomUUID(), randomUUID()]
    await acquire(first)
    await expire(first)
    await acquire(second)
    await queries.release(first, null)
    await queries.release(first, ids())
    expect(await holders()).toEqual(Array(3).fill({ process: second, epoch: 2 }))
  })
})

test('expire_holders ends the holds of its node at once, and of no other', async () => {
  const [here, there, next] = [randomUUID(), randomUUID(), randomUUID()]
  await acquire(here, node, addresses().slice(0, 2))
  await acquire(there, 'elsewhere')
  const [row] = await sql`select postel.expire_holders(${node}) as expired`
  expect(row).toEqual({ expired: 2 })
  expect(await acquire(next)).toEqual(ids().slice(0, 2))
})

describe('take-over from a dead process', () => {
  test('what was in flight counts as tried and waits; the rest is sent at once', async () => {
    const [dead, next] = [randomUUID(), randomUUID()]
    await acquire(dead)
    const { messageIds } = await submitBatch(sql, tenant, [
      { to: ['a@dest.test', 'b@dest.test', 'c@other.test'] },
      {},
      {},
    ])
    const [tried, other] = [messageIds[0]!, messageIds[1]!]
    await queries.reportInFlight(dead, [(await queueRow(sql, tried, 'dest.test')).id])
    await expire(dead)
    await acquire(next)
    expect(await stateOf(sql, tried)).toEqual({
      deliveries: ['1 deferred', '2 deferred', '3 queued'],
      queue: ['other.test 3'],
      waiting: ['deferred dest.test 1,2'],
      events: ['accepted', '1 deferred', '2 deferred'],
    })
    expect((await stateOf(sql, other)).queue).toEqual(['dest.test 1'])
    const attempts = await sql`
      select number, attempt, outcome, in_doubt, category from postel.attempts where message_id = ${tried}
      order by number`
    const attempt = { attempt: 1, outcome: 'deferred', in_doubt: true, category: 'sender_died' }
    expect([...attempts]).toEqual([
      { number: 1, ...attempt },
      { number: 2, ...attempt },
    ])
    const [row] = await sql`
      select attempts, lost_holders, reason, not_before - now() between '20 s' and '70 s' as waits
      from postel.waiting where message_id = ${tried}`
    expect(row).toEqual({
      attempts: 1,
      lost_holders: 1,
      reason: 'the process that was sending it died; whether it was delivered is in doubt',
      waits: true,
    })
  })

  test('only the IPs that are taken over count', async () => {
    const [dead, next] = [randomUUID(), randomUUID()]
    await acquire(dead)
    const { messageIds } = await submitBatch(sql, tenant, Array(30).fill({}))
    const rows = await Promise.all(messageIds.map((id) => queueRow(sql, id)))
    await queries.reportInFlight(
      dead,
      rows.map((row) => row.id),
    )
    await sql`update postel.ip_holders set expires_at = now() where ip_id = ${ids()[0]!}`
    await acquire(next)
    const expected = rows.map((row) => (row.ipId === ids()[0] ? ['1 deferred'] : ['1 queued']))
    const states = await Promise.all(messageIds.map((id) => stateOf(sql, id)))
    expect(states.map((state) => state.deliveries)).toEqual(expected)

    // What is left of the dead process is there for whoever takes the other IPs
    await expire(dead)
    await acquire(next)
    const later = await Promise.all(messageIds.map((id) => stateOf(sql, id)))
    expect(later.map((state) => state.deliveries)).toEqual(rows.map(() => ['1 deferred']))
  })

  test('a row that was recorded before the death is not touched', async () => {
    const dead = randomUUID()
    await acquire(dead)
    const id = await submitOne(sql, tenant)
    const row = await queueRow(sql, id)
    await queries.reportInFlight(dead, [row.id])
    const recipient = {
      outcome: 'delivered',
      code: 250,
      enhancedCode: null,
      category: null,
      reply: 'ok',
    } as const
    await queries.record([
      {
        ...row,
        messageId: id,
        startedAt: performance.now(),
        durationMs: 1,
        mxHost: null,
        mxAddress: null,
        tls: null,
        inDoubt: false,
        retryAfter: null,
        recipients: [{ number: 1, ...recipient }],
      },
    ])
    await expire(dead)
    await acquire(randomUUID())
    expect((await stateOf(sql, id)).deliveries).toEqual(['1 delivered'])
  })

  test('a message that outlives five processes is held for a person, with the reason', async () => {
    const id = await submitOne(sql, tenant)
    const states: string[] = []
    for (let death = 1; death <= 5; death++) {
      const process = randomUUID()
      await acquire(process)
      await sql`select postel.retry(${id})`
      await queries.reportInFlight(process, [(await queueRow(sql, id)).id])
      await expire(process)
      await acquire(randomUUID())
      states.push((await stateOf(sql, id)).deliveries[0]!)
      await sql`update postel.ip_holders set expires_at = '-infinity' where ip_id = any (${ids()})`
    }
    expect(states).toEqual([...Array(4).fill('1 deferred'), '1 held'])
    const [row] =
      await sql`select state, reason, lost_holders, attempts from postel.waiting where message_id = ${id}`
    expect(row).toEqual({
      state: 'held',
      reason: 'outlived five sending processes: look at the message, then release or cancel it',
      lost_holders: 5,
      attempts: 5,
    })
    const [retried] = await sql`select postel.retry(${id}) as recipients`
    expect(retried).toEqual({ recipients: 0 })
  })
})
