/** Mail that has grown too old ends as expired, wherever it waits, unless a person holds it or it is being sent. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { MaintenanceQueries } from './queries/maintenance.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import {
  inconsistencies,
  makeTenant,
  queueRow,
  type State,
  stateOf,
  submitBatch,
  submitOne,
} from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let queries: MaintenanceQueries

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
  queries = new MaintenanceQueries(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
afterEach(async () => {
  expect(await inconsistencies(sql)).toEqual([])
  await sql`truncate postel.waiting, postel.queue, postel.deliveries, postel.outbound_processes`
})

const tenMinutesAgo = () => new Date(Date.now() - 600_000)
const expired: State = {
  deliveries: ['1 expired'],
  queue: [],
  waiting: [],
  events: ['accepted', '1 expired'],
}

test('in the queue: with one event, however often it is looked for', async () => {
  const tenant = await makeTenant(sql, { expireAfterSeconds: 60 })
  const id = await submitOne(sql, tenant, {}, tenMinutesAgo())
  const young = await submitOne(sql, tenant)
  await queries.rescueStranded()
  await queries.rescueStranded()
  expect(await stateOf(sql, id)).toEqual(expired)
  expect(await stateOf(sql, young)).toMatchObject({ deliveries: ['1 queued'] })
})

test('deferred, though it has a source IP', async () => {
  const tenant = await makeTenant(sql)
  const id = await submitOne(sql, tenant, { sendAt: new Date(Date.now() + 60_000) })
  await sql`update postel.waiting set state = 'deferred', expires_at = now() - interval '1 s' where message_id = ${id}`
  await sql`update postel.deliveries set state = 'deferred' where message_id = ${id}`
  await queries.rescueStranded()
  expect(await stateOf(sql, id)).toEqual(expired)
})

test('not while it is held or scheduled', async () => {
  const tenant = await makeTenant(sql)
  const scheduled = await submitOne(sql, tenant, { sendAt: new Date(Date.now() + 60_000) })
  const held = await submitOne(sql, tenant)
  await sql`select postel.hold(${held}::uuid)`
  await sql`update postel.waiting set expires_at = now() - interval '1 s'`
  await queries.rescueStranded()
  expect((await stateOf(sql, scheduled)).deliveries).toEqual(['1 scheduled'])
  expect((await stateOf(sql, held)).deliveries).toEqual(['1 held'])
})

test('not while it is being sent, in the queue or taken out of it', async () => {
  const tenant = await makeTenant(sql, { expireAfterSeconds: 60 })
  const queued = await submitOne(sql, tenant, {}, tenMinutesAgo())
  const moved = await submitOne(sql, tenant, {}, tenMinutesAgo())
  const ids = [(await queueRow(sql, queued)).id, (await queueRow(sql, moved)).id]
  await sql`
    insert into postel.outbound_processes (id, node_name, heartbeat_at, in_flight)
    values (${randomUUID()}, 'node', now(), ${ids}::bigint[])`
  await sql`select postel.hold(${moved}::uuid)`
  await sql`select postel.release(${moved}::uuid)`
  await sql`update postel.waiting set expires_at = now() - interval '1 s'`
  await queries.rescueStranded()
  expect((await stateOf(sql, queued)).deliveries).toEqual(['1 queued'])
  expect((await stateOf(sql, moved)).deliveries).toEqual(['1 deferred'])
  await sql`update postel.outbound_processes set in_flight = '{}'`
  await queries.rescueStranded()
  expect(await stateOf(sql, queued)).toEqual(expired)
  expect((await stateOf(sql, moved)).deliveries).toEqual(['1 expired'])
})

test('in chunks, until nothing is left', async () => {
  const tenant = await makeTenant(sql, { expireAfterSeconds: 60 })
  await submitBatch(
    sql,
    tenant,
    Array.from({ length: 25 }, () => ({})),
    tenMinutesAgo(),
  )
  const rows: number[] = []
  for (let round = 0; round < 4; round++)
    rows.push((await sql<{ rows: number }[]>`select postel.expire_queued(10) as rows`)[0]!.rows)
  expect(rows).toEqual([10, 10, 5, 0])
})
