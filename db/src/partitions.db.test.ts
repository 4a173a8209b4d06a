/** Days come and go: partitions are there before they are needed, and go when nothing in them is live. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { MaintenanceQueries } from './queries/maintenance.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { awayFromMidnight, makeTenant, stateOf, submitOne, until } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let queries: MaintenanceQueries

beforeAll(async () => {
  await awayFromMidnight()
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 4 })
  queries = new MaintenanceQueries(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})

const parents = ['messages', 'message_bodies', 'message_tags', 'deliveries', 'attempts', 'events']
const dayMs = 86_400_000
const day = (offset: number, from = Date.now()) =>
  new Date(from + offset * dayMs).toISOString().slice(0, 10).replaceAll('-', '')

async function partitionsOf(parent: string): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = ${`postel.${parent}`}::regclass order by c.relname`
  return rows.map((row) => row.name)
}

async function makeDays(from: number): Promise<void> {
  await sql`select postel.create_partitions(1, now() + ${`${from} days`}::interval)`
}

describe('create_partitions', () => {
  test('a migrated database has yesterday, today and fourteen days', async () => {
    // Test databases are copies of one that was migrated before all tests: that may have been yesterday
    const [migrated] = await sql<{ at: Date }[]>`select min(applied_at) as at from postel.schema_versions`
    const days = Array.from({ length: 16 }, (_, index) => day(index - 1, migrated!.at.getTime()))
    for (const parent of parents)
      expect(await partitionsOf(parent)).toEqual(days.map((each) => `${parent}_${each}`))
    await queries.createPartitions()
    expect(await queries.createPartitions()).toBe(0)
  })

  test('makes what is missing, whoever else does', async () => {
    const later = new Date(Date.now() + dayMs)
    const made = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const [row] = await sql<{ made: number }[]>`select postel.create_partitions(14, ${later}) as made`
        return row!.made
      }),
    )
    expect(made.sort()).toEqual([0, 0, 0, parents.length])
  })

  test('mail finds its partition at both ends of a day', async () => {
    for (const at of ['00:00:00.000', '23:59:59.999']) {
      const moment = `${new Date(Date.now() + 5 * dayMs).toISOString().slice(0, 10)}T${at}Z`
      const [row] = await sql`
        insert into postel.events (id, organization_id, message_id, type)
        values (postel.uuid_v7_floor(${moment}), gen_random_uuid(), gen_random_uuid(), 'accepted')
        returning tableoid::regclass::text as partition`
      expect(row!.partition).toMatch(new RegExp(`events_${day(5)}$`))
    }
    await sql`delete from postel.events`
  })

  test('a partition has the indexes of its table, and no others', async () => {
    const rows = await sql<{ partition: string; missing: number; more: number }[]>`
      select
        p.inhrelid::regclass::text as partition,
        (
          select count(*)::int from pg_index i
          where i.indrelid = p.inhparent and not exists (
            select from pg_inherits h join pg_index c on c.indexrelid = h.inhrelid
            where h.inhparent = i.indexrelid and c.indrelid = p.inhrelid
          )
        ) as missing,
        (
          select count(*)::int from pg_index c
          where c.indrelid = p.inhrelid and not exists (select from pg_inherits h where h.inhrelid = c.indexrelid)
        ) as more
      from pg_inherits p
      where p.inhparent = any (${parents.map((each) => `postel.${each}`)}::text[]::regclass[])`
    expect(rows.filter(({ missing, more }) => missing > 0 || more > 0)).toEqual([])
    expect(rows.length).toBeGreaterThanOrEqual(16 * parents.length)
  })

  test('a plan that was made for an empty partition finds a message by its key', async () => {
    const cases: [table: string, key: string, index: RegExp][] = [
      ['messages', 'id = $1', /^messages_\d+_pkey$/],
      ['message_bodies', 'message_id = $1', /^message_bodies_\d+_pkey$/],
      ['deliveries', 'message_id = $1 and number = 1', /^deliveries_\d+_pkey$/],
      ['attempts', 'message_id = $1 and number = 1', /^attempts_\d+_pkey$/],
      ['events', "message_id = $1 and type = 'held'", /^events_\d+_message_id_idx$/],
    ]
    for (const [table, key, index] of cases) {
      const partition = `postel.${table}_${day(3)}`
      // Vacuum says of an empty table that it is empty; before that the planner thinks of ten pages
      await sql.unsafe(`vacuum analyze ${partition}`)
      const [plan] = await sql.begin(async (tx) => {
        await tx.unsafe('set local enable_seqscan = off; set local enable_bitmapscan = off')
        await tx.unsafe(`prepare find_${table}(uuid) as select * from ${partition} where ${key}`)
        return tx.unsafe(`explain (format json) execute find_${table}('${'0'.repeat(32)}')`)
      })
      expect(JSON.stringify(plan)).toContain('Index Name')
      const name = /"Index Name":"([^"]+)"/.exec(JSON.stringify(plan))![1]
      expect(name).toMatch(index)
    }
  })
})

describe('uuid_v7', () => {
  test('is a version 7 UUID of the database’s clock', async () => {
    const [row] = await sql<{ early: boolean; late: boolean; text: string }[]>`
      select u.id::text as text, u.id >= postel.uuid_v7_floor(clock_timestamp() - interval '1 minute') as early,
        u.id < postel.uuid_v7_floor(clock_timestamp() + interval '1 s') as late
      from (select postel.uuid_v7() as id) as u`
    expect(row!.text).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(row).toMatchObject({ early: true, late: true })
  })

  test('never repeats', async () => {
    const [row] = await sql`
      select count(distinct postel.uuid_v7())::int as count from generate_series(1, 10000)`
    expect(row).toEqual({ count: 10_000 })
  })

  test('is greater than those that were made before it, within a millisecond too', async () => {
    const rows = await sql<{ id: string }[]>`
      insert into postel.events (organization_id, message_id, type)
      select gen_random_uuid(), gen_random_uuid(), 'accepted' from generate_series(1, 20)
      returning id`
    const ids = rows.map(({ id }) => id)
    expect(ids).toEqual(ids.toSorted())
    await sql`delete from postel.events`
  })

  test('is never below uuid_v7_floor of a moment before it, whatever the microsecond', async () => {
    const [row] = await sql<{ below: number }[]>`
      select count(*)::int as below from generate_series(1, 10000)
      -- in this order
      where postel.uuid_v7_floor(clock_timestamp()) > postel.uuid_v7()`
    expect(row).toEqual({ below: 0 })
    const [floors] = await sql`
      select postel.uuid_v7_floor('2026-11-21T12:34:56.789999Z') =
        postel.uuid_v7_floor('2026-11-21T12:34:56.789Z') as same`
    expect(floors).toEqual({ same: true })
  })

  test.each([
    ['1970-01-01T00:00:00Z', '00000000-0000-7000-8000-000000000000'],
    ['2026-11-21T12:34:56.789Z', '019aa6b2-3bd5-7000-8000-000000000000'],
  ])('uuid_v7_floor of %s is the smallest of its millisecond', async (at, expected) => {
    const [row] = await sql<{ id: string }[]>`select postel.uuid_v7_floor(${at}) as id`
    const milliseconds = Number.parseInt(row!.id.slice(0, 13).replace('-', ''), 16)
    expect(milliseconds).toBe(Date.parse(at))
    expect(row!.id.slice(13)).toBe(expected.slice(13))
  })
})

describe('retention', () => {
  beforeAll(() => makeDays(-40))

  async function expired(retentionDays: number): Promise<string[]> {
    return (await queries.expiredPartitions(retentionDays)).map(({ partition }) => partition)
  }
  const of = (...offsets: number[]) =>
    offsets.flatMap((offset) => [...parents].sort().map((parent) => `${parent}_${day(offset)}`))

  test('partitions past it are named, the oldest first', async () => {
    expect(await expired(30)).toEqual(of(-41, -40, -39))
    expect(await expired(38)).toEqual(of(-41, -40, -39))
    expect(await expired(39)).toEqual(of(-41, -40))
    expect(await expired(41)).toEqual([])
  })

  test.each([
    ['waits', 'waiting'],
    ['is queued', 'queue'],
  ])('a day of which mail still %s is kept whole, and only that day', async (_, table) => {
    const tenant = await makeTenant(sql)
    const id = await submitOne(
      sql,
      tenant,
      table === 'waiting' ? { sendAt: new Date(Date.now() + dayMs) } : {},
    )
    await sql`
      update postel.${sql(table)} set message_id = postel.uuid_v7_floor(now() - interval '40 days')
      where message_id = ${id}`
    try {
      expect(await expired(30)).toEqual(of(-41, -39))
    } finally {
      await sql`delete from postel.${sql(table)}`
    }
  })

  test('a partition is detached and dropped while mail goes on', async () => {
    const tenant = await makeTenant(sql)
    const [partition] = await expired(30)
    let done = false
    const traffic = (async () => {
      const ids: string[] = []
      do ids.push(await submitOne(sql, tenant))
      while (!done)
      return ids
    })()
    // Who pauses with a lock on it keeps it from that for longer than it waits
    const dropped = (parent: string, partition: string) =>
      queries.dropPartition(parent, partition).then(
        () => true,
        (error) => {
          if (error.code !== '55P03') throw error
          return false
        },
      )
    try {
      for (const { parent, partition } of await queries.expiredPartitions(39))
        await until(() => dropped(parent, partition))
    } finally {
      done = true
    }
    const ids = await traffic
    expect((await stateOf(sql, ids.at(-1)!)).deliveries).toEqual(['1 queued'])
    expect(await expired(30)).toEqual(of(-39))
    const [row] = await sql`select to_regclass(${`postel.${partition!}`}) as found`
    expect(row).toEqual({ found: null })
  })

  test('what has gone already is no error', async () => {
    await queries.dropPartition('messages', 'messages_19990101')
  })

  test('a drop that cannot have its lock gives up in seconds, and the next call finishes it', async () => {
    const [{ parent, partition }] = (await queries.expiredPartitions(30)) as [
      { parent: string; partition: string },
    ]
    const reader = connect(database.url, { name: 'reader', max: 1 })
    try {
      const started = performance.now()
      await reader.begin(async (tx) => {
        await tx`select from postel.${tx(parent)} limit 1`
        await expect(queries.dropPartition(parent, partition)).rejects.toMatchObject({ code: '55P03' })
      })
      // 2 s; a session's own limit is 10
      expect(performance.now() - started).toBeLessThan(9_000)
      await queries.dropPartition(parent, partition)
      expect(await expired(30)).not.toContain(partition)
    } finally {
      await reader.end({ timeout: 1 })
    }
  })

  test('a detach that was cut short is finished by the next call', async () => {
    const [{ parent, partition }] = (await queries.expiredPartitions(30)) as [
      { parent: string; partition: string },
    ]
    const reader = connect(database.url, { name: 'reader', max: 1 })
    try {
      await reader.begin(async (tx) => {
        await tx`select from postel.${tx(parent)} limit 1`
        const cut = queries.dropPartition(parent, partition).catch((error) => error)
        await until(async () => {
          const rows = await sql`
            select from pg_inherits
            where inhrelid = to_regclass(${`postel.${partition}`}) and inhdetachpending`
          return rows.length > 0
        })
        await sql`select pg_terminate_backend(pid) from pg_stat_activity where query ~ 'detach partition' and state = 'active'
          and datname = current_database() and pid <> pg_backend_pid()`
        expect(await cut).toBeInstanceOf(Error)
      })
      await queries.dropPartition(parent, partition)
      const [row] = await sql`select to_regclass(${`postel.${partition}`}) as found`
      expect(row).toEqual({ found: null })
    } finally {
      await reader.end({ timeout: 1 })
    }
  })
})

test('idempotency keys go after a day', async () => {
  const tenant = await makeTenant(sql)
  for (const age of ['23 hours', '25 hours'])
    await sql`
      insert into postel.idempotency_keys (project_id, key, request_hash, message_ids, created_at)
      values (${tenant.projectId}, ${age}, '', '{}', now() - ${age}::interval)`
  await queries.dropExpiredKeys()
  expect([...(await sql`select key from postel.idempotency_keys`)]).toEqual([{ key: '23 hours' }])
})
