/** hold_all: at once nothing that was there is sent, whatever its number; new mail goes on; release_all puts everything back where it was. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import postgres from 'postgres'
import { connect, type Sql } from './client.ts'
import { readPolicies } from './queries/policies.ts'
import { WebhookDispatchQueries } from './queries/webhook-dispatch.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { inconsistencies, makeTenant, stateOf, submitOne, type Tenant, until } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let person: postgres.Sql
let notices: string[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 3 })
  person = postgres(database.url, { max: 1, onnotice: ({ message }) => notices.push(message!) })
})
afterAll(async () => {
  await person.end()
  await sql.end({ timeout: 1 })
  await database.drop()
})
afterEach(async () => {
  expect(await inconsistencies(sql)).toEqual([])
  notices = []
  await sql`
    truncate postel.waiting, postel.queue, postel.messages, postel.message_bodies, postel.deliveries, postel.events,
      postel.operations, postel.webhooks cascade`
  await sql`delete from postel.system_settings`
})

const holdAll = async (reason = 'restored') =>
  (await person`select postel.hold_all(${reason})::int as held`)[0]!.held as number
const releaseAll = async () =>
  (await person`select postel.release_all()::int as released`)[0]!.released as number
const queueNow = async () =>
  Object.fromEntries(
    (await sql`select state, recipients::int as n from postel.queue_now`).map(({ state, n }) => [state, n]),
  )

/** More mail than a call changes in its own transaction, without bodies. */
async function fill(tenant: Tenant, count: number): Promise<void> {
  await sql`
    with ids as materialized (select postel.uuid_v7() as id, n from generate_series(1, ${count}) as n),
    m as (
      insert into postel.messages (
        id, expires_at, organization_id, project_id, size_bytes, recipient_count, source, envelope_from, message_id_header,
        header_from, subject
      )
      select id, now() + interval '1 day', ${tenant.organizationId}, ${tenant.projectId}, 100, 1, 'sql', '', '', '', '' from ids
    ),
    b as (insert into postel.message_bodies (message_id, encoding, body) select id, 0, 'x' from ids),
    d as (
      insert into postel.deliveries (message_id, number, state, updated_at, recipient, domain)
      select id, 1, 'queued', now(), 'r@dest.test', 'dest.test' from ids
    )
    insert into postel.queue (
      ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id, queued_at,
      domain, numbers, recipients
    )
    select ${tenant.ips[0]!.id}, 50, 0, 0, 100, now() + interval '1 day', id, ${tenant.organizationId},
      ${tenant.projectId}, now(), 'dest.test', '{1}', array['r@dest.test']
    from ids`
}

test('queued, deferred and scheduled mail of all projects is held and released; what a person held stays', async () => {
  const [shop, other] = [
    await makeTenant(sql, { ips: [{ heldBy: '00000000-0000-4000-8000-000000000001' }] }),
    await makeTenant(sql, { ips: 0 }),
  ]
  const later = new Date(Date.now() + 3_600_000)
  const queued = await submitOne(sql, shop)
  const scheduled = await submitOne(sql, shop, { sendAt: later })
  const deferred = await submitOne(sql, other)
  const byName = await submitOne(sql, shop)
  await sql`select postel.hold(${byName}, reason => 'asked by the customer')`
  expect((await stateOf(sql, deferred)).deliveries).toEqual(['1 deferred'])

  expect(await holdAll('restored from a backup')).toBe(3)
  const fresh = await submitOne(sql, shop)
  expect(await queueNow()).toEqual({ queued: 1, held: 1, 'held by hold_all': 3 })
  expect((await stateOf(sql, fresh)).deliveries).toEqual(['1 queued'])
  const [why] = await sql`select blocked_by from postel.explain(${queued})`
  expect(why!.blocked_by).toMatch(/^held: all mail held: restored from a backup \(by \w+, /)
  // Whatever becomes due meanwhile
  await sql`select postel.release_due(p_now => now() + interval '1 day')`
  expect(await queueNow()).toMatchObject({ 'held by hold_all': 3 })

  await sql`update postel.waiting set not_before = not_before - interval '3 s' where former_id is not null`
  expect(await releaseAll()).toBe(3)
  expect((await stateOf(sql, queued)).deliveries).toEqual(['1 queued'])
  expect((await stateOf(sql, scheduled)).waiting).toEqual(['scheduled dest.test 1'])
  expect((await stateOf(sql, byName)).deliveries).toEqual(['1 held'])
  expect(await releaseAll()).toBe(0)
})

test('nothing at all is sent until the last of many rows is held, and that is shown and announced', async () => {
  const tenant = await makeTenant(sql)
  await fill(tenant, 10_500)
  const heard: string[] = []
  const { unlisten } = await person.listen('postel_control', (payload) => heard.push(payload))
  expect((await readPolicies(sql)).allSuspended).toBe(false)

  expect(await holdAll()).toBe(10_500)
  const late = await submitOne(sql, tenant)
  expect((await readPolicies(sql)).allSuspended).toBe(true)
  const [shown] = await sql`select what, queued::int from postel.suspensions_now`
  expect(shown).toEqual({ what: 'everything, until hold_all is through', queued: 10_501 })
  const [why] = await sql`select e.* from postel.explain(${late}) as e`
  expect(why!.blocked_by).toMatch(/^all mail is being held by \w+: all mail held: restored/)

  await sql`call postel.run_operations()`
  expect((await readPolicies(sql)).allSuspended).toBe(false)
  expect(await queueNow()).toMatchObject({ 'held by hold_all': 10_500 })
  expect((await stateOf(sql, late)).queue).toEqual(['dest.test 1'])
  await sql`notify postel_control, 'last'`
  while (!heard.includes('last')) await new Promise((resolve) => setImmediate(resolve))
  expect(heard).toEqual(['suspensions', 'suspensions', 'last'])
  await unlisten()
})

test('release_all ends a hold that is still under way', async () => {
  const tenant = await makeTenant(sql)
  await fill(tenant, 10_500)
  await holdAll()
  await sql`select c.* from postel.claim_chunk(5000) as c`
  await releaseAll()
  expect((await readPolicies(sql)).allSuspended).toBe(false)
  await sql`call postel.run_operations()`
  expect(await queueNow()).not.toHaveProperty('held by hold_all')
})

test('release_all waits for a chunk that is being held', async () => {
  const tenant = await makeTenant(sql)
  await fill(tenant, 10_500)
  expect(await holdAll()).toBe(10_500)
  const runner = postgres(database.url, { max: 1, onnotice: () => {} })
  try {
    let released: Promise<number> | undefined
    await runner.begin(async (tx) => {
      const [claim] = await tx`select * from postel.claim_chunk()`
      // As another that is at it meanwhile: the chunk ends with the operation's row
      await tx`select pg_advisory_xact_lock_shared(hashtext('postel.run_chunk'))`
      released = releaseAll()
      await until(async () => {
        const [row] = await sql`
          select count(*)::int as count from pg_locks l join pg_database d on d.oid = l.database
          where l.locktype = 'advisory' and not l.granted and d.datname = current_database()`
        return row!.count === 1
      })
      await tx`select postel.run_chunk(${claim!.id}, ${claim!.source}, ${claim!.after_id}, ${claim!.to_id}, ${claim!.phase})`
    })
    expect(await released).toBeGreaterThan(0)
  } finally {
    await runner.end()
  }
  expect((await queueNow())['held by hold_all'] ?? 0).toBe(0)
})

test('hold_all ends a release that is under way', async () => {
  const tenant = await makeTenant(sql)
  await fill(tenant, 10_500)
  await holdAll()
  await person`call postel.run_operations()`
  expect(await releaseAll()).toBe(10_500)
  expect(await holdAll('once more')).toBe(0)
  await person`call postel.run_operations()`
  expect(await queueNow()).toEqual({ queued: 0, 'held by hold_all': 10_500 })
})

test('mail whose body is not there stays held, and that is said', async () => {
  const tenant = await makeTenant(sql)
  const id = await submitOne(sql, tenant)
  await holdAll()
  await sql`delete from postel.message_bodies where message_id = ${id}`
  expect(await releaseAll()).toBe(0)
  expect(notices).toEqual([expect.stringMatching(/^1 recipients stay held: the bodies/)])
  expect((await stateOf(sql, id)).deliveries).toEqual(['1 held'])
})

test('what webhooks are to be told of earlier events waits, also what was not read yet; newer events are told', async () => {
  const tenant = await makeTenant(sql)
  const [webhook] = await sql<{ id: string }[]>`
    insert into postel.webhooks (organization_id, endpoint, events, secret, enabled_at)
    values (${tenant.organizationId}, 'https://hook.test', '{email.sent}', 'x', now() - interval '1 minute')
    returning id::text as id`
  const dispatch = new WebhookDispatchQueries(sql)
  const fanOut = async () => {
    const [row] = await sql<{ floor: string; top: string }[]>`
      select postel.uuid_v7_floor(now() - interval '1 minute')::text as floor,
        postel.uuid_v7_floor(now() + interval '1 minute')::text as top`
    await dispatch.fanOut(row!.floor, row!.top, 100)
  }
  const due = async () => {
    const rows = await sql<{ payload: string }[]>`
      select payload from postel.webhook_claim('{}', '{}', 10, 10, 10, 0, now() + interval '1 s')`
    return rows.map(({ payload }) => JSON.parse(payload).data.subject).sort()
  }
  await submitOne(sql, tenant, { subject: 'read' })
  await fanOut()
  await submitOne(sql, tenant, { subject: 'not read' })
  expect(await due()).toEqual(['read'])

  await holdAll()
  // What is of the same millisecond counts as earlier
  await sql`select pg_sleep(0.002)`
  await submitOne(sql, tenant, { subject: 'new' })
  await fanOut()
  expect(await due()).toEqual(['new'])
  await person`select postel.release_all(mail => false)`
  expect(await due()).toEqual(['new', 'not read', 'read'])
  expect(
    (
      await sql`select count(*)::int as n from postel.webhook_deliveries where webhook_id = ${webhook!.id}`
    )[0]!.n,
  ).toBe(3)
})

test('after_restore takes the IPs from the processes of the past, which are nobody any more', async () => {
  const process = '00000000-0000-4000-8000-000000000002'
  const tenant = await makeTenant(sql, { ips: [{ heldBy: process, nodeName: 'node' }] })
  await submitOne(sql, tenant)
  await sql`insert into postel.backups (object, bodies) values ('x', true)`
  await sql`select postel.begin_ip_move(${tenant.ips[0]!.id}, 'node', 'node', 'other', 'spread')`
  expect((await sql`select postel.after_restore('restored')::int as held`)[0]!.held).toBe(1)
  const taken = await sql`
    select epoch::int from postel.acquire_ips(gen_random_uuid(), 'node', array[${tenant.ips[0]!.address}::inet])`
  expect([...taken]).toEqual([{ epoch: 2 }])
  expect([...(await sql`select ok from postel.backups`)]).toEqual([{ ok: false }])
  expect([...(await sql`select state, error from postel.ip_moves`)]).toEqual([
    { state: 'cancelled', error: 'restored' },
  ])
})
