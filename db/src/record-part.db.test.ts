/** Between two transactions of one message: what is final is recorded, the rest stays where it was, and nothing counts twice. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { OutboundQueries, type Outcome, type RecipientOutcome } from './queries/outbound.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { inconsistencies, makeTenant, queueRow, stateOf, submitOne } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let queries: OutboundQueries

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
afterEach(async () => expect(await inconsistencies(sql)).toEqual([]))

type Row = Awaited<ReturnType<typeof queueRow>>

async function fourRecipients(): Promise<{ messageId: string; row: Row }> {
  const tenant = await makeTenant(sql)
  const to = ['a', 'b', 'c', 'd'].map((name) => `${name}@dest.test`)
  const messageId = await submitOne(sql, tenant, { to })
  return { messageId, row: await queueRow(sql, messageId) }
}

function outcome(messageId: string, row: Row, results: Record<number, RecipientOutcome['outcome']>): Outcome {
  return {
    id: row.id,
    ipId: row.ipId,
    messageId,
    startedAt: performance.now(),
    durationMs: 1,
    mxHost: 'mx.dest.test',
    mxAddress: '192.0.2.25',
    tls: null,
    inDoubt: false,
    retryAfter: null,
    recipients: Object.entries(results).map(([number, result]) => ({
      number: Number(number),
      outcome: result,
      code: 250,
      enhancedCode: null,
      category: null,
      reply: 'said',
    })),
  }
}

async function attemptsOf(messageId: string): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    select number || ' ' || attempt || ' ' || outcome as line
    from postel.attempts where message_id = ${messageId} order by number, attempt`
  return rows.map(({ line }) => line)
}

test('what is final is recorded, and the row keeps the others under its id (C-08)', async () => {
  const { messageId, row } = await fourRecipients()
  const { events } = await queries.recordPart(outcome(messageId, row, { 1: 'delivered', 2: 'bounced' }))
  expect(events).toHaveLength(2)
  expect(await stateOf(sql, messageId)).toEqual({
    deliveries: ['1 delivered', '2 bounced', '3 queued', '4 queued'],
    queue: ['dest.test 3,4'],
    waiting: [],
    events: ['accepted', '1 delivered', '2 bounced'],
  })
  expect((await queueRow(sql, messageId)).id).toBe(row.id)

  await queries.record([outcome(messageId, row, { 3: 'delivered', 4: 'deferred' })])
  expect(await stateOf(sql, messageId)).toMatchObject({
    deliveries: ['1 delivered', '2 bounced', '3 delivered', '4 deferred'],
    queue: [],
    waiting: ['deferred dest.test 4'],
  })
  expect(await attemptsOf(messageId)).toEqual([
    '1 1 delivered',
    '2 1 bounced',
    '3 1 delivered',
    '4 1 deferred',
  ])
})

test('a deferred recipient of a part stays for the end', async () => {
  const { messageId, row } = await fourRecipients()
  await queries.recordPart(outcome(messageId, row, { 1: 'delivered', 2: 'deferred' }))
  expect((await stateOf(sql, messageId)).queue).toEqual(['dest.test 2,3,4'])
})

test('a part whose answer was lost counts once, and the end may say it again', async () => {
  const { messageId, row } = await fourRecipients()
  const part = outcome(messageId, row, { 1: 'delivered', 2: 'delivered' })
  expect((await queries.recordPart(part)).events).toHaveLength(2)
  expect((await queries.recordPart(part)).events).toHaveLength(0)
  await queries.record([
    outcome(messageId, row, { 1: 'delivered', 2: 'delivered', 3: 'delivered', 4: 'delivered' }),
  ])
  expect(await stateOf(sql, messageId)).toMatchObject({ queue: [], waiting: [] })
  expect(await attemptsOf(messageId)).toEqual([1, 2, 3, 4].map((number) => `${number} 1 delivered`))
})

test('of a message that was held meanwhile, only the others stay held', async () => {
  const { messageId, row } = await fourRecipients()
  await sql`select postel.hold(message_id => ${messageId}::uuid)`
  await queries.recordPart(outcome(messageId, row, { 1: 'delivered', 2: 'delivered' }))
  expect(await stateOf(sql, messageId)).toMatchObject({
    deliveries: ['1 delivered', '2 delivered', '3 held', '4 held'],
    queue: [],
    waiting: ['held dest.test 3,4'],
  })
})

test('whoever takes over from a dead sender tries only the others, and the worker knows when (C-05)', async () => {
  const { messageId, row } = await fourRecipients()
  const dead = '00000000-0000-4000-8000-000000000001'
  await sql`insert into postel.outbound_processes (id, node_name, in_flight, heartbeat_at) values (${dead}, 'n', array[${row.id}]::bigint[], now())`
  await queries.recordPart(outcome(messageId, row, { 1: 'delivered', 2: 'delivered' }))
  await sql`select postel.take_over(array[${row.ipId}]::int[], ${dead})`
  expect(await stateOf(sql, messageId)).toMatchObject({
    deliveries: ['1 delivered', '2 delivered', '3 deferred', '4 deferred'],
    waiting: ['deferred dest.test 3,4'],
  })
  const [job] = await sql<{ seconds: number }[]>`
    select max(extract(epoch from j.run_at - w.not_before))::float8 as seconds
    from postel.waiting w
    cross join lateral (
      select run_at from graphile_worker.jobs
      where task_identifier = 'release_due' and run_at >= w.not_before
      order by run_at limit 1
    ) as j
    where w.message_id = ${messageId}`
  expect(job!.seconds).toBeLessThanOrEqual(10)
})
