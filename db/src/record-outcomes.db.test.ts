/** What became of a message is written down once, whoever writes it and wherever its row is by then. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { OutboundQueries, type Outcome, type RecipientOutcome } from './queries/outbound.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import {
  inconsistencies,
  makeTenant,
  queueRow,
  stateOf,
  submitBatch,
  submitOne,
} from './testing/factories.ts'

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

type Result = RecipientOutcome['outcome']

const replies = {
  delivered: { code: 250, enhancedCode: '2.0.0', category: null, reply: '250 2.0.0 ok' },
  deferred: { code: 451, enhancedCode: '4.7.1', category: 'policy', reply: '451 4.7.1 later' },
  bounced: { code: 550, enhancedCode: '5.1.1', category: 'invalid_recipient', reply: '550 5.1.1 nobody' },
}

/** An outcome for the message's queue row (of one domain), a result for each of its recipients. */
async function outcomeFor(
  messageId: string,
  results: Result | Record<number, Result>,
  changes: Partial<Outcome> & { domain?: string; reply?: string } = {},
): Promise<Outcome> {
  const { domain, reply, ...rest } = changes
  const { id, ipId, numbers } = await queueRow(sql, messageId, domain)
  return {
    id,
    ipId,
    messageId,
    startedAt: performance.now() - 100,
    durationMs: 100,
    mxHost: 'mx.dest.test',
    mxAddress: '192.0.2.25',
    tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384',
    inDoubt: false,
    retryAfter: null,
    recipients: numbers.map((number) => {
      const outcome = typeof results === 'string' ? results : results[number]!
      return { number, outcome, ...replies[outcome], ...(reply !== undefined && { reply }) }
    }),
    ...rest,
  }
}

async function waitSeconds(messageId: string): Promise<number> {
  const [row] = await sql<{ seconds: number }[]>`
    select extract(epoch from w.not_before - d.updated_at)::float8 as seconds
    from postel.waiting w join postel.deliveries d on d.message_id = w.message_id and d.number = w.numbers[1]
    where w.message_id = ${messageId}`
  return row!.seconds
}

test('each recipient gets its own result, and only the deferred one waits', async () => {
  const tenant = await makeTenant(sql)
  const id = await submitOne(sql, tenant, {
    to: ['a@dest.test', 'b@dest.test', 'c@dest.test', 'd@other.test'],
  })
  const before = await queueRow(sql, id, 'dest.test')
  const { due, events } = await queries.record([
    await outcomeFor(id, { 1: 'delivered', 2: 'deferred', 3: 'bounced' }, { domain: 'dest.test' }),
  ])
  expect(await stateOf(sql, id)).toEqual({
    deliveries: ['1 delivered', '2 deferred', '3 bounced', '4 queued'],
    queue: ['other.test 4'],
    waiting: ['deferred dest.test 2'],
    events: ['accepted', '1 delivered', '2 deferred', '3 bounced'],
  })
  const [waiting] = await sql`
    select recipients, attempts, lost_holders, ip_id, reason, not_before from postel.waiting where message_id = ${id}`
  expect(waiting).toEqual({
    recipients: ['b@dest.test'],
    attempts: 1,
    lost_holders: 0,
    ip_id: before.ipId,
    reason: '451 4.7.1 later',
    not_before: due[0],
  })
  expect(due).toHaveLength(1)
  expect(events.map((event) => JSON.parse(event))).toEqual(
    expect.arrayContaining([
      { type: 'delivered', message_id: id, delivery_id: `${id}/1` },
      { type: 'deferred', message_id: id, delivery_id: `${id}/2` },
      { type: 'bounced', message_id: id, delivery_id: `${id}/3` },
    ]),
  )
  const attempts = await sql`
    select number, attempt, duration_ms, ip_id, outcome, in_doubt, mx_host, host(mx_address) as mx_address, tls, code,
      enhanced_code, category, reply
    from postel.attempts where message_id = ${id} order by number`
  expect(attempts[0]).toEqual({
    number: 1,
    attempt: 1,
    duration_ms: 100,
    ip_id: before.ipId,
    outcome: 'delivered',
    in_doubt: false,
    mx_host: 'mx.dest.test',
    mx_address: '192.0.2.25',
    tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384',
    code: 250,
    enhanced_code: '2.0.0',
    category: null,
    reply: '250 2.0.0 ok',
  })
  expect(attempts.map((attempt) => attempt.outcome)).toEqual(['delivered', 'deferred', 'bounced'])
  const [delivery] =
    await sql`select attempts, last_reply from postel.deliveries where message_id = ${id} and number = 3`
  expect(delivery).toEqual({ attempts: 1, last_reply: '550 5.1.1 nobody' })
})

test('a batch of many messages and domains is recorded as a whole', async () => {
  const tenant = await makeTenant(sql, { ips: 3 })
  const { messageIds } = await submitBatch(
    sql,
    tenant,
    Array.from({ length: 30 }, (_, index) => ({ to: [`a@d${index % 3}.test`, `b@e${index % 4}.test`] })),
  )
  const results: Result[] = ['delivered', 'deferred', 'bounced']
  const outcomes: Outcome[] = []
  for (const [index, id] of messageIds.entries()) {
    outcomes.push(await outcomeFor(id, results[index % 3]!, { domain: `d${index % 3}.test` }))
    outcomes.push(await outcomeFor(id, 'delivered', { domain: `e${index % 4}.test` }))
  }
  await queries.record(outcomes)
  const states = await Promise.all(messageIds.map(async (id) => (await stateOf(sql, id)).deliveries))
  expect(states).toEqual(messageIds.map((_, index) => [`1 ${results[index % 3]}`, '2 delivered']))
})

test('replies with anything in them are kept as they were', async () => {
  const tenant = await makeTenant(sql)
  const id = await submitOne(sql, tenant)
  const reply = `550 "quoted" {json} \\ 'it''s' <b> \u001b[31m ${'é'.repeat(10)} 🙈`
  await queries.record([await outcomeFor(id, 'bounced', { reply })])
  const [row] = await sql`select last_reply from postel.deliveries where message_id = ${id}`
  expect(row!.last_reply).toBe(reply)
})

describe('the next try', () => {
  test.each([
    ['comes after the first wait of the default schedule', {}, {}, 54, 66],
    ["follows the project's schedule", { retrySchedule: [10, 1000] }, {}, 9, 11],
    ['waits as long as the remote asked', { retrySchedule: [10] }, { retryAfter: 500 }, 500, 500.1],
    [
      'waits no less than the schedule, whatever the remote asked',
      { retrySchedule: [100] },
      { retryAfter: 5 },
      90,
      110,
    ],
  ])('%s', async (_, options, changes, least, most) => {
    const tenant = await makeTenant(sql, options)
    const id = await submitOne(sql, tenant)
    await queries.record([await outcomeFor(id, 'deferred', changes)])
    const seconds = await waitSeconds(id)
    expect(seconds).toBeGreaterThanOrEqual(least)
    expect(seconds).toBeLessThanOrEqual(most)
  })

  test('comes later each time', async () => {
    const tenant = await makeTenant(sql, { retrySchedule: [10, 100, 1000] })
    const id = await submitOne(sql, tenant)
    for (const expected of [10, 100, 1000, 1000]) {
      await queries.record([await outcomeFor(id, 'deferred')])
      expect(Math.abs((await waitSeconds(id)) / expected - 1)).toBeLessThanOrEqual(0.1)
      await sql`select postel.retry(${id})`
    }
    const attempts = await sql`select attempt from postel.attempts where message_id = ${id} order by attempt`
    expect(attempts.map((row) => row.attempt)).toEqual([1, 2, 3, 4])
  })

  test('comes a minute before the message expires rather than never', async () => {
    const tenant = await makeTenant(sql, { retrySchedule: [10_000], expireAfterSeconds: 600 })
    const id = await submitOne(sql, tenant)
    await queries.record([await outcomeFor(id, 'deferred')])
    const [row] = await sql`
      select w.not_before = m.expires_at - interval '1 minute' as last
      from postel.waiting w join postel.messages m on m.id = w.message_id where m.id = ${id}`
    expect(row).toEqual({ last: true })
  })
})

test('a deferred recipient of a message that is too old expires, and the others keep their result', async () => {
  const tenant = await makeTenant(sql, { expireAfterSeconds: 60 })
  const long = new Date(Date.now() - 61_000)
  const id = await submitOne(sql, tenant, { to: ['a@dest.test', 'b@dest.test', 'c@dest.test'] }, long)
  const { due } = await queries.record([
    await outcomeFor(id, { 1: 'deferred', 2: 'delivered', 3: 'bounced' }),
  ])
  expect(due).toEqual([])
  const state = await stateOf(sql, id)
  expect(state).toMatchObject({
    deliveries: ['1 expired', '2 delivered', '3 bounced'],
    queue: [],
    waiting: [],
  })
  expect(state.events.slice(1)).toEqual(['1 expired', '2 delivered', '3 bounced'])
})

test('doubt is noted where the message may have arrived, and nowhere else', async () => {
  const tenant = await makeTenant(sql)
  const id = await submitOne(sql, tenant, { to: ['a@dest.test', 'b@dest.test'] })
  await queries.record([await outcomeFor(id, { 1: 'deferred', 2: 'bounced' }, { inDoubt: true })])
  const attempts =
    await sql`select number, in_doubt from postel.attempts where message_id = ${id} order by number`
  expect([...attempts]).toEqual([
    { number: 1, in_doubt: true },
    { number: 2, in_doubt: false },
  ])
})

describe('an outcome counts once', () => {
  test.each<Result>(['delivered', 'bounced', 'deferred'])('when %s is recorded twice', async (result) => {
    const tenant = await makeTenant(sql)
    const id = await submitOne(sql, tenant, { to: ['a@dest.test', 'b@dest.test'] })
    const outcome = await outcomeFor(id, { 1: result, 2: 'delivered' })
    await queries.record([outcome])
    const once = await stateOf(sql, id)
    const again = await queries.record([outcome])
    expect(again).toEqual({ due: [], events: [] })
    expect(await stateOf(sql, id)).toEqual(once)
    const [row] = await sql`select count(*)::int as count from postel.attempts where message_id = ${id}`
    expect(row!.count).toBe(2)
  })

  test('when two processes record it at the same time', async () => {
    const tenant = await makeTenant(sql)
    const other = new OutboundQueries(database.url)
    try {
      for (let round = 0; round < 10; round++) {
        const id = await submitOne(sql, tenant, { to: ['a@dest.test', 'b@dest.test'] })
        const outcome = await outcomeFor(id, { 1: 'delivered', 2: 'bounced' })
        const made = await Promise.all([queries.record([outcome]), other.record([outcome])])
        expect(made.flatMap(({ events }) => events)).toHaveLength(2)
        expect((await stateOf(sql, id)).events).toHaveLength(3)
      }
    } finally {
      await other.stop()
    }
  })
})

describe('a row that left the queue while it was being sent', () => {
  /** As hold() does: the row goes from queue to waiting. */
  async function hold(messageId: string, state: 'held' | 'deferred' = 'held'): Promise<void> {
    await sql`
      with gone as (delete from postel.queue q where q.message_id = ${messageId} returning q.*)
      insert into postel.waiting (
        state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id,
        organization_id, project_id, domain, numbers, recipients
      )
      select
        ${state}, now() + interval '1 hour', 'a person', ip_id, priority, attempts, lost_holders, size_bytes, expires_at,
        message_id, organization_id, project_id, domain, numbers, recipients
      from gone`
    await sql`update postel.deliveries set state = ${state} where message_id = ${messageId}`
  }

  test.each(['held', 'deferred'] as const)(
    'counts as delivered, and leaves what it waits in (%s)',
    async (place) => {
      const tenant = await makeTenant(sql)
      const id = await submitOne(sql, tenant)
      const outcome = await outcomeFor(id, 'delivered')
      await hold(id, place)
      const { events } = await queries.record([outcome])
      expect(events).toHaveLength(1)
      expect(await stateOf(sql, id)).toEqual({
        deliveries: ['1 delivered'],
        queue: [],
        waiting: [],
        events: ['accepted', '1 delivered'],
      })
      const [attempt] =
        await sql`select attempt, outcome, reply from postel.attempts where message_id = ${id}`
      expect(attempt).toEqual({ attempt: 1, outcome: 'delivered', reply: '250 2.0.0 ok' })
    },
  )

  test('loses only the recipients that have a final result', async () => {
    const tenant = await makeTenant(sql)
    const id = await submitOne(sql, tenant, {
      to: ['a@dest.test', 'b@dest.test', 'c@dest.test', 'd@other.test'],
    })
    const outcome = await outcomeFor(
      id,
      { 1: 'delivered', 2: 'deferred', 3: 'bounced' },
      { domain: 'dest.test' },
    )
    await hold(id)
    await queries.record([outcome])
    expect(await stateOf(sql, id)).toMatchObject({
      deliveries: ['1 delivered', '2 held', '3 bounced', '4 held'],
      queue: [],
      waiting: ['held dest.test 2', 'held other.test 4'],
    })
    const [row] = await sql`
      select recipients, not_before > now() as later from postel.waiting
      where message_id = ${id} and domain = 'dest.test'`
    expect(row).toEqual({ recipients: ['b@dest.test'], later: true })
  })

  test('keeps its own next try when the outcome is a deferral', async () => {
    const tenant = await makeTenant(sql)
    const id = await submitOne(sql, tenant)
    const outcome = await outcomeFor(id, 'deferred')
    await hold(id)
    const before = await sql`select * from postel.waiting where message_id = ${id}`
    expect(await queries.record([outcome])).toEqual({ due: [], events: [] })
    expect([...(await sql`select * from postel.waiting where message_id = ${id}`)]).toEqual([...before])
  })

  test('is taken out of the queue again when it has come back under a new id', async () => {
    const tenant = await makeTenant(sql)
    const id = await submitOne(sql, tenant, { to: ['a@dest.test', 'b@dest.test'] })
    const outcome = await outcomeFor(id, { 1: 'delivered', 2: 'deferred' })
    await hold(id, 'deferred')
    await sql`select postel.retry(${id})`
    const moved = await queueRow(sql, id)
    expect(moved.id).not.toBe(outcome.id)
    await queries.record([outcome])
    const state = await stateOf(sql, id)
    expect(state).toMatchObject({
      deliveries: ['1 delivered', '2 queued'],
      queue: ['dest.test 2'],
      waiting: [],
    })
  })

  test('does not disturb the rest of its batch', async () => {
    const tenant = await makeTenant(sql)
    const [held, sent] = [await submitOne(sql, tenant), await submitOne(sql, tenant)]
    const outcomes = [await outcomeFor(held, 'delivered'), await outcomeFor(sent, 'deferred')]
    await hold(held)
    const { due, events } = await queries.record(outcomes)
    expect(due).toHaveLength(1)
    expect(events).toHaveLength(2)
    expect((await stateOf(sql, held)).deliveries).toEqual(['1 delivered'])
    expect(await stateOf(sql, sent)).toMatchObject({
      deliveries: ['1 deferred'],
      waiting: ['deferred dest.test 1'],
    })
  })

  test('becomes delivered when a person cancelled it while the remote took it, because that is true', async () => {
    const tenant = await makeTenant(sql)
    const id = await submitOne(sql, tenant, { to: ['a@dest.test', 'b@dest.test', 'c@dest.test'] })
    const outcome = await outcomeFor(id, { 1: 'delivered', 2: 'bounced', 3: 'deferred' })
    await sql`select postel.cancel(${id})`
    expect((await queries.record([outcome])).events).toHaveLength(1)
    expect(await stateOf(sql, id)).toMatchObject({
      deliveries: ['1 delivered', '2 cancelled', '3 cancelled'],
      queue: [],
      waiting: [],
    })
  })

  test.each(['expired', 'bounced'])('stays %s when it became that meanwhile', async (state) => {
    const tenant = await makeTenant(sql)
    const id = await submitOne(sql, tenant)
    const outcome = await outcomeFor(id, 'delivered')
    await sql`delete from postel.queue where message_id = ${id}`
    const [message] = await sql`
      update postel.deliveries set state = ${state} where message_id = ${id} returning message_id, number`
    await sql`
      insert into postel.events (organization_id, message_id, number, type)
      values (${tenant.organizationId}, ${message!.message_id}, ${message!.number}, ${state})`
    expect(await queries.record([outcome])).toEqual({ due: [], events: [] })
    expect(await stateOf(sql, id)).toMatchObject({
      deliveries: [`1 ${state}`],
      events: ['accepted', `1 ${state}`],
    })
  })
})

test('a batch of old and new mail costs no look at what lies between them', async () => {
  const tenant = await makeTenant(sql)
  const { messageIds } = await submitBatch(sql, tenant, Array(400).fill({}))
  const ends = [messageIds[0]!, messageIds.at(-1)!]
  const outcomes = await Promise.all(ends.map((id) => outcomeFor(id, 'delivered')))
  const json = JSON.stringify(
    outcomes.map(({ id, ipId, messageId }) => ({
      id,
      ip: ipId,
      m: messageId,
      at: 0.1,
      ms: 100,
      doubt: false,
      n: [1],
      o: ['delivered'],
      c: [250],
      e: ['2.0.0'],
      k: [null],
      t: ['250 ok'],
    })),
  )
  const read = await sql.begin(async (tx) => {
    const rowsRead = async () => {
      const [row] = await tx<{ rows: number }[]>`
        select sum(coalesce(idx_tup_fetch, 0) + seq_tup_read)::int as rows
        from pg_stat_xact_user_tables where schemaname = 'postel' and relname ~ '^deliveries'`
      return row!.rows
    }
    const before = await rowsRead()
    await tx`select postel.record_outcomes(${json}::text::json, now(), ${ends}::uuid[])`
    return (await rowsRead()) - before
  })
  expect(read).toBeLessThan(20)
  for (const id of ends) expect((await stateOf(sql, id)).queue).toEqual([])
})
