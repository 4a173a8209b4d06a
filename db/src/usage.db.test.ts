/** Usage: each accepted message is counted once, whoever counts and however often. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { ReportQueries } from './queries/reports.ts'
import { readUsage, UsageQueries } from './queries/usage.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { awayFromMidnight, makeTenant, submitOne, type Tenant } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let usage: UsageQueries

beforeAll(async () => {
  await awayFromMidnight()
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 4 })
  usage = new UsageQueries(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})

/** Up to where events can be read: they are told apart by the millisecond, so the last one has to be over. */
async function readable(): Promise<string> {
  await sql`select pg_sleep(0.002)`
  return (await new ReportQueries(sql).eventWriters()).at
}

async function count(): Promise<void> {
  await usage.count(await readable())
}

async function usedBy(tenant: Tenant): Promise<object> {
  const [{ month } = { month: '' }] = await sql<{ month: string }[]>`
    select date_trunc('month', now() at time zone 'utc')::date::text as month`
  const { days, ...rest } = await readUsage(sql, { ...tenant, projectId: null }, month)
  return { ...rest, days: days.map(({ messages, recipients }) => [messages, recipients]) }
}

test('messages and recipients are counted once each, however often and from how many sides it is done', async () => {
  const tenant = await makeTenant(sql)
  await submitOne(sql, tenant, { to: ['a@dest.test', 'b@dest.test'] })
  await Promise.all([count(), count(), count()])
  await submitOne(sql, tenant)
  expect(await usedBy(tenant)).toEqual({ quota: null, used: 3, days: [[1, 2]] })
  await count()
  await count()
  expect(await usedBy(tenant)).toEqual({ quota: null, used: 3, days: [[2, 3]] })
})

test('what is not committed yet is counted later', async () => {
  const tenant = await makeTenant(sql)
  await sql.begin(async (slow) => {
    await submitOne(slow as unknown as Sql, tenant)
    const { at, writers } = await new ReportQueries(sql).eventWriters()
    expect(writers).toHaveLength(1)
    expect(at > '0').toBe(true)
  })
  await count()
  expect(await usedBy(tenant)).toMatchObject({ days: [[1, 1]] })
})

test('test mail and delivery reports are not counted', async () => {
  const tenant = await makeTenant(sql)
  const [mail, report] = [await submitOne(sql, tenant), await submitOne(sql, tenant)]
  await sql`update postel.messages set test = true where id = ${mail}`
  await sql`update postel.messages set source = 'report' where id = ${report}`
  await count()
  expect(await usedBy(tenant)).toEqual({ quota: null, used: 0, days: [] })
})
