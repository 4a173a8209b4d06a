/** Mail whose source IP nobody will send from must not stay there for ever. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { inconsistencies, makeTenant, stateOf, submitOne, type Tenant } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
afterEach(async () => {
  expect(await inconsistencies(sql)).toEqual([])
})

const tenMinutesAgo = () => new Date(Date.now() - 600_000)
const requeue = async () => (await sql`select postel.requeue_orphans() as moved`)[0]!.moved
const release = () => sql`select * from postel.release_due()`

async function ipOf(messageId: string): Promise<number | undefined> {
  const [row] = await sql<
    { ip: number }[]
  >`select ip_id as ip from postel.queue where message_id = ${messageId}`
  return row?.ip
}

/** A pool of two held IPs, and a message on the first of them. */
async function onFirstOfTwo(now: Date): Promise<{ tenant: Tenant; id: string }> {
  const tenant = await makeTenant(sql, {
    ips: [{ heldBy: randomUUID() }, { heldBy: randomUUID(), weight: 1 }],
  })
  await sql`update postel.ip_addresses set weight = 0 where id = ${tenant.ips[1]!.id}`
  const id = await submitOne(sql, tenant, {}, now)
  await sql`update postel.ip_addresses set weight = 1 where id = ${tenant.ips[1]!.id}`
  return { tenant, id }
}

describe('requeue_orphans', () => {
  test('moves mail of a retired IP to a living one of its pool', async () => {
    const { tenant, id } = await onFirstOfTwo(tenMinutesAgo())
    await sql`update postel.ip_addresses set state = 'retired' where id = ${tenant.ips[0]!.id}`
    expect(await requeue()).toBe(1)
    await release()
    expect(await ipOf(id)).toBe(tenant.ips[1]!.id)
  })

  test('moves mail of an IP that nobody holds any more', async () => {
    const { tenant, id } = await onFirstOfTwo(tenMinutesAgo())
    await sql`delete from postel.ip_holders where ip_id = ${tenant.ips[0]!.id}`
    expect(await requeue()).toBe(1)
    await release()
    expect(await ipOf(id)).toBe(tenant.ips[1]!.id)
  })

  test('leaves mail alone that has only just been queued: its holder may be restarting', async () => {
    const { tenant, id } = await onFirstOfTwo(new Date())
    await sql`delete from postel.ip_holders where ip_id = ${tenant.ips[0]!.id}`
    expect(await requeue()).toBe(0)
    expect(await ipOf(id)).toBe(tenant.ips[0]!.id)
  })

  test('leaves mail alone whose pool has no living IP', async () => {
    const tenant = await makeTenant(sql, { ips: 2 })
    const id = await submitOne(sql, tenant, {}, tenMinutesAgo())
    expect(await requeue()).toBe(0)
    expect(await stateOf(sql, id)).toMatchObject({ deliveries: ['1 queued'], waiting: [] })
  })
})

describe('expire_waiting', () => {
  test('ends mail that found no source IP before it grew too old, with one event', async () => {
    const tenant = await makeTenant(sql, { ips: 0, expireAfterSeconds: 60 })
    const id = await submitOne(sql, tenant, {}, tenMinutesAgo())
    await sql`select postel.expire_waiting()`
    await sql`select postel.expire_waiting()`
    expect(await stateOf(sql, id)).toEqual({
      deliveries: ['1 expired'],
      queue: [],
      waiting: [],
      events: ['accepted', '1 expired'],
    })
  })

  test('keeps mail that may still find one', async () => {
    const tenant = await makeTenant(sql, { ips: 0 })
    const id = await submitOne(sql, tenant, {}, tenMinutesAgo())
    await sql`select postel.expire_waiting()`
    expect(await stateOf(sql, id)).toMatchObject({ deliveries: ['1 deferred'], events: ['accepted'] })
  })
})
