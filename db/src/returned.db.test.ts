/** What comes back about delivered mail: written down once, and counted as what it is. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { MetricsQueries, readEmailMetrics } from './queries/metrics.ts'
import { mayReturn, type ReturnedType, recordReturned } from './queries/returned.ts'
import { SuppressionQueries } from './queries/suppressions.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { inconsistencies, makeTenant, stateOf, submitOne, type Tenant } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let tenant: Tenant

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 4 })
})
afterAll(async () => {
  expect(await inconsistencies(sql)).toEqual([])
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  tenant = await makeTenant(sql)
})

const gone = {
  permanent: true,
  category: 'invalid_recipient',
  code: 550,
  status: '5.1.1',
  reply: '550 5.1.1 no',
}
const full = {
  permanent: true,
  category: 'mailbox_full',
  code: 552,
  status: '5.2.2',
  reply: '552 5.2.2 full',
}
const expired = { permanent: false, category: 'timeout', code: null, status: '4.4.7', reply: 'expired' }

/** A message to these that remotes have taken. */
async function delivered(...to: string[]): Promise<string> {
  const id = await submitOne(sql, tenant, { to: to.length > 0 ? to : ['a@dest.test'] })
  await setState(id, 'delivered', 1)
  return id
}

/** As outbound, a person or a limit would. */
async function setState(id: string, state: string, attempts = 0): Promise<void> {
  await sql`
    with gone as (delete from postel.queue where message_id = ${id}),
    d as (
      update postel.deliveries set state = ${state}, attempts = ${attempts} where message_id = ${id} returning number
    )
    insert into postel.events (organization_id, message_id, number, type)
    select ${tenant.organizationId}, ${id}, d.number, ${state} from d`
}

function record(
  messageId: string,
  options: {
    number?: number
    type?: ReturnedType
    addresses?: string[]
    data?: Record<string, unknown>
  } = {},
) {
  const { number = 1, type = 'returned', addresses = [], data = gone } = options
  return recordReturned(sql, { messageId, number, type, entries: [{ addresses, data }] })
}

test.each([
  ['delivered', 1, 'returned', 'recorded'],
  ['delivered', 1, 'return_delayed', 'recorded'],
  ['delivered', 1, 'complained', 'recorded'],
  ['queued', 0, 'returned', 'too_early'],
  ['bounced', 1, 'returned', 'not_delivered'],
  ['expired', 3, 'returned', 'not_delivered'],
  ['suppressed', 0, 'returned', 'not_delivered'],
  ['cancelled', 0, 'complained', 'not_delivered'],
  // It was in doubt, and arrived
  ['expired', 3, 'complained', 'recorded'],
] as const)('%s after %i tries, %s: %s', async (state, attempts, type, expected) => {
  const id = await submitOne(sql, tenant, { to: ['a@dest.test'] })
  if (state !== 'queued') await setState(id, state, attempts)
  const { result, events } = await record(id, { type })
  expect(result).toBe(expected)
  expect(events.map((event) => JSON.parse(event))).toEqual(
    expected === 'recorded' ? [{ type, message_id: id, delivery_id: `${id}/1` }] : [],
  )
  expect((await stateOf(sql, id)).deliveries).toEqual([`1 ${state}`])
})

test('once, also by many at once; a complaint after a bounce is another thing', async () => {
  const id = await delivered()
  const results = await Promise.all(Array.from({ length: 8 }, () => record(id)))
  expect(results.map(({ result }) => result).sort()).toEqual(['recorded', ...Array(7).fill('repeated')])
  expect((await record(id, { data: full })).result).toBe('repeated')
  expect((await record(id, { type: 'complained' })).result).toBe('recorded')
})

test('of a message to several, whom the address or the report names', async () => {
  const id = await delivered('A@dest.test', 'b@dest.test', 'c@dest.test')
  expect((await record(id, { number: -1, addresses: ['nobody@dest.test'] })).result).toBe('no_recipient')
  expect((await record(id, { number: 7 })).result).toBe('no_recipient')
  expect((await record(id, { number: -1 })).result).toBe('no_recipient')
  const entries = [
    { addresses: ['a@dest.test', 'a@home.test'], data: gone },
    { addresses: ['c@dest.test'], data: full },
  ]
  await recordReturned(sql, { messageId: id, number: -2, type: 'returned', entries })
  const rows = await sql`
    select e.number, e.data ->> 'category' as category from postel.events e
    where e.message_id = ${id} and e.type = 'returned' order by e.number`
  expect([...rows]).toEqual([
    { number: 1, category: 'invalid_recipient' },
    { number: 3, category: 'mailbox_full' },
  ])
})

test('whoever has got the mail says nothing of recipients at other domains', async () => {
  const id = await delivered('a@dest.test', 'b@dest.test', 'c@other.test')
  expect((await record(id, { number: -1, addresses: ['c@other.test'] })).result).toBe('no_recipient')
  expect((await record(id, { number: -3, addresses: ['a@dest.test'] })).result).toBe('recorded')
  const rows = await sql`
    select e.number from postel.events e where e.message_id = ${id} and e.type = 'returned'`
  expect([...rows]).toEqual([{ number: 3 }])
})

test('the only recipient needs no name', async () => {
  const id = await delivered()
  expect((await record(id, { number: -1, addresses: ['forwarded@elsewhere.test'] })).result).toBe('recorded')
})

test('of no message of ours', async () => {
  expect((await record('01a20000-0000-7000-8000-000000000000')).result).toBe('unknown')
})

test('only below the domain that the message was signed for', async () => {
  const id = await delivered()
  await sql`update postel.messages set signing_domain = 'mine.test' where id = ${id}`
  const may = (host: string) => mayReturn(sql, id, host)
  expect(await Promise.all(['send.mine.test', 'SEND.mine.test', 'new.mine.test'].map(may))).toEqual([
    true,
    true,
    true,
  ])
  expect(
    await Promise.all(
      ['mine.test', 'notmine.test', 'send.notmine.test', 'send.mine.test.evil.test', ''].map(may),
    ),
  ).toEqual(Array(5).fill(false))
  await sql`update postel.messages set signing_domain = null where id = ${id}`
  expect(await may('send.mine.test')).toBe(false)
})

test('suppresses whom it says to be gone, and nobody else', async () => {
  const cases = { gone, full, expired, unknown: { ...gone, permanent: null, category: null } }
  for (const [name, data] of Object.entries(cases))
    await record(await delivered(`${name}@dest.test`), { data })
  await record(await delivered('late@dest.test'), { type: 'return_delayed' })
  const queries = new SuppressionQueries(sql)
  const [row] = await sql<
    { until: string }[]
  >`select postel.uuid_v7_floor(now() + interval '1 minute') as until`
  for (let twice = 0; twice < 2; twice++)
    await queries.readEvents('00000000-0000-0000-0000-000000000000', row!.until, 50_000)
  const listed = await sql`
    select address, origin, reason from postel.suppressions where organization_id = ${tenant.organizationId}`
  expect([...listed]).toEqual([{ address: 'gone@dest.test', origin: 'bounce', reason: '550 5.1.1 no' }])
})

test('counts as delivered and as bounced: in the figures, of the message, and of the organization', async () => {
  const hard = await delivered()
  const soft = await delivered()
  await record(hard)
  await record(soft, { data: expired })
  const [row] = await sql<
    { until: string }[]
  >`select postel.uuid_v7_floor(now() + interval '1 minute') as until`
  await new MetricsQueries(sql).countEvents(row!.until, 50_000)
  const [figures] = await sql`
    select sum(bounced)::int as bounced, sum(bounced_permanent)::int as permanent, sum(bounced_transient)::int as transient
    from postel.email_metrics where organization_id = ${tenant.organizationId}`
  expect(figures).toEqual({ bounced: 2, permanent: 1, transient: 1 })
  const mine = { organizationId: tenant.organizationId, projectId: tenant.projectId }
  const [email] = await readEmailMetrics(sql, mine, [hard])
  expect(email).toMatchObject({ delivered: 1, bounced: 1, bounced_permanent: 1, bounced_transient: 0 })

  await sql`insert into postel.event_cursors (name, last_event_id, updated_at)
    values ('moderation', '00000000-0000-0000-0000-000000000000', now())
    on conflict (name) do update set last_event_id = excluded.last_event_id`
  await sql`select postel.delivery_counts(${row!.until})`
  const [rates] = await sql`
    select sum(bounced)::int as bounced, sum(invalid)::int as invalid from postel.delivery_rates
    where organization_id = ${tenant.organizationId}`
  expect(rates).toEqual({ bounced: 2, invalid: 1 })
})
