/** A project's own retention: bodies and records go when their time has come, and never what is still to be delivered. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { ReportQueries } from './queries/reports.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { inconsistencies, makeTenant, submitOne, type Tenant } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
const far = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 4 })
})
afterAll(async () => {
  expect(await inconsistencies(sql)).toEqual([])
  await sql.end({ timeout: 1 })
  await database.drop()
})

async function keeping(columns: Record<string, number>): Promise<Tenant> {
  const tenant = await makeTenant(sql)
  await sql`update postel.projects set ${sql(columns)} where id = ${tenant.projectId}`
  return tenant
}

/** Nothing of it is left to deliver. */
async function finish(id: string): Promise<string> {
  await sql`
    with gone as (delete from postel.queue where message_id = ${id}),
    settled as (update postel.deliveries set state = 'delivered' where message_id = ${id}),
    tried as (
      insert into postel.attempts (message_id, number, attempt, at, duration_ms, outcome, in_doubt)
      values (${id}, 1, 1, now(), 1, 'delivered', false)
    )
    insert into postel.events (organization_id, message_id, number, type)
    select organization_id, id, 1, unnest(array['delivered', 'opened']) from postel.messages where id = ${id}`
  return id
}

async function has(id: string): Promise<string[]> {
  const rows = await sql<{ what: string }[]>`
    select 'message' as what from postel.messages where id = ${id}
    union all select 'body' from postel.message_bodies where message_id = ${id}
    union all select 'delivery' from postel.deliveries where message_id = ${id}
    union all select 'attempt' from postel.attempts where message_id = ${id}
    union all select 'opened' from postel.events where message_id = ${id} and type = 'opened'
    union all select 'tag' from postel.message_tags where message_id = ${id}`
  return rows.map(({ what }) => what)
}

async function byAge(tenant: Tenant, days: number): Promise<{ looked_at: number; deleted: number }> {
  const [row] = await sql<{ looked_at: number; deleted: number }[]>`
    select r.looked_at, r.deleted
    from postel.retention_bodies(${tenant.projectId}, ${far}, 100, now() + make_interval(days => ${days})) as r`
  return row!
}

/** Up to where events can be read: they are told apart by the millisecond, so the last one has to be over. */
async function readable(): Promise<string> {
  await sql`select pg_sleep(0.002)`
  return (await new ReportQueries(sql).eventWriters()).at
}

async function finals(days: number): Promise<number> {
  const [row] = await sql<{ deleted: number }[]>`
    select r.deleted
    from postel.retention_final_bodies(${await readable()}::uuid, 100, now() + make_interval(days => ${days})) as r`
  return row!.deleted
}

test('a body goes after its days, and what is still to be delivered keeps its own until it is done', async () => {
  const tenant = await keeping({ body_retention_days: 2 })
  const [done, live] = [await finish(await submitOne(sql, tenant)), await submitOne(sql, tenant)]
  expect([await byAge(tenant, 1), await finals(1)]).toEqual([{ looked_at: 0, deleted: 0 }, 0])
  expect(await byAge(tenant, 3)).toEqual({ looked_at: 2, deleted: 1 })
  expect([await has(done), await has(live)]).toEqual([
    ['message', 'delivery', 'attempt', 'opened'],
    ['message', 'body', 'delivery'],
  ])
  expect(await byAge(tenant, 3)).toEqual({ looked_at: 0, deleted: 0 })
  await finish(live)
  expect(await finals(3)).toBe(1)
  expect(await has(live)).not.toContain('body')
})

test('with 0 days a body goes once nothing of its message is left to deliver', async () => {
  const tenant = await keeping({ body_retention_days: 0 })
  const other = await makeTenant(sql)
  const [one, kept] = [await submitOne(sql, tenant), await finish(await submitOne(sql, other))]
  await finals(0)
  expect(await has(one)).toContain('body')
  await finish(one)
  // The message is not of an earlier millisecond than now by itself
  expect(await finals(1)).toBe(1)
  expect([await has(one), await has(kept)].map((things) => things.includes('body'))).toEqual([false, true])
})

test('a message goes after its days with all that hangs on it, and never before it is done', async () => {
  const tenant = await keeping({ retention_days: 2 })
  const [done, live] = [await submitOne(sql, tenant), await submitOne(sql, tenant)]
  await sql`
    update postel.messages set details = '{"tags": [{"name": "kind", "value": "code"}]}' where id = ${done}`
  await sql`
    insert into postel.message_tags (project_id, tag, message_id) values (${tenant.projectId}, 'kind:code', ${done})`
  await finish(done)
  const retain = async (days: number) => {
    const [row] = await sql<{ deleted: number }[]>`
      select postel.retention_messages(${tenant.projectId}, 100, now() + make_interval(days => ${days})) as deleted`
    return row!.deleted
  }
  expect([await retain(1), (await has(done)).length]).toEqual([0, 6])
  expect(await retain(3)).toBe(1)
  expect([await has(done), await has(live)]).toEqual([[], ['message', 'body', 'delivery']])
  expect(await retain(3)).toBe(0)
})

test('a project without days of its own keeps everything', async () => {
  const tenant = await makeTenant(sql)
  const id = await finish(await submitOne(sql, tenant))
  expect(await byAge(tenant, 400)).toEqual({ looked_at: 0, deleted: 0 })
  const [row] = await sql`
    select postel.retention_messages(${tenant.projectId}, 100, now() + interval '400 days') as deleted`
  expect([row!.deleted, (await has(id)).length]).toEqual([0, 5])
})
