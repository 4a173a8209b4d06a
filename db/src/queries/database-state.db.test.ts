/** The state of the database as metrics show it: right where little waits, bounded where much does. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect, type Sql } from '../client.ts'
import { createTestDatabase, type TestDatabase } from '../testing/create-test-database.ts'
import { makeTenant, submitOne, type Tenant, unique, until } from '../testing/factories.ts'
import { DatabaseStateQueries } from './database-state.ts'

let database: TestDatabase
let sql: Sql
let queries: DatabaseStateQueries
let tenant: Tenant

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 1 })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  await sql`truncate postel.queue, postel.waiting`
  tenant = await makeTenant(sql, { ips: 2 })
  queries = new DatabaseStateQueries(database.url, 'test-state')
})
afterEach(() => queries.stop())

/** Rows of an IP in the queue, accepted and queued so many seconds ago. */
const fillQueue = (ipId: number, rows: number, secondsAgo = 0) => sql`
  insert into postel.queue (
    ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id, queued_at, domain,
    numbers, recipients
  )
  select
    ${ipId}, 50, 0, 0, 1, now(), postel.uuid_v7_floor(now() - make_interval(secs => ${secondsAgo})), ${tenant.organizationId},
    ${tenant.projectId}, now() - make_interval(secs => ${secondsAgo}), 'dest.test', '{0}', array['someone@dest.test']
  from generate_series(1, ${rows}) as n`

const fillWaiting = (state: string, ipId: number | null, rows: number, dueInSeconds: number) => sql`
  insert into postel.waiting (
    state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id,
    project_id, domain, numbers, recipients
  )
  select
    ${state}, now() + make_interval(secs => ${dueInSeconds}), 'because', ${ipId}, 50, 1, 0, 1, now(),
    postel.uuid_v7_floor(now() - interval '60 s'), ${tenant.organizationId}, ${tenant.projectId}, 'dest.test', '{0}',
    array['someone@dest.test']
  from generate_series(1, ${rows}) as n`

test('what is outstanding is counted by IP and state, with the age of the oldest', async () => {
  const [one, two] = tenant.ips as [{ id: number; address: string }, { id: number; address: string }]
  await fillQueue(one.id, 2, 30)
  await fillQueue(one.id, 1, 100)
  await fillWaiting('deferred', two.id, 4, 10)
  await fillWaiting('held', null, 1, -5)
  const rows = (await queries.queue()).map((row) => ({
    ...row,
    oldestSeconds: Math.round(row.oldestSeconds / 10),
  }))
  expect(rows.sort((a, b) => a.state.localeCompare(b.state))).toEqual([
    { ip: two.address, state: 'deferred', rows: 4, oldestSeconds: 6 },
    { ip: null, state: 'held', rows: 1, oldestSeconds: 6 },
    { ip: one.address, state: 'queued', rows: 3, oldestSeconds: 10 },
  ])
})

test('an empty queue has no rows and no age', async () => {
  expect(await queries.queue()).toEqual([])
  expect(await queries.overdueSeconds()).toBe(0)
  const fronts = await queries.fronts()
  expect(fronts.filter(({ ip }) => tenant.ips.some(({ address }) => address === ip))).toMatchObject([
    { waitSeconds: 0 },
    { waitSeconds: 0 },
  ])
})

test('the front of each queue is its first row, also when it changes', async () => {
  const [one, two] = tenant.ips as [{ id: number; address: string }, { id: number; address: string }]
  await fillQueue(one.id, 1, 100)
  await fillQueue(one.id, 1, 50)
  const waits = async () => {
    const fronts = await queries.fronts()
    return [one, two].map(({ address }) =>
      Math.round(fronts.find(({ ip }) => ip === address)!.waitSeconds / 10),
    )
  }
  expect(await waits()).toEqual([10, 0])
  await sql`delete from postel.queue where queued_at < now() - interval '80 s'`
  expect(await waits()).toEqual([5, 0])
  await sql`delete from postel.queue`
  await fillQueue(two.id, 1, 20)
  expect(await waits()).toEqual([0, 2])
})

test('what is held is never overdue', async () => {
  await fillWaiting('held', null, 1, -500)
  expect(await queries.overdueSeconds()).toBe(0)
  await fillWaiting('scheduled', null, 1, -40)
  await fillWaiting('deferred', null, 1, 40)
  expect(Math.round((await queries.overdueSeconds()) / 10)).toBe(4)
})

/** Everything that a scrape asks for. */
async function lookAtAll(): Promise<void> {
  await queries.activity()
  await queries.queue()
  await queries.fronts()
  await queries.overdueSeconds()
  await queries.ips()
  await queries.processes()
  await queries.nodes()
  await queries.suspensions()
  await queries.limitedSites()
  await queries.domains()
  await queries.organizations()
  await queries.unfinishedOperations()
  await queries.webhookCursorLag()
  await queries.webhookOverdueSeconds()
  await queries.jobs()
  await queries.tables()
  await queries.size()
  await queries.backups()
}

test('a login that has no more than the rights of the apps may look at all of it', async () => {
  const role = unique('test_login').replaceAll('-', '_')
  await sql.unsafe(`create role ${role} login password 'x' in role postel_app`)
  const url = new URL(database.url)
  url.username = role
  url.password = 'x'
  await queries.stop()
  queries = new DatabaseStateQueries(url.href, 'test-state')
  try {
    await lookAtAll()
  } finally {
    await queries.stop()
    await sql.unsafe(`drop role ${role}`)
  }
})

/** Rows and index entries of queue and waiting that were read by sessions that have ended, and by this one. */
async function rowsRead(): Promise<number> {
  const [row] = await sql<{ read: number }[]>`
    select (
      (select sum(seq_tup_read) from pg_stat_user_tables where relname in ('queue', 'waiting'))
      + (select sum(idx_tup_read) from pg_stat_user_indexes where relname in ('queue', 'waiting'))
    )::int as read`
  return row!.read
}

const ended = (name: string) =>
  until(async () => {
    const [row] = await sql`select from pg_stat_activity where application_name = ${name}`
    return row === undefined
  })

/** How many rows the work reads: Postgres has counted them once its session has ended. */
async function readBy(work: () => Promise<void>): Promise<number> {
  await ended('test-state')
  // What this session itself has read
  await sql`select pg_stat_force_next_flush()`
  const before = await rowsRead()
  await work()
  await queries.stop()
  await ended('test-state')
  return (await rowsRead()) - before
}

test('with much waiting, a look reads a bounded sample, and the figures are about right', async () => {
  const [one, two] = tenant.ips as [{ id: number; address: string }, { id: number; address: string }]
  const many = 30_000
  await fillQueue(one.id, many)
  await fillWaiting('deferred', two.id, many, 60)
  const read = await readBy(lookAtAll)
  expect(read).toBeGreaterThan(1_000)
  expect(read).toBeLessThan(many)

  queries = new DatabaseStateQueries(database.url, 'test-state')
  const rows = await queries.queue()
  expect(rows).toHaveLength(2)
  for (const { rows: estimate } of rows) {
    expect(estimate).toBeGreaterThan(many * 0.7)
    expect(estimate).toBeLessThan(many * 1.3)
  }
  // The same pages each time
  expect((await queries.queue()).map((row) => row.rows)).toEqual(rows.map((row) => row.rows))
})

test('rows that are dead before the front, and cannot be removed, are read once', async () => {
  const { id } = tenant.ips[0]!
  const dead = 2_000
  await fillQueue(id, dead)
  await sql`select setval(pg_get_serial_sequence('postel.queue', 'id'), 10000000)`
  await fillQueue(id, 1)
  const snapshot = connect(database.url, { name: 'test-snapshot', max: 1 })
  try {
    await snapshot.unsafe('begin isolation level repeatable read; select count(*) from postel.queue')
    await sql`delete from postel.queue where id < 10000000`
    const read = await readBy(async () => {
      for (let look = 0; look < 10; look++) await queries.fronts()
    })
    expect(read).toBeGreaterThanOrEqual(dead)
    expect(read).toBeLessThan(2 * dead)
  } finally {
    await snapshot.end({ timeout: 0 })
    await ended('test-snapshot')
  }
})

test('an open transaction shows its age', async () => {
  const other = connect(database.url, { name: 'test-open', max: 1 })
  try {
    await other.unsafe('begin isolation level repeatable read; select count(*) from postel.queue')
    await sql`select pg_sleep(0.05)`
    await submitOne(sql, tenant)
    const { oldestTransactionSeconds, xminAge, idleInTransaction, connectionsMax } = await queries.activity()
    expect(oldestTransactionSeconds).toBeGreaterThan(0.05)
    expect(xminAge).toBeGreaterThan(0)
    expect(idleInTransaction).toBe(1)
    expect(connectionsMax).toBeGreaterThan(10)
  } finally {
    await other.end({ timeout: 0 })
  }
})

test('tables are shown with their partitions added up, and how far ahead these reach', async () => {
  await submitOne(sql, tenant)
  const tables = await queries.tables()
  const messages = tables.find(({ name }) => name === 'messages')!
  expect(messages.daysAhead).toBeGreaterThanOrEqual(13)
  expect(messages.bytes).toBeGreaterThan(8_192)
  expect(tables.find(({ name }) => name === 'queue')).toMatchObject({ daysAhead: null })
  expect(tables.filter(({ name }) => /_\d{8}$/.test(name))).toEqual([])
})

test('the last good backup is shown, and how the newest ended', async () => {
  expect(await queries.backups()).toEqual({ goodAt: null, goodBytes: null, lastGood: null })
  await sql`
    insert into postel.backups (started_at, finished_at, ok, object, bytes, bodies)
    values
      (to_timestamp(1000), to_timestamp(1060), true, 'a', 70, true),
      (to_timestamp(2000), to_timestamp(2060), false, 'b', null, true),
      (to_timestamp(3000), null, null, 'c', null, true)`
  expect(await queries.backups()).toEqual({ goodAt: 1060, goodBytes: 70, lastGood: false })
})
