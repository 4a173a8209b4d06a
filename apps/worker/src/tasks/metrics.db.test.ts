/** Figures and requests as the worker keeps them: counted once, forgotten in time. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { MetricsQueries } from '@postel/db/queries/metrics'
import { ReportQueries } from '@postel/db/queries/reports'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { makeTenant, submitOne } from '@postel/db/testing/factories'
import { countMetrics, forgetFigures } from './metrics.ts'
import type { TaskContext } from './task.ts'

let database: TestDatabase
let sql: Sql
let context: TaskContext

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 4 })
  context = {
    reports: new ReportQueries(sql),
    metrics: new MetricsQueries(sql),
    signal: new AbortController().signal,
  } as unknown as TaskContext
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})

test('runs at the same time, and again, count each event once', async () => {
  const tenant = await makeTenant(sql)
  for (let count = 0; count < 3; count++) await submitOne(sql, tenant)
  // Events of this very millisecond are left to a later run
  await sql`select pg_sleep(0.005)`
  await Promise.all([countMetrics(context), countMetrics(context)])
  await countMetrics(context)
  const [row] = await sql`
    select sum(sent)::int as sent from postel.email_metrics where organization_id = ${tenant.organizationId}`
  expect(row!.sent).toBe(3)
})

test('what is older than it is kept goes, and the rest stays', async () => {
  const tenant = await makeTenant(sql)
  await sql`
    insert into postel.email_metrics (organization_id, project_id, period, domain)
    select ${tenant.organizationId}, ${tenant.projectId}, now() - make_interval(days => d), '' from unnest(array[399, 401]) as d`
  await forgetFigures(context)
  const [row] = await sql`
    select count(*)::int as kept from postel.email_metrics where organization_id = ${tenant.organizationId}`
  expect(row!.kept).toBe(1)
})
