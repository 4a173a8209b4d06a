/** The pool: arrays go there and back, and lost connections cost no more than the statements that they carried. */
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { connect, connectApart, requireDurability, type Sql } from './client.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { unique } from './testing/factories.ts'

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

describe('an array', () => {
  const moment = new Date('2026-11-21T12:34:56.789Z')
  test.each<[string, unknown[]]>([
    ['int4', [1, -2, null, 2_147_483_647]],
    ['int2', [1, 32_767]],
    ['int8', ['1', '9223372036854775807', null]],
    ['float8', [1.5, -0.25]],
    ['bool', [true, false, null]],
    ['text', ['', 'a b', 'NULL', 'null', '{}', ',', '"', '\\', "it's", '\n\r\t', 'ü🎉', '  ', null]],
    ['varchar', ['a']],
    ['uuid', ['0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e']],
    ['inet', ['192.0.2.1', '2001:db8::/32']],
    ['cidr', ['10.0.0.0/8']],
    ['timestamptz', [moment, null]],
    ['bytea', [Buffer.from([0, 34, 92, 255]), Buffer.alloc(0)]],
    ['jsonb', [{ a: ['"', null, 'text'] }, 1]],
    ['text', []],
    [
      'int4',
      [
        [1, 2],
        [3, 4],
      ],
    ],
  ])('of %s comes back as it went: %j', async (type, values) => {
    // postgres.js takes an array of these for one of its elements, unless told what it is
    const oid = { bool: 1000, bytea: 1001, timestamptz: 1185 }[type]
    const parameter = oid ? sql.typed(values as never, oid) : (values as string[])
    const [row] = await sql`select ${parameter}::${sql.unsafe(`${type}[]`)} as values`
    expect(row!.values).toEqual(values)
  })

  test('that Postgres makes is read, with bounds too', async () => {
    const [row] =
      await sql`select array_agg(n) as numbers, '[2:3]={7,8}'::int[] as bounded, null::int[] as none
      from generate_series(1, 3) as n`
    expect(row).toEqual({ numbers: [1, 2, 3], bounded: [7, 8], none: null })
  })

  test('is typed by what it is compared with', async () => {
    const [row] = await sql`select 2 = any (${[1, 2]}) as here, 'b' = any (${['a', 'b']}) as there`
    expect(row).toEqual({ here: true, there: true })
  })

  test('of every type that the schema has is known', async () => {
    const rows = await sql<{ type: string }[]>`
      select distinct a.atttypid::regtype::text as type
      from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_type t on t.oid = a.atttypid
      where c.relnamespace = 'postel'::regnamespace and t.typcategory = 'A' and a.attnum > 0`
    for (const { type } of rows) {
      const [row] = await sql.unsafe(`select '{}'::${type} as value`)
      expect(row).toEqual({ value: [] })
    }
    expect(rows.length).toBeGreaterThan(3)
  })
})

test('connections that break, even while they are being made, reject statements and nothing else', async () => {
  const name = unique('pool')
  const pool = connect(database.url, { name, max: 3, statementTimeoutMs: 1_000 })
  const stray: unknown[] = []
  const note = (error: unknown) => stray.push(error)
  process.on('unhandledRejection', note)
  process.on('uncaughtException', note)
  try {
    let failed = 0
    const end = performance.now() + 3_000
    // Until one has broken at least, however slow the machine
    const goesOn = () => performance.now() < end + (failed > 0 ? 0 : 30_000)
    const ask = async () => {
      while (goesOn())
        await pool`select ${[1, 2]}::int[]`.catch(() => {
          failed++
        })
    }
    const cut = async () => {
      while (goesOn())
        await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${name}`
    }
    await Promise.all([ask(), ask(), ask(), ask(), cut()])
    expect(failed).toBeGreaterThan(0)
    // It is back by itself
    const began = performance.now()
    for (;;) if (await pool`select 1`.then(() => true).catch(() => false)) break
    expect(performance.now() - began).toBeLessThan(60_000)
    expect(stray).toEqual([])
  } finally {
    process.off('unhandledRejection', note)
    process.off('uncaughtException', note)
    await pool.end({ timeout: 1 })
  }
})

test('a statement that the link has swallowed is rejected in time, and the next one is answered', async () => {
  const target = new URL(database.url)
  const sockets = new Set<Socket>()
  let swallow = false
  const proxy = createServer((client) => {
    const upstream = dial(Number(target.port), target.hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => swallow || to.write(chunk))
      from.on('close', () => to.destroy())
      from.on('error', () => to.destroy())
    }
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const url = new URL(database.url)
  url.port = String((proxy.address() as AddressInfo).port)
  const pool = connect(url.href, { name: 'swallowed', max: 1, statementTimeoutMs: 3_000 })
  try {
    await pool`select 1`
    swallow = true
    const began = performance.now()
    await expect(pool`select 1`).rejects.toThrow('the database does not answer')
    expect(performance.now() - began).toBeLessThan(40_000)
    swallow = false
    expect(await pool`select 1 as n`).toEqual([{ n: 1 }])
    expect(await pool.unsafe('select 2 as n')).toEqual([{ n: 2 }])
  } finally {
    await pool.end({ timeout: 1 })
    for (const socket of sockets) socket.destroy()
    proxy.close()
  }
})

test('a connection apart has its own settings, and the pool keeps its', async () => {
  const apart = connectApart(sql, { lock_timeout: '2s' })
  try {
    expect(await apart`show lock_timeout`).toEqual([{ lock_timeout: '2s' }])
    expect(await sql`show lock_timeout`).toEqual([{ lock_timeout: '10s' }])
  } finally {
    await apart.end({ timeout: 1 })
  }
})

describe('a database that could lose what it promised is refused', () => {
  test('fsync off', async () => {
    // The tests' own server
    await expect(requireDurability(sql)).rejects.toThrow('fsync=off')
  })

  test.each(['off', 'local'])('synchronous_commit %s', async (setting) => {
    const settings = async () => [{ fsync: 'on', commit: setting }]
    await expect(requireDurability(settings as unknown as Sql)).rejects.toThrow(
      `synchronous_commit=${setting}`,
    )
  })

  test.each(['on', 'remote_apply', 'remote_write'])('and synchronous_commit %s is fine', async (setting) => {
    const settings = async () => [{ fsync: 'on', commit: setting }]
    await requireDurability(settings as unknown as Sql)
  })
})
