/** pause_ip, drain_ip, resume_ip, move_queue: where the queue of a source IP goes, why, and that it never leaves its pool. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import postgres from 'postgres'
import { connect, type Sql } from './client.ts'
import { MaintenanceQueries } from './queries/maintenance.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import {
  inconsistencies,
  makeTenant,
  queueRow,
  stateOf,
  submitBatch,
  type Tenant,
  until,
} from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let queries: MaintenanceQueries

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 3 })
  queries = new MaintenanceQueries(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
afterEach(async () => {
  expect(await inconsistencies(sql)).toEqual([])
  await sql`truncate postel.waiting, postel.queue, postel.deliveries, postel.operations, postel.outbound_processes`
})

type Ip = Tenant['ips'][number]

/** A pool whose first IP has `count` queued messages; all its IPs are held. */
async function pool(others: number, count = 3): Promise<{ tenant: Tenant; first: Ip; ids: string[] }> {
  const tenant = await makeTenant(sql, {
    ips: Array.from({ length: others + 1 }, () => ({ heldBy: randomUUID() })),
  })
  const first = tenant.ips[0]!
  await sql`update postel.ip_addresses set weight = 0 where pool_id = ${tenant.poolId} and id <> ${first.id}`
  const messages = Array.from({ length: count }, () => ({}))
  const ids = count === 0 ? [] : (await submitBatch(sql, tenant, messages)).messageIds
  await sql`update postel.ip_addresses set weight = 100 where pool_id = ${tenant.poolId}`
  return { tenant, first, ids }
}

/** As the worker does once what was moved is due. */
async function settle(): Promise<void> {
  await sql`update postel.waiting set not_before = now() - interval '1 s' where former_id is not null and state = 'deferred'`
  await queries.releaseDue(1_000)
}

async function placeOf(id: string): Promise<{ queued: string | null; ip: string; reason: string }> {
  const [row] = await sql<{ queued: string | null; ip: string; reason: string }[]>`
    select host(b.address) as queued, host(a.address) as ip, d.ip_reason as reason
    from postel.deliveries d
    join postel.ip_addresses a on a.id = d.ip_id
    left join postel.queue q on q.message_id = d.message_id
    left join postel.ip_addresses b on b.id = q.ip_id
    where d.message_id = ${id}`
  return row!
}

const stateOfIp = async (ip: Ip) =>
  (await sql`select state, state_reason from postel.ip_addresses where id = ${ip.id}`)[0]!

describe.each([
  ['pause_ip', 'paused'],
  ['drain_ip', 'draining'],
] as const)('%s', (verb, state) => {
  const call = async (ip: string) =>
    (await sql`select postel.${sql(verb)}(${ip}::inet, 'listed') as rows`)[0]!.rows

  test('moves the queue within the pool, and the delivery says from where and why', async () => {
    const { tenant, first, ids } = await pool(2)
    const [before] = await sql<{ now: Date }[]>`select now()`
    expect(await call(first.address)).toBe('3')
    expect(await stateOfIp(first)).toEqual({
      state,
      state_reason: expect.stringMatching(/^listed \(by \w+, .* UTC\)$/),
    })
    for (const id of ids) {
      const [row] = await sql`
        select not_before > ${before!.now}::timestamptz + interval '1 s' as later from postel.waiting where message_id = ${id}`
      expect(row).toEqual({ later: true })
    }
    await settle()
    for (const id of ids) {
      const { queued, ip, reason } = await placeOf(id)
      expect(queued).toBe(ip)
      expect([tenant.ips[1]!.address, tenant.ips[2]!.address]).toContain(ip)
      expect(reason).toMatch(
        new RegExp(
          `^drawn by weight from 2 held IPs of pool ${tenant.poolName}; moved from ${first.address}: ${state}: listed`,
        ),
      )
    }
  })

  test('tells outbound at once, with nothing but ids', async () => {
    const { first } = await pool(1)
    const heard: string[] = []
    const listener = connect(database.url, {
      name: 'l',
      max: 1,
      onnotify: (channel, payload) => heard.push(`${channel} ${payload}`),
    })
    await listener.unsafe('listen postel_control')
    await call(first.address)
    await until(() => heard.length > 0)
    await listener.end({ timeout: 1 })
    expect(heard).toEqual(['postel_control ips'])
  })

  test('leaves the mail where it is when its pool has no other IP that sends, whatever other pools have', async () => {
    const { tenant, first, ids } = await pool(1, 1)
    await sql`delete from postel.ip_holders where ip_id = ${tenant.ips[1]!.id}`
    await pool(2)
    const notices: postgres.Notice[] = []
    const person = postgres(database.url, { max: 1, onnotice: (notice) => notices.push(notice) })
    const [row] = await person`select postel.${person(verb)}(${first.address}::inet, 'listed') as rows`
    await person.end()
    expect(row!.rows).toBe('0')
    expect(notices[0]!.message).toBe(
      `1 rows stay on ${first.address}: no other IP of its pool is active and held by a node`,
    )
    expect(await stateOf(sql, ids[0]!)).toMatchObject({ deliveries: ['1 queued'], queue: ['dest.test 1'] })
    const [why] = await sql`select blocked_by from postel.explain(${ids[0]!})`
    if (verb === 'pause_ip')
      expect(why!.blocked_by).toMatch(
        new RegExp(
          `^source IP is paused: listed .*; no other IP of pool ${tenant.poolName} is active and held by a node$`,
        ),
      )

    // As soon as there is one, the sweep moves it
    await queries.rescueStranded()
    expect((await stateOf(sql, ids[0]!)).queue).toEqual(['dest.test 1'])
    await sql`
      insert into postel.ip_holders (ip_id, process_id, epoch, acquired_at, expires_at)
      values (${tenant.ips[1]!.id}, ${randomUUID()}, 1, now(), now() + interval '1 hour')`
    await queries.rescueStranded()
    await settle()
    expect(await placeOf(ids[0]!)).toMatchObject({ queued: tenant.ips[1]!.address })
    expect((await placeOf(ids[0]!)).reason).toContain(`; moved from ${first.address}: it is ${state}: listed`)
  })

  test('leaves what is being sent to its result', async () => {
    const { first, ids } = await pool(1)
    const { id } = await queueRow(sql, ids[0]!)
    await sql`
      insert into postel.outbound_processes (id, node_name, heartbeat_at, in_flight)
      values (${randomUUID()}, 'node', now(), array[${id}]::bigint[])`
    expect(await call(first.address)).toBe('2')
    expect((await stateOf(sql, ids[0]!)).queue).toEqual(['dest.test 1'])
    await queries.rescueStranded()
    expect((await stateOf(sql, ids[0]!)).queue).toEqual(['dest.test 1'])
  })

  test('keeps new mail away', async () => {
    const { tenant, first } = await pool(1)
    await call(first.address)
    const { messageIds } = await submitBatch(
      sql,
      tenant,
      Array.from({ length: 10 }, () => ({})),
    )
    for (const id of messageIds) expect((await placeOf(id)).ip).toBe(tenant.ips[1]!.address)
  })

  test('refuses what is no source IP, and what is retired', async () => {
    const { first } = await pool(0, 0)
    await expect(call('203.0.113.1')).rejects.toThrow('203.0.113.1 is not one of our source IPs')
    await sql`update postel.ip_addresses set state = 'retired' where id = ${first.id}`
    await expect(call(first.address)).rejects.toThrow('is retired')
  })
})

test.each(['the sweep', 'pause_ip'])(
  'what a dead node was sending counts as tried before %s moves the rest',
  async (who) => {
    const { tenant, first, ids } = await pool(1)
    const { id } = await queueRow(sql, ids[0]!)
    await sql`
    with dead as (
      insert into postel.outbound_processes (id, node_name, heartbeat_at, in_flight)
      values (${randomUUID()}, 'gone', now() - interval '2 minutes', array[${id}]::bigint[]) returning id
    )
    update postel.ip_holders h set process_id = dead.id, expires_at = now() - interval '90 s' from dead
    where h.ip_id = ${first.id}`
    if (who === 'pause_ip') await sql`select postel.pause_ip(${first.address}::inet, 'gone')`
    else {
      await sql`update postel.queue set queued_at = now() - interval '6 minutes'`
      await queries.rescueStranded()
    }
    expect(await stateOf(sql, ids[0]!)).toMatchObject({ deliveries: ['1 deferred'], queue: [] })
    const [tried] =
      await sql`select outcome, in_doubt, category from postel.attempts where message_id = ${ids[0]!}`
    expect(tried).toEqual({ outcome: 'deferred', in_doubt: true, category: 'sender_died' })
    await settle()
    expect((await stateOf(sql, ids[0]!)).queue).toEqual([])
    expect(await placeOf(ids[1]!)).toMatchObject({ queued: tenant.ips[1]!.address })
  },
)

test('the queue of a quarantined IP moves within a minute', async () => {
  const { tenant, first, ids } = await pool(1)
  await sql`update postel.ip_addresses set state = 'quarantined', state_reason = 'blocklist' where id = ${first.id}`
  await queries.rescueStranded()
  await settle()
  for (const id of ids) {
    expect(await placeOf(id)).toMatchObject({ queued: tenant.ips[1]!.address })
    expect((await placeOf(id)).reason).toContain(`moved from ${first.address}: it is quarantined: blocklist`)
  }
})

describe('resume_ip', () => {
  test('makes it active, says how many rows are queued on it, and moves nothing back', async () => {
    const { tenant, first, ids } = await pool(1)
    await sql`update postel.ip_addresses set state = 'paused', state_reason = 'listed' where id = ${first.id}`
    expect((await sql`select postel.resume_ip(${first.address}::inet) as rows`)[0]!.rows).toBe('3')
    expect(await stateOfIp(first)).toEqual({ state: 'active', state_reason: null })
    await sql`select postel.pause_ip(${first.address}::inet, 'again')`
    await settle()
    expect((await sql`select postel.resume_ip(${first.address}::inet) as rows`)[0]!.rows).toBe('0')
    await queries.rescueStranded()
    for (const id of ids) expect(await placeOf(id)).toMatchObject({ queued: tenant.ips[1]!.address })
  })
})

describe('move_queue', () => {
  const move = async (from: string, to: string) =>
    (await sql`select postel.move_queue(${from}::inet, ${to}::inet) as rows`)[0]!.rows

  test('takes what is queued to the IP named, and the delivery says so', async () => {
    const { tenant, first, ids } = await pool(2)
    const target = tenant.ips[2]!
    expect(await move(first.address, target.address)).toBe('3')
    await settle()
    for (const id of ids) {
      const { queued, reason } = await placeOf(id)
      expect(queued).toBe(target.address)
      expect(reason).toMatch(new RegExp(`^moved from ${first.address}: to ${target.address}, `))
    }
    expect((await stateOfIp(first)).state).toBe('active')
  })

  test('never leaves the pool', async () => {
    const { first, ids } = await pool(1)
    const elsewhere = await pool(0, 0)
    const error = await move(first.address, elsewhere.first.address).catch((caught) => caught)
    expect(error.message).toBe(`${elsewhere.first.address} is not in the pool of ${first.address}`)
    expect(error.hint).toContain(first.address)
    await settle()
    for (const id of ids) expect((await placeOf(id)).queued).toBe(first.address)
  })

  test('refuses a target that does not send, and the same IP', async () => {
    const { tenant, first } = await pool(1)
    await expect(move(first.address, first.address)).rejects.toThrow('the same source IP')
    await sql`update postel.ip_addresses set state = 'draining' where id = ${tenant.ips[1]!.id}`
    await expect(move(first.address, tenant.ips[1]!.address)).rejects.toThrow(/ is draining$/)
  })
})

test('mail on hold comes back to its IP, if that still sends', async () => {
  const { first, ids } = await pool(1)
  await sql`select postel.hold(${ids[0]!}::uuid)`
  await sql`update postel.waiting set not_before = now() - interval '3 s'`
  const before = (await placeOf(ids[0]!)).reason
  await sql`select postel.release(${ids[0]!}::uuid)`
  expect(await placeOf(ids[0]!)).toEqual({ queued: first.address, ip: first.address, reason: before })
})
