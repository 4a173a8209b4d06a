/** Who comes onto the suppression list by what became of his mail, and who does not. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { ReportQueries } from '@postel/db/queries/reports'
import { liftSuppressions, SuppressionQueries } from '@postel/db/queries/suppressions'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { makeTenant, submitOne, type Tenant, unique } from '@postel/db/testing/factories'
import { replyCategories } from '@postel/mail/reply-categories'
import { createLogger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import { WorkerEvents } from '../events.ts'
import { suppressRecipients } from './suppressions.ts'
import type { TaskContext } from './task.ts'

let database: TestDatabase
let sql: Sql
let queries: SuppressionQueries
let tenant: Tenant
let address: string

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 4 })
  queries = new SuppressionQueries(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  tenant = await makeTenant(sql)
  address = `${unique('u')}@dest.test`
})

type Result = { outcome: 'bounced' | 'deferred' | 'delivered'; category: string }

/** Writes down one try of a message's only recipient, as outbound does. */
async function attempt(id: string, { outcome, category }: Result): Promise<void> {
  const [row] = await sql`select q.id::text, q.ip_id, q.domain from postel.queue q where q.message_id = ${id}`
  const json = JSON.stringify([
    {
      id: row!.id,
      ip: row!.ip_id,
      m: id,
      d: row!.domain,
      at: 0,
      ms: 1,
      mx: 'mx.dest.test',
      doubt: false,
      n: [1],
      o: [outcome],
      c: [outcome === 'bounced' ? 550 : 450],
      e: [null],
      k: [category],
      t: [`the reply: ${category}`],
    },
  ])
  await sql`select postel.record_outcomes(${json}::text::json)`
}

async function bounced(category = 'invalid_recipient', to = address): Promise<string> {
  const id = await submitOne(sql, tenant, { to: [to] })
  await attempt(id, { outcome: 'bounced', category })
  return id
}

/** Reads all events as the worker does, from the beginning each time. */
async function read(): Promise<number> {
  const [row] = await sql<
    { until: string }[]
  >`select postel.uuid_v7_floor(now() + interval '1 minute') as until`
  return (await queries.readEvents('00000000-0000-0000-0000-000000000000', row!.until, 50_000)).added
}

async function listed(): Promise<{ address: string; origin: string; days: number | null }[]> {
  return sql<{ address: string; origin: string; days: number | null }[]>`
    select s.address, s.origin, round(extract(epoch from s.expires_at - now()) / 86400)::int as days
    from postel.suppressions s
    where s.organization_id = ${tenant.organizationId} and (s.expires_at is null or s.expires_at > now())
    order by s.address`
}

test('a recipient that does not exist is suppressed for good, in its project alone, with the reply and the message', async () => {
  const id = await bounced('invalid_recipient', address.toUpperCase())
  expect(await read()).toBe(1)
  const rows = await sql`
    select s.address, s.project_id, s.origin, s.reason, s.message_id, s.expires_at from postel.suppressions s
    where s.organization_id = ${tenant.organizationId}`
  expect(rows).toEqual([
    {
      address,
      project_id: tenant.projectId,
      origin: 'bounce',
      reason: 'the reply: invalid_recipient',
      message_id: id,
      expires_at: null,
    },
  ])
  const events = await sql`
    select e.type, e.data ->> 'source_id' as source from postel.events e
    where e.organization_id = ${tenant.organizationId} and e.type like 'suppression.%'`
  expect(events).toEqual([{ type: 'suppression.added', source: id }])
  const next = await submitOne(sql, tenant, { to: [address] })
  const [delivery] = await sql`select d.state from postel.deliveries d where d.message_id = ${next}`
  expect(delivery).toEqual({ state: 'suppressed' })
})

test('a closed mailbox is suppressed for 90 days', async () => {
  await bounced('mailbox_disabled')
  await read()
  expect(await listed()).toEqual([{ address, origin: 'bounce', days: 90 }])
})

test('only what counts against the recipient suppresses it', async () => {
  const against = Object.entries(replyCategories)
    .filter(([, { against }]) => against === 'recipient')
    .map(([category]) => category)
  const policy = await sql<{ category: string }[]>`select p.category from postel.suppress_policy() as p`
  expect(policy.map(({ category }) => category).sort()).toEqual(against.sort())
  for (const category of Object.keys(replyCategories).filter((each) => !against.includes(each)))
    await bounced(category, `${category}@dest.test`)
  await read()
  expect(await listed()).toEqual([])
})

test('a deferral does not suppress, nor does a person who bounces the mail', async () => {
  const id = await submitOne(sql, tenant, { to: [address] })
  await attempt(id, { outcome: 'deferred', category: 'invalid_recipient' })
  await sql`select postel.bounce(message_id => ${id}::uuid)`
  const [delivery] = await sql`select d.state from postel.deliveries d where d.message_id = ${id}`
  expect(delivery).toEqual({ state: 'bounced' })
  await read()
  expect(await listed()).toEqual([])
})

test.each(['test mail', 'a delivery report'])('%s does not suppress', async (what) => {
  const id = await bounced()
  if (what === 'test mail') await sql`update postel.messages set test = true where id = ${id}`
  else await sql`update postel.messages set source = 'report' where id = ${id}`
  await read()
  expect(await listed()).toEqual([])
})

test('a complaint suppresses for good', async () => {
  const id = await submitOne(sql, tenant, { to: [address] })
  await attempt(id, { outcome: 'delivered', category: 'relayed' })
  await sql`
    insert into postel.events (organization_id, message_id, number, type)
    values (${tenant.organizationId}, ${id}, 1, 'complained')`
  await read()
  expect(await listed()).toEqual([{ address, origin: 'complaint', days: null }])
})

test('who was taken off the list stays off, however often the old bounce is read, until the next one', async () => {
  await bounced()
  expect(await read()).toBe(1)
  expect(await read()).toBe(0)
  const actor = { kind: 'system' as const, id: null, name: 'test', address: null }
  const lifted = await liftSuppressions(sql, tenant, { addresses: [address] }, actor)
  expect(lifted).toEqual([{ id: expect.any(String), address }])
  expect(await read()).toBe(0)
  expect(await listed()).toEqual([])
  await bounced()
  expect(await read()).toBe(1)
  expect(await listed()).toEqual([{ address, origin: 'bounce', days: null }])
})

test('two that read at once suppress once', async () => {
  for (let n = 0; n < 5; n++) await bounced('invalid_recipient', `${n}${address}`)
  const added = await Promise.all([read(), read(), read()])
  expect(added.reduce((sum, count) => sum + count)).toBe(5)
  expect(await listed()).toHaveLength(5)
})

test('events are read as far as the limit, and none is left out', async () => {
  for (let n = 0; n < 3; n++) await bounced('invalid_recipient', `${n}${address}`)
  const [row] = await sql<
    { until: string }[]
  >`select postel.uuid_v7_floor(now() + interval '1 minute') as until`
  let after = '00000000-0000-0000-0000-000000000000'
  let added = 0
  while (after < row!.until) {
    const step = await queries.readEvents(after, row!.until, 2)
    expect(step.read).toBeLessThanOrEqual(2)
    added += step.added
    after = step.lastId
  }
  expect(added).toBe(3)
})

test('the task reads on from where it ended, and asks to be run again while there is mail', async () => {
  const context = {
    reports: new ReportQueries(sql),
    suppressions: queries,
    events: new WorkerEvents(createLogger('worker', 'silent'), createRegistry('worker')),
  } as unknown as TaskContext
  const cursor = async () =>
    (await sql`select c.last_event_id as id from postel.event_cursors c where c.name = 'suppressions'`)[0]?.id
  const run = async () => {
    // Events of this very millisecond are left to a later run
    await sql`select pg_sleep(0.005)`
    await suppressRecipients(context)
  }
  await bounced()
  await run()
  expect(await listed()).toEqual([{ address, origin: 'bounce', days: null }])
  const jobs =
    await sql`select j.task_identifier as task from graphile_worker.jobs j where j.key = 'suppressions'`
  expect(jobs).toEqual([{ task: 'suppressions' }])
  const first = await cursor()
  await bounced('mailbox_disabled', `2${address}`)
  await run()
  expect((await cursor()) > first).toBe(true)
  expect(await listed()).toHaveLength(2)
})
