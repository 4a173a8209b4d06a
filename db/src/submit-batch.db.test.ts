/** What is in the database after messages were stored. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { databaseFault } from './errors.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import {
  awayFromMidnight,
  inconsistencies,
  makeIp,
  makeTenant,
  stateOf,
  submitBatch,
  submitOne,
} from './testing/factories.ts'

let database: TestDatabase
let sql: Sql

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
afterEach(async () => expect(await inconsistencies(sql)).toEqual([]))

async function count(table: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*)::int as count from postel.${sql(table)}`
  return row!.count
}

test('a message is its row, its body, a delivery per recipient, a queue row per domain and an event', async () => {
  const tenant = await makeTenant(sql)
  const now = new Date()
  const stored = await submitBatch(
    sql,
    tenant,
    [{ to: ['a@one.test', 'b@two.test', 'c@one.test'], raw: 'Subject: x\r\n\r\nbody\r\n', subject: 'x' }],
    now,
  )
  expect(stored).toEqual({ messageIds: [expect.any(String)], ipIds: [tenant.ips[0]!.id], due: null })
  const id = stored.messageIds[0]!
  expect(await stateOf(sql, id)).toEqual({
    deliveries: ['1 queued', '2 queued', '3 queued'],
    queue: ['one.test 1,3', 'two.test 2'],
    waiting: [],
    events: ['accepted'],
  })
  const [message] = await sql`select * from postel.messages where id = ${id}`
  expect(message).toMatchObject({
    created_at: now,
    expires_at: new Date(now.getTime() + 259_200_000),
    organization_id: tenant.organizationId,
    project_id: tenant.projectId,
    size_bytes: 20,
    recipient_count: 3,
    source: 'smtp',
    envelope_from: `a@${tenant.domain}`,
    signing_domain: tenant.domain,
    subject: 'x',
    details: null,
  })
  const [body] = await sql`select encoding, body from postel.message_bodies where message_id = ${id}`
  expect(body).toEqual({ encoding: 0, body: Buffer.from('Subject: x\r\n\r\nbody\r\n') })
  const rows = await sql`
    select domain, recipients, attempts, lost_holders, priority, size_bytes, organization_id, project_id, queued_at
    from postel.queue where message_id = ${id} order by domain`
  const { organizationId: organization_id, projectId: project_id } = tenant
  const same = {
    attempts: 0,
    lost_holders: 0,
    priority: 50,
    size_bytes: 20,
    organization_id,
    project_id,
    queued_at: now,
  }
  expect([...rows]).toEqual([
    { domain: 'one.test', recipients: ['a@one.test', 'c@one.test'], ...same },
    { domain: 'two.test', recipients: ['b@two.test'], ...same },
  ])
})

test('each message of a batch has its own body, and ids come in the order given', async () => {
  const tenant = await makeTenant(sql)
  const bodies = Array.from({ length: 20 }, (_, index) => `${'x'.repeat(index)}\r\n`)
  const { messageIds } = await submitBatch(
    sql,
    tenant,
    bodies.map((raw) => ({ raw })),
  )
  const found = await Promise.all(
    messageIds.map(async (id) => {
      const [row] = await sql<{ body: Buffer }[]>`
        select body from postel.message_bodies where message_id = ${id}`
      return row!.body.toString()
    }),
  )
  expect(found).toEqual(bodies)
})

test.each<[string, (foreign: { organizationId: string; projectId: string }) => object]>([
  ['another organization', ({ projectId }) => ({ projectId })],
  ['nobody', () => ({ projectId: randomUUID() })],
  ['the caller, said to be of another organization', ({ organizationId }) => ({ organizationId })],
])('a project of %s is refused, and nothing of its batch is stored', async (_, wrong) => {
  const tenant = await makeTenant(sql)
  const before = await Promise.all(['messages', 'message_bodies', 'deliveries', 'queue', 'events'].map(count))
  const other = await makeTenant(sql)
  const failure = submitBatch(sql, tenant, [{}, wrong(other), {}])
  await expect(failure).rejects.toMatchObject({ code: '23503' })
  const after = await Promise.all(['messages', 'message_bodies', 'deliveries', 'queue', 'events'].map(count))
  expect(after).toEqual(before)
})

describe('suppression', () => {
  test('a suppressed recipient ends at once, the others are sent', async () => {
    const tenant = await makeTenant(sql)
    await sql`
      insert into postel.suppressions (organization_id, address, reason)
      values (${tenant.organizationId}, 'bob@one.test', 'bounced')`
    const id = await submitOne(sql, tenant, { to: ['ann@one.test', 'Bob@one.test', 'carol@two.test'] })
    expect(await stateOf(sql, id)).toEqual({
      deliveries: ['1 queued', '2 suppressed', '3 queued'],
      queue: ['one.test 1', 'two.test 3'],
      waiting: [],
      events: ['accepted', '2 suppressed'],
    })
  })

  test('a message of suppressed recipients only is kept and never queued', async () => {
    const tenant = await makeTenant(sql)
    await sql`
      insert into postel.suppressions (organization_id, address, reason)
      values (${tenant.organizationId}, 'bob@one.test', 'bounced')`
    const stored = await submitBatch(sql, tenant, [{ to: ['bob@one.test'] }])
    expect(stored).toMatchObject({ ipIds: null, due: null })
    expect(await stateOf(sql, stored.messageIds[0]!)).toMatchObject({
      deliveries: ['1 suppressed'],
      queue: [],
      waiting: [],
    })
  })

  test("another organization's suppression does not count", async () => {
    const [tenant, other] = [await makeTenant(sql), await makeTenant(sql)]
    await sql`
      insert into postel.suppressions (organization_id, address, reason)
      values (${other.organizationId}, 'bob@one.test', 'bounced')`
    const id = await submitOne(sql, tenant, { to: ['bob@one.test'] })
    expect((await stateOf(sql, id)).deliveries).toEqual(['1 queued'])
  })
})

describe('what cannot leave yet waits', () => {
  test('scheduled mail, until its time', async () => {
    const tenant = await makeTenant(sql)
    const sendAt = new Date(Date.now() + 3_600_000)
    const stored = await submitBatch(sql, tenant, [{ sendAt }])
    expect(stored).toMatchObject({ ipIds: null, due: [sendAt] })
    const id = stored.messageIds[0]!
    expect(await stateOf(sql, id)).toEqual({
      deliveries: ['1 scheduled'],
      queue: [],
      waiting: ['scheduled dest.test 1'],
      events: ['accepted'],
    })
    const [row] = await sql`
      select w.not_before, m.expires_at
      from postel.waiting w join postel.messages m on m.id = w.message_id where m.id = ${id}`
    expect(row).toEqual({ not_before: sendAt, expires_at: new Date(sendAt.getTime() + 259_200_000) })
  })

  test('but not mail scheduled for a moment that has passed', async () => {
    const tenant = await makeTenant(sql)
    const id = await submitOne(sql, tenant, { sendAt: new Date(Date.now() - 1000) })
    expect(await stateOf(sql, id)).toMatchObject({
      deliveries: ['1 queued'],
      queue: ['dest.test 1'],
      waiting: [],
    })
  })

  test.each([
    ['paused', [{ state: 'paused' }]],
    ['quarantined', [{ state: 'quarantined' }]],
    ['draining', [{ state: 'draining' }]],
    ['retired', [{ state: 'retired' }]],
    ['without weight', [{ weight: 0 }]],
    ['missing', []],
  ])('mail of a pool whose IPs are %s, a minute', async (_, ips) => {
    const tenant = await makeTenant(sql, { ips })
    const now = new Date()
    const stored = await submitBatch(sql, tenant, [{}], now)
    expect(stored).toMatchObject({ ipIds: null, due: [new Date(now.getTime() + 60_000)] })
    const id = stored.messageIds[0]!
    expect(await stateOf(sql, id)).toMatchObject({
      deliveries: ['1 deferred'],
      waiting: ['deferred dest.test 1'],
    })
    const [row] = await sql`select reason, ip_id from postel.waiting where message_id = ${id}`
    expect(row).toEqual({ reason: "no usable IP in the project's pool", ip_id: null })
  })
})

describe('priority and expiry', () => {
  const stored = async (id: string) => {
    const [row] = await sql<{ priority: number; seconds: number; same: boolean }[]>`
      select q.priority::int, extract(epoch from m.expires_at - m.created_at)::int as seconds,
        q.expires_at = m.expires_at as same
      from postel.messages m
      join (
        select message_id, priority, expires_at from postel.queue
        union all
        select message_id, priority, expires_at from postel.waiting
      ) as q on q.message_id = m.id
      where m.id = ${id}`
    return [row!.priority, row!.seconds, row!.same]
  }

  test("are the project's where a message has none, and its own beside others in the batch", async () => {
    const tenant = await makeTenant(sql, { expireAfterSeconds: 3_600 })
    await sql`update postel.projects set priority = 90 where id = ${tenant.projectId}`
    const { messageIds } = await submitBatch(sql, tenant, [
      {},
      { priority: 10, expiresInSeconds: 600 },
      { expiresInSeconds: 3_601 },
    ])
    expect(await Promise.all(messageIds.map(stored))).toEqual([
      [90, 3_600, true],
      [10, 600, true],
      [90, 3_600, true],
    ])
  })

  test('count from the time for which a message is scheduled', async () => {
    const tenant = await makeTenant(sql)
    const now = new Date()
    const sendAt = new Date(now.getTime() + 7_200_000)
    const { messageIds } = await submitBatch(
      sql,
      tenant,
      [{ sendAt, expiresInSeconds: 600, priority: 10 }],
      now,
    )
    expect(await stored(messageIds[0]!)).toEqual([10, 7_800, true])
  })

  test('keys that an older process does not send are as null', async () => {
    const tenant = await makeTenant(sql)
    const element = {
      org: tenant.organizationId,
      prj: tenant.projectId,
      src: 'smtp',
      efrom: '',
      mid: '<1@x.test>',
      hfrom: '',
      subj: '',
      size: 1,
      off: 1,
      len: 1,
      enc: 0,
      rcpt: ['a@dest.test'],
      rdom: ['dest.test'],
    }
    const [row] = await sql<{ id: string }[]>`
      select b.message_ids[1] as id
      from postel.submit_batch(${JSON.stringify([element])}::text::json, ${Buffer.from('x')}) as b`
    expect(await stored(row!.id)).toEqual([50, 259_200, true])
  })
})

describe('the source IP', () => {
  const many = Array.from({ length: 200 }, () => ({}))

  async function drawn(ids: readonly string[]): Promise<Map<number, number>> {
    const rows = await sql<{ ipId: number; count: number }[]>`
      select ip_id as "ipId", count(*)::int as count from postel.queue
      where message_id = any (${ids as string[]}::uuid[]) group by ip_id`
    return new Map(rows.map((row) => [row.ipId, row.count]))
  }

  test("is never outside the project's pool, nor one that may not send", async () => {
    await makeTenant(sql, { ips: 3 })
    const tenant = await makeTenant(sql, {
      ips: [{}, { state: 'warming' }, { state: 'paused' }, { weight: 0 }],
    })
    const { messageIds } = await submitBatch(sql, tenant, many)
    expect([...(await drawn(messageIds)).keys()].sort((a, b) => a - b)).toEqual([
      tenant.ips[0]!.id,
      tenant.ips[1]!.id,
    ])
  })

  test('is drawn by weight', async () => {
    const tenant = await makeTenant(sql, { ips: [{ weight: 300 }, { weight: 100 }] })
    const { messageIds } = await submitBatch(sql, tenant, [...many, ...many])
    // 400 draws at 3 in 4: 300, and five standard deviations are 43
    const heavy = (await drawn(messageIds)).get(tenant.ips[0]!.id)!
    expect(heavy).toBeGreaterThan(256)
    expect(heavy).toBeLessThan(344)
  })

  test('is one that a process holds, as long as there is one', async () => {
    const tenant = await makeTenant(sql, { ips: [{ weight: 10_000 }, { weight: 1, heldBy: randomUUID() }] })
    const { messageIds } = await submitBatch(sql, tenant, many)
    expect([...(await drawn(messageIds))]).toEqual([[tenant.ips[1]!.id, many.length]])
    const [row] = await sql`select ip_reason from postel.deliveries where message_id = ${messageIds[0]!}`
    expect(row!.ip_reason).toBe(`drawn by weight from 1 held IPs of pool ${tenant.poolName}`)
  })

  test('is any of the pool when the holds have expired, with that as its reason', async () => {
    const tenant = await makeTenant(sql, { ips: 0 })
    const ip = await makeIp(sql, tenant.poolId, { heldBy: randomUUID() })
    await sql`update postel.ip_holders set expires_at = now() - interval '1 s' where ip_id = ${ip.id}`
    const id = await submitOne(sql, tenant)
    const [row] = await sql`select ip_id, ip_reason from postel.deliveries where message_id = ${id}`
    expect(row).toEqual({
      ip_id: ip.id,
      ip_reason: `drawn by weight from 1 IPs of pool ${tenant.poolName}, none of them held by a node now`,
    })
  })
})

test('mail for a day without a partition is put off, not refused for ever', async () => {
  await awayFromMidnight()
  const tenant = await makeTenant(sql)
  const failure = sql.begin(async (tx) => {
    const name = `messages_${new Date().toISOString().slice(0, 10).replaceAll('-', '')}`
    await tx`alter table postel.messages detach partition postel.${sql(name)}`
    await submitOne(tx as unknown as Sql, tenant)
  })
  const error = await failure.catch((error) => error)
  expect(error).toMatchObject({ code: '23514' })
  expect(databaseFault(error)).toBe('unavailable')
})
