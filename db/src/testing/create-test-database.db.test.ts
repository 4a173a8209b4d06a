// That each test database is migrated, separate, and gone when dropped; and that a test's own cluster works.
import { afterEach, expect, test } from '@jest/globals'
import postgres from 'postgres'
import { createTestDatabase, type TestDatabase } from './create-test-database.ts'
import { databaseUrl } from './server.ts'
import { startTestCluster } from './start-test-cluster.ts'

let databases: TestDatabase[] = []

afterEach(async () => {
  await Promise.all(databases.map((database) => database.drop()))
  databases = []
})

async function make(count: number): Promise<TestDatabase[]> {
  databases = await Promise.all(Array.from({ length: count }, createTestDatabase))
  return databases
}

async function query(url: string, text: string): Promise<unknown[]> {
  const sql = postgres(url, { max: 1 })
  try {
    return [...(await sql.unsafe(text).values())].flat()
  } finally {
    await sql.end()
  }
}

const schemaExists = "select count(*)::int from pg_namespace where nspname = 'postel'"

test('two databases are migrated and do not see each other', async () => {
  const [first, second] = await make(2)
  await query(first!.url, 'create table public.only_here as select 1 as n')
  expect(await query(first!.url, schemaExists)).toEqual([1])
  expect(await query(second!.url, schemaExists)).toEqual([1])
  expect(await query(second!.url, "select to_regclass('public.only_here')")).toEqual([null])
})

test('many databases can be made at once', async () => {
  const names = (await make(8)).map((database) => database.name)
  expect(new Set(names).size).toBe(8)
})

test('drop removes the database although a client is connected, and may be repeated', async () => {
  const [database] = await make(1)
  const held = postgres(database!.url, { max: 1, onnotice: () => {} })
  await held`select 1`
  await database!.drop()
  await database!.drop()
  await held.end({ timeout: 0 })
  const found = `select count(*)::int from pg_database where datname = '${database!.name}'`
  expect(await query(databaseUrl(database!.url, 'postgres'), found)).toEqual([0])
})

test('a cluster of its own is migrated, durable, and survives a kill -9', async () => {
  await using own = await startTestCluster()
  await query(own.url, 'create table public.kept as select 7 as n')
  await own.cluster.kill9()
  await own.cluster.start()
  expect(await query(own.url, "select n, current_setting('fsync') from public.kept")).toEqual([7, 'on'])
  expect(await query(own.url, schemaExists)).toEqual([1])
})
