/** How waiting mail becomes sendable again, and who is told when. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { MaintenanceQueries } from './queries/maintenance.ts'
import { RetrySchedule } from './queries/retry-schedule.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import {
  inconsistencies,
  makeIp,
  makeTenant,
  stateOf,
  submitBatch,
  submitOne,
  type Tenant,
} from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let queries: MaintenanceQueries

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 4 })
  queries = new MaintenanceQueries(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
afterEach(async () => {
  expect(await inconsistencies(sql)).toEqual([])
  await sql`truncate postel.waiting, postel.queue, postel.deliveries`
})

/** Messages that wait, due a second ago. */
async function overdue(tenant: Tenant, count = 1): Promise<string[]> {
  const then = new Date(Date.now() - 2_000)
  const sendAt = new Date(Date.now() - 1_000)
  const { messageIds } = await submitBatch(
    sql,
    tenant,
    Array.from({ length: count }, () => ({ sendAt })),
    then,
  )
  return messageIds
}

async function ipOf(messageId: string): Promise<{ ip_id: number; ip_reason: string }> {
  const [row] = await sql<{ ip_id: number; ip_reason: string }[]>`
    select q.ip_id, d.ip_reason
    from postel.queue q join postel.deliveries d on d.message_id = q.message_id and d.ip_id = q.ip_id
    where q.message_id = ${messageId}`
  return row!
}

describe('retry_delay', () => {
  test.each<[string, number[] | null, number, number]>([
    ['the default after one try', null, 1, 60],
    ['the default after two', null, 2, 300],
    ['the default after many', null, 30, 28_800],
    ['an empty schedule', [], 1, 60],
    ['a schedule of its own', [5, 50], 2, 50],
    ['a schedule at its end', [5, 50], 9, 50],
    ['no try at all', [5, 50], 0, 5],
  ])(
    '%s is within a tenth of what is written, and not always the same',
    async (_, schedule, attempts, seconds) => {
      const rows = await sql<{ seconds: number }[]>`
      select extract(epoch from postel.retry_delay(${schedule}::int[], ${attempts}))::float8 as seconds
      from generate_series(1, 300)`
      const all = rows.map((row) => row.seconds)
      expect(Math.min(...all)).toBeGreaterThanOrEqual(seconds * 0.9)
      expect(Math.max(...all)).toBeLessThanOrEqual(seconds * 1.1)
      expect(Math.max(...all) - Math.min(...all)).toBeGreaterThan(seconds * 0.1)
    },
  )
})

describe('release_due', () => {
  test('moves what is due, and keeps its source IP with its reason', async () => {
    const tenant = await makeTenant(sql, { ips: 3 })
    const [id] = await overdue(tenant)
    const [before] = await sql`select ip_id, ip_reason from postel.deliveries where message_id = ${id!}`
    const { moved, ipIds } = await queries.releaseDue(100)
    expect({ moved, ipIds }).toEqual({ moved: 1, ipIds: [before!.ip_id] })
    expect(await stateOf(sql, id!)).toMatchObject({
      deliveries: ['1 queued'],
      queue: ['dest.test 1'],
      waiting: [],
    })
    expect(await ipOf(id!)).toEqual(before)
  })

  test('gives a row a higher id than any before it', async () => {
    const tenant = await makeTenant(sql)
    const [id] = await overdue(tenant)
    const queued = await submitOne(sql, tenant)
    await queries.releaseDue(100)
    const rows = await sql`select message_id from postel.queue order by id`
    expect(rows.map((row) => row.message_id)).toEqual([queued, id])
  })

  test('leaves what is not due, and what is held however long ago', async () => {
    const tenant = await makeTenant(sql)
    const later = await submitOne(sql, tenant, { sendAt: new Date(Date.now() + 60_000) })
    const [held] = await overdue(tenant)
    await sql`update postel.waiting set state = 'held' where message_id = ${held!}`
    await sql`update postel.deliveries set state = 'held' where message_id = ${held!}`
    expect(await queries.releaseDue(100)).toEqual({ moved: 0, ipIds: [] })
    expect((await stateOf(sql, later)).deliveries).toEqual(['1 scheduled'])
    expect((await stateOf(sql, held!)).deliveries).toEqual(['1 held'])
  })

  test.each(['paused', 'quarantined', 'draining', 'retired'])(
    'moves a row to another IP of its pool when its own is %s, and says so',
    async (state) => {
      await makeTenant(sql, { ips: 3 })
      const tenant = await makeTenant(sql)
      const [id] = await overdue(tenant)
      await sql`update postel.ip_addresses set state = ${state} where id = ${tenant.ips[0]!.id}`
      const other = await makeIp(sql, tenant.poolId)
      expect(await queries.releaseDue(100)).toEqual({ moved: 1, ipIds: [other.id] })
      expect(await ipOf(id!)).toEqual({
        ip_id: other.id,
        ip_reason:
          `drawn by weight from 1 IPs of pool ${tenant.poolName}, none of them held by a node now; ` +
          `was on ${tenant.ips[0]!.address}, which is ${state}`,
      })
    },
  )

  test('leaves an IP that nobody holds for one that somebody does', async () => {
    const tenant = await makeTenant(sql)
    const [id] = await overdue(tenant)
    const other = await makeIp(sql, tenant.poolId, { heldBy: randomUUID() })
    await queries.releaseDue(100)
    expect((await ipOf(id!)).ip_id).toBe(other.id)
  })

  test('lets mail wait another minute while its pool has no usable IP', async () => {
    const tenant = await makeTenant(sql)
    const [id] = await overdue(tenant)
    await sql`update postel.ip_addresses set state = 'paused' where id = ${tenant.ips[0]!.id}`
    expect(await queries.releaseDue(100)).toEqual({ moved: 1, ipIds: [] })
    const [row] = await sql`
      select state, ip_id, reason, not_before between now() + interval '20 s' and now() + interval '61 s' as in_a_minute
      from postel.waiting where message_id = ${id!}`
    expect(row).toEqual({
      state: 'deferred',
      ip_id: null,
      reason: "no usable IP in the project's pool",
      in_a_minute: true,
    })
  })

  test('works in chunks, the oldest first', async () => {
    const tenant = await makeTenant(sql)
    const ids = await overdue(tenant, 25)
    for (const [index, id] of ids.entries())
      await sql`
        update postel.waiting set not_before = now() - make_interval(secs => ${100 - index}) where message_id = ${id}`
    const moved: number[] = []
    for (let round = 0; round < 4; round++) moved.push((await queries.releaseDue(10)).moved)
    expect(moved).toEqual([10, 10, 5, 0])
    const rows = await sql`select message_id from postel.queue order by id`
    expect(rows.map((row) => row.message_id)).toEqual(ids)
  })

  test('never moves a row twice, however many call it at once', async () => {
    const tenant = await makeTenant(sql, { ips: 3 })
    const ids = await overdue(tenant, 400)
    let moved = 0
    const work = async () => {
      for (;;) {
        const chunk = (await queries.releaseDue(30)).moved
        moved += chunk
        if (chunk === 0) return
      }
    }
    await Promise.all([work(), work(), work(), work()])
    // Who finds all rows locked ends early; the last one has seen what was left
    expect(moved).toBe(400)
    const rows = await sql`select message_id from postel.queue`
    expect(rows.map((row) => row.message_id).sort()).toEqual([...ids].sort())
  })
})

describe('schedule_release', () => {
  const now = new Date('2030-01-01T12:00:01Z')
  const at = (seconds: number) => new Date(now.getTime() + seconds * 1000)

  async function schedule(...due: Date[]): Promise<string[]> {
    await sql`delete from graphile_worker._private_jobs`
    const moments = due.map((moment) => moment.toISOString())
    await sql`select postel.schedule_release(${moments}::text[]::timestamptz[], ${now})`
    const rows = await sql<{ runAt: Date; key: string; task: string }[]>`
      select run_at as "runAt", key, task_identifier as task from graphile_worker.jobs order by run_at`
    for (const { key, task, runAt } of rows)
      expect({ key, task }).toEqual({ key: `release:${runAt.getTime() / 1000}`, task: 'release_due' })
    return rows.map((row) => row.runAt.toISOString().slice(11, 19))
  }

  test.each<[string, number, string]>([
    ['10 s wide, for now', 0, '12:00:10'],
    ['10 s wide, within ten minutes', 598, '12:10:00'],
    ['60 s wide, from ten minutes on', 600, '12:11:00'],
    ['60 s wide, within two hours', 7_199, '14:00:00'],
    ['300 s wide, from two hours on', 7_200, '14:05:00'],
    ['300 s wide, tomorrow', 86_400, '12:05:00'],
  ])('the bucket is %s', async (_, seconds, expected) => {
    expect(await schedule(at(seconds))).toEqual([expected])
  })

  test('there is one job per bucket, never before what is due in it', async () => {
    const seconds = Array.from({ length: 500 }, (_, index) => index / 10)
    expect(await schedule(...seconds.map(at))).toEqual([
      '12:00:10',
      '12:00:20',
      '12:00:30',
      '12:00:40',
      '12:00:50',
      '12:01:00',
    ])
  })

  test('a second call for a bucket changes nothing', async () => {
    await schedule(at(5))
    const before = await sql`select id, run_at from graphile_worker.jobs`
    await sql`select postel.schedule_release(array[${at(6)}::timestamptz], ${now})`
    expect([...(await sql`select id, run_at from graphile_worker.jobs`)]).toEqual([...before])
  })

  test('a process asks once for a bucket, and survives an error', async () => {
    await sql`delete from graphile_worker._private_jobs`
    const errors: unknown[] = []
    let calls = 0
    const counting = new Proxy(sql, {
      apply: (target, _, args: never) => {
        calls++
        return (target as unknown as (...args: never[]) => unknown)(...(args as never[]))
      },
    })
    const retries = new RetrySchedule(counting, (error) => errors.push(error))
    const due = new Date(Math.ceil(Date.now() / 10_000) * 10_000 + 30_000)
    await retries.add([due, new Date(due.getTime() - 1_000)])
    await retries.add([due])
    const [row] = await sql`select count(*)::int as count from graphile_worker.jobs`
    expect({ calls, jobs: row!.count, errors }).toEqual({ calls: 1, jobs: 1, errors: [] })

    const broken = new RetrySchedule((() => Promise.reject(new Error('away'))) as unknown as Sql, (error) =>
      errors.push(error),
    )
    await broken.add([due])
    expect(errors).toEqual([new Error('away')])
  })
})

test('sweep names the IPs that have mail in the queue, and no others', async () => {
  expect(await queries.ipsWithMail()).toEqual([])
  const tenants = [await makeTenant(sql), await makeTenant(sql), await makeTenant(sql)]
  await submitBatch(sql, tenants[0]!, [{}, {}, {}])
  await submitOne(sql, tenants[1]!, { sendAt: new Date(Date.now() + 60_000) })
  await submitOne(sql, tenants[2]!)
  expect(await queries.ipsWithMail()).toEqual([tenants[0]!.ips[0]!.id, tenants[2]!.ips[0]!.id])
})

describe('retry', () => {
  test("tries a message's deferred recipients now, and nobody else's", async () => {
    const tenant = await makeTenant(sql)
    const [id, other] = [
      await submitOne(sql, tenant, { to: ['a@dest.test', 'b@dest.test', 'c@other.test'] }),
      await submitOne(sql, tenant),
    ]
    await sql`
      with gone as (delete from postel.queue returning *)
      insert into postel.waiting (
        state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id,
        organization_id, project_id, domain, numbers, recipients
      )
      select
        'deferred', now() + interval '1 hour', 'later', ip_id, priority, 1, lost_holders, size_bytes, expires_at,
        message_id, organization_id, project_id, domain, numbers, recipients
      from gone`
    await sql`update postel.deliveries set state = 'deferred'`
    const [row] = await sql`select postel.retry(${id}) as recipients`
    expect(row).toEqual({ recipients: 3 })
    expect(await stateOf(sql, id)).toMatchObject({ queue: ['dest.test 1,2', 'other.test 3'], waiting: [] })
    expect(await stateOf(sql, other)).toMatchObject({ queue: [], waiting: ['deferred dest.test 1'] })
  })

  test('leaves scheduled and held mail where it is', async () => {
    const tenant = await makeTenant(sql)
    const scheduled = await submitOne(sql, tenant, { sendAt: new Date(Date.now() + 60_000) })
    const [held] = await overdue(tenant)
    await sql`update postel.waiting set state = 'held' where message_id = ${held!}`
    await sql`update postel.deliveries set state = 'held' where message_id = ${held!}`
    for (const id of [scheduled, held!, randomUUID()]) {
      const [row] = await sql`select postel.retry(${id}) as recipients`
      expect(row).toEqual({ recipients: 0 })
    }
    expect((await stateOf(sql, scheduled)).waiting).toEqual(['scheduled dest.test 1'])
    expect((await stateOf(sql, held!)).waiting).toEqual(['held dest.test 1'])
  })
})
