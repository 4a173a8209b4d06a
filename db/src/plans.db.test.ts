/** Plans that a session made while a day's tables were empty still find each row by its key when the day has filled them. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { MaintenanceQueries } from './queries/maintenance.ts'
import { OperationQueries } from './queries/operations.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { makeTenant, submitOne, type Tenant } from './testing/factories.ts'

const many = 9_000
/** Ten times what the longest statement takes; one that compares each row with all others takes ten times as long. */
const statementTimeoutMs = 8_000

let database: TestDatabase
/** One connection, so that one session's plans are used throughout. */
let sql: Sql
let tenant: Tenant

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 1, statementTimeoutMs })
  tenant = await makeTenant(sql)
  // Of what vacuum found empty the planner thinks that every index of it is as good as another
  await sql`vacuum analyze`
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})

async function operate(verb: 'hold' | 'release'): Promise<void> {
  await sql.unsafe(`select postel.${verb}(project => '${tenant.projectName}')`)
  const operations = new OperationQueries(sql)
  for (;;) {
    const claim = await operations.claim()
    if (claim.id === null && !claim.stalled) return
    if (claim.id !== null && !claim.finished) await operations.run(claim)
  }
}

/** Records a result of everything in the queue. */
async function record(outcome: 'delivered' | 'deferred'): Promise<void> {
  const rows = await sql<{ id: number; ip: number; m: string }[]>`
    select id::int, ip_id as ip, message_id as m from postel.queue order by id`
  for (let start = 0; start < rows.length; start += 500) {
    const tried = rows.slice(start, start + 500).map((row) => ({
      ...row,
      ...{ at: 0, ms: 1, doubt: false, n: [1], o: [outcome], c: [250], e: [null], k: [null], t: ['reply'] },
    }))
    await sql`select postel.record_outcomes(${JSON.stringify(tried)}::text::json)`
  }
}

/** All that mail may go through. */
async function liveThrough(submit: () => Promise<void>): Promise<void> {
  await submit()
  await operate('hold')
  await sql`update postel.waiting set not_before = now() - interval '1 minute', former_id = null`
  await operate('release')
  await record('deferred')
  await sql`update postel.waiting set not_before = now() - interval '1 s'`
  const maintenance = new MaintenanceQueries(sql)
  for (let start = 0; start < many; start += 2_000) await maintenance.releaseDue(2_000)
  await record('delivered')
}

test('mail is held, released, deferred and delivered by key, whatever the plans were made for', async () => {
  for (const _ of [1, 2]) {
    await liveThrough(async () => {
      await submitOne(sql, tenant)
    })
    await sql`vacuum analyze postel.queue, postel.waiting`
  }
  const before = await reads()
  await liveThrough(async () => {
    const messages = Array.from({ length: many }, (_, index) => ({
      org: tenant.organizationId,
      prj: tenant.projectId,
      src: 'sql',
      efrom: 'a@example.test',
      mid: `<${index}@example.test>`,
      hfrom: 'a@example.test',
      subj: 's',
      size: 1,
      off: 1,
      len: 1,
      enc: 0,
      rcpt: [`r${index}@dest.test`],
      rdom: ['dest.test'],
    }))
    for (let start = 0; start < many; start += 500)
      await sql`select postel.submit_batch(${JSON.stringify(messages.slice(start, start + 500))}::text::json, 'x')`
  })
  const [row] = await sql<{ delivered: number }[]>`
    select count(*)::int as delivered from postel.deliveries where state = 'delivered'`
  expect(row!.delivered).toBe(many + 2)
  const after = await reads()
  // An index or a table that is read through for each row reads millions
  const perMessage = Object.entries(after).map(([table, count]) => ({
    table,
    reads: (count - before[table]!) / many,
  }))
  expect(perMessage.filter(({ reads: each }) => each > 60)).toEqual([])
})

/** Index entries and rows read so far, by table. */
async function reads(): Promise<Record<string, number>> {
  await sql`select pg_stat_force_next_flush()`
  await sql`select pg_stat_clear_snapshot()`
  const rows = await sql<{ name: string; count: number }[]>`
    select
      regexp_replace(t.relname, '_[0-9]{8}$', '') as name,
      (sum(t.seq_tup_read) + sum((
        select coalesce(sum(i.idx_tup_read), 0) from pg_stat_user_indexes i where i.relid = t.relid
      )))::float8 as count
    from pg_stat_user_tables t
    where t.schemaname = 'postel'
    group by 1`
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]))
}
