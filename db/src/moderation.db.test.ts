/** Moderation: a stopped organization's mail does not leave, whoever asks; a poor delivery rate stops one. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { findModeration, ModerationQueries, moderate } from './queries/moderation.ts'
import { ReportQueries } from './queries/reports.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import {
  inconsistencies,
  makeTenant,
  stateOf,
  submitBatch,
  submitOne,
  type Tenant,
} from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let queries: ModerationQueries
const operator = { kind: 'api_key' as const, id: 'k', name: 'ann', address: '192.0.2.1' }
const thresholds = { hours: 6, recipients: 20, invalidPercent: 20, complaintPercent: 10 }

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 4 })
  queries = new ModerationQueries(sql)
})
afterAll(async () => {
  expect(await inconsistencies(sql)).toEqual([])
  await sql.end({ timeout: 1 })
  await database.drop()
})

async function statesOf(id: string): Promise<string[]> {
  const { deliveries, queue, waiting } = await stateOf(sql, id)
  return [...deliveries, ...queue.map((line) => `queue ${line}`), ...waiting]
}

test('what is there is held when an organization is stopped, and goes on as it was when it is not', async () => {
  const tenant = await makeTenant(sql)
  const other = await makeTenant(sql)
  const soon = new Date(Date.now() + 3_600_000)
  const [queued, scheduled] = [await submitOne(sql, tenant), await submitOne(sql, tenant, { sendAt: soon })]
  const foreign = await submitOne(sql, other)
  expect(await moderate(sql, operator, tenant.organizationId, 'no_sending', 'spam')).toBe(true)
  const [late, lateScheduled] = [await submitOne(sql, tenant), await submitOne(sql, tenant, { sendAt: soon })]

  for (const id of [queued, scheduled, late, lateScheduled])
    expect(await statesOf(id)).toEqual(['1 held', 'held dest.test 1'])
  expect(await statesOf(foreign)).toEqual(['1 queued', 'queue dest.test 1'])
  const [why] = await sql`select reason from postel.waiting where message_id = ${late}`
  expect(why).toEqual({ reason: 'organization stopped: spam' })

  // However long that took, it was held a moment ago
  await sql`update postel.waiting set not_before = now() + interval '1 minute' where message_id = ${queued}`
  await moderate(sql, operator, tenant.organizationId, 'active', 'settled')
  expect(await statesOf(late)).toEqual(['1 queued', 'queue dest.test 1'])
  for (const id of [scheduled, lateScheduled])
    expect(await statesOf(id)).toEqual(['1 scheduled', 'scheduled dest.test 1'])
  expect((await stateOf(sql, late)).events).toEqual(['accepted', '1 held', '1 released'])
  // In flight or not is not known for two seconds of what was in the queue
  expect(await statesOf(queued)).toEqual(['1 deferred', 'deferred dest.test 1'])
})

test('nobody releases the mail of a stopped organization, and what a person held stays held afterwards', async () => {
  const tenant = await makeTenant(sql)
  const mine = await submitOne(sql, tenant)
  await sql`select postel.hold(${mine}, reason => 'a look at it')`
  await moderate(sql, operator, tenant.organizationId, 'frozen', 'spam')
  const stopped = await submitOne(sql, tenant)
  const [row] = await sql`select postel.release(project => ${tenant.projectName})::int as released`
  expect(row).toEqual({ released: 0 })
  expect([await statesOf(mine), await statesOf(stopped)].map(([state]) => state)).toEqual([
    '1 held',
    '1 held',
  ])
  await moderate(sql, operator, tenant.organizationId, 'active', null)
  expect([await statesOf(mine), await statesOf(stopped)].map(([state]) => state)).toEqual([
    '1 held',
    '1 queued',
  ])
})

test('mail that was accepted in the moment of the stop is held by the next look', async () => {
  const tenant = await makeTenant(sql)
  const id = await submitOne(sql, tenant)
  await sql`
    update postel.organizations set status = 'no_sending', status_reason = 'spam', status_at = now()
    where id = ${tenant.organizationId}`
  await queries.enforce()
  expect(await statesOf(id)).toEqual(['1 held', 'held dest.test 1'])
  await sql`update postel.organizations set status = 'active', status_at = now() where id = ${tenant.organizationId}`
  await queries.enforce()
  expect((await statesOf(id))[0]).not.toBe('1 held')
  expect([...(await sql`select postel.moderation_due()`)]).toEqual([])
})

test('an operator moderates from psql by name or id', async () => {
  const tenant = await makeTenant(sql)
  const id = await submitOne(sql, tenant)
  const [row] = await sql`
    select postel.moderate(name, 'frozen', 'spam')::int as recipients from postel.organizations
    where id = ${tenant.organizationId}`
  expect(row).toEqual({ recipients: 1 })
  expect((await statesOf(id))[0]).toBe('1 held')
  await sql`select postel.moderate(${tenant.organizationId}, 'active')`
  const [logged] = await sql`
    select actor_kind from postel.audit_log where organization_id = ${tenant.organizationId} order by id limit 1`
  expect(logged).toEqual({ actor_kind: 'psql' })
  await expect(sql`select postel.moderate('nobody', 'frozen')`).rejects.toThrow('0 organizations are called')
  await expect(sql`select postel.moderate(${tenant.organizationId}, 'gone')`).rejects.toThrow('not a status')
})

test.each(['frozen', 'no_receiving'])(
  'mail from psql is refused while its organization is %s',
  async (status) => {
    const tenant = await makeTenant(sql)
    await sql`update postel.organizations set status = ${status} where id = ${tenant.organizationId}`
    await expect(
      sql`select postel.send(${`a@${tenant.domain}`}, array['b@dest.test'], 's', 't', project => ${tenant.projectName})`,
    ).rejects.toThrow(`the organization is stopped (${status})`)
  },
)

test('a change is written down once, with who made it, and told', async () => {
  const tenant = await makeTenant(sql)
  await moderate(sql, operator, tenant.organizationId, 'no_receiving', 'a bill')
  await moderate(sql, operator, tenant.organizationId, 'no_receiving', 'a bill')
  const [row] = await sql`
    select
      (select json_agg(json_build_array(a.action, a.actor_name, a.details ->> 'status', a.details ->> 'former'))
       from postel.audit_log a where a.organization_id = ${tenant.organizationId}) as audit,
      (select json_agg(e.type order by e.id) from postel.events e where e.organization_id = ${tenant.organizationId}) as events`
  expect(row).toEqual({
    audit: [['organization.moderated', 'ann', 'no_receiving', 'active']],
    events: ['organization.moderated', 'notice'],
  })
  expect(await moderate(sql, operator, '01900000-0000-7000-8000-000000000000', 'frozen', null)).toBe(false)
})

/** Up to where events can be read: they are told apart by the millisecond, so the last one has to be over. */
async function readable(): Promise<string> {
  await sql`select pg_sleep(0.002)`
  return (await new ReportQueries(sql).eventWriters()).at
}

/** Recipients whose mail ended: so many delivered, invalid, bounced for another reason, and complaining. */
async function ended(
  tenant: Tenant,
  delivered: number,
  invalid: number,
  other = 0,
  complained = 0,
): Promise<void> {
  const kinds = [
    ...Array(delivered).fill('delivered'),
    ...Array(invalid).fill('invalid_recipient'),
    ...Array(other).fill('policy'),
  ]
  const { messageIds } = await submitBatch(
    sql,
    tenant,
    kinds.map(() => ({})),
  )
  await sql`
    with ended as (
      select t.id, t.kind, case t.kind when 'delivered' then 'delivered' else 'bounced' end as outcome
      from unnest(${messageIds}::uuid[], ${kinds}::text[]) as t (id, kind)
    ),
    gone as (delete from postel.queue q using ended e where q.message_id = e.id),
    settled as (update postel.deliveries d set state = e.outcome from ended e where d.message_id = e.id),
    tried as (
      insert into postel.attempts (message_id, number, attempt, at, duration_ms, outcome, in_doubt, category)
      select e.id, 1, 1, now(), 1, e.outcome, false, nullif(e.kind, 'delivered') from ended e
    )
    insert into postel.events (organization_id, message_id, number, type)
    select ${tenant.organizationId}::uuid, e.id, 1, e.outcome from ended e
    union all
    select ${tenant.organizationId}::uuid, e.id, 1, 'complained' from (select * from ended limit ${complained}) as e`
  const until = await readable()
  await Promise.all([queries.count(until), queries.count(until)])
}

async function moderationOf(tenant: Tenant): Promise<object> {
  const { status, reason, recipients, invalid, complained } = (await findModeration(
    sql,
    tenant.organizationId,
  ))!
  return { status, reason, recipients, invalid, complained }
}

test.each<[string, [number, number, number, number], string | null]>([
  ['too many recipients that do not exist', [15, 5, 0, 0], 'of 20 recipients in 6 hours 5 do not exist'],
  ['just not too many', [16, 4, 0, 0], null],
  ['too few recipients to tell', [9, 10, 0, 0], null],
  ['bounces that say nothing about the addresses', [10, 0, 20, 0], null],
  ['too many complaints', [20, 0, 0, 3], 'of 20 recipients in 6 hours 3 complained'],
])('%s', async (_name, [delivered, invalid, other, complained], verdict) => {
  const tenant = await makeTenant(sql)
  await queries.count(await readable())
  await ended(tenant, delivered, invalid, other, complained)
  const stopped = await queries.stopPoor(thresholds)
  expect(stopped).toEqual(verdict === null ? [] : [tenant.organizationId])
  expect(await moderationOf(tenant)).toEqual({
    status: verdict === null ? 'active' : 'no_sending',
    reason: verdict && `poor delivery rate: ${verdict}`,
    recipients: delivered + invalid + other,
    invalid,
    complained,
  })
  expect(await queries.stopPoor(thresholds)).toEqual([])
})

test('trusted organizations are not stopped, nor one again for what was before it was let go on', async () => {
  const trusted = await makeTenant(sql)
  await sql`update postel.organizations set trusted = true where id = ${trusted.organizationId}`
  await ended(trusted, 0, 30)
  expect(await queries.stopPoor(thresholds)).toEqual([])

  const tenant = await makeTenant(sql)
  await ended(tenant, 0, 30)
  expect(await queries.stopPoor(thresholds)).toEqual([tenant.organizationId])
  await moderate(sql, operator, tenant.organizationId, 'active', 'cleaned their list')
  expect(await queries.stopPoor(thresholds)).toEqual([])
})
