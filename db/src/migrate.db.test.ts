/** A migration may be run at any time, by anybody, and changes nothing that is there. */
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { migrate } from './migrate.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { makeTenant, stateOf, submitOne } from './testing/factories.ts'
import { databaseUrl, testDatabasePrefix } from './testing/server.ts'

let migrated: TestDatabase
let admin: Sql
let made: string[] = []

beforeAll(async () => {
  migrated = await createTestDatabase()
  admin = connect(databaseUrl(migrated.url, 'postgres'), { name: 'admin', max: 1 })
})
afterEach(async () => {
  for (const name of made) await admin.unsafe(`drop database if exists ${name} with (force)`)
  made = []
})
afterAll(async () => {
  await admin.end({ timeout: 1 })
  await migrated.drop()
})

async function emptyDatabase(): Promise<string> {
  const name = `${testDatabasePrefix}${process.pid}_empty_${randomBytes(4).toString('hex')}`
  await admin.unsafe(`create database ${name} template template0`)
  made.push(name)
  return databaseUrl(migrated.url, name)
}

/** Everything in the schemas: relations with their columns, functions with their text, constraints; one day's partitions. */
async function schemaOf(url: string): Promise<string[]> {
  const sql = connect(url, { name: 'test', max: 1 })
  try {
    const rows = await sql<{ line: string }[]>`
      select distinct regexp_replace(line, '_\\d{8}', '_day', 'g') as line from (
        select 'column ' || c.oid::regclass || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
          || ' ' || a.attnotnull as line
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'postel'::regnamespace and a.attnum > 0
        union all
        select 'function ' || p.oid::regprocedure || ' ' || md5(pg_get_functiondef(p.oid)) || coalesce(p.proacl::text, '')
        from pg_proc p where p.pronamespace = 'postel'::regnamespace
        union all
        select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
        from pg_constraint where connamespace = 'postel'::regnamespace
        union all
        select 'migration ' || hash from postel.migrations
      ) as s order by line`
    return rows.map((row) => row.line)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

test('an empty database may be migrated by several processes at once', async () => {
  const url = await emptyDatabase()
  await Promise.all([migrate(url), migrate(url), migrate(url)])
  expect(await schemaOf(url)).toEqual(await schemaOf(migrated.url))
})

test('migrating again changes neither the schema nor the mail, and mail goes on meanwhile', async () => {
  const sql = connect(migrated.url, { name: 'test', max: 1 })
  try {
    const before = await schemaOf(migrated.url)
    const tenant = await makeTenant(sql)
    const id = await submitOne(sql, tenant)
    let done = false
    const traffic = (async () => {
      let last = id
      while (!done) last = await submitOne(sql, tenant)
      return last
    })()
    await migrate(migrated.url)
    done = true
    expect((await stateOf(sql, await traffic)).queue).toEqual(['dest.test 1'])
    expect((await stateOf(sql, id)).queue).toEqual(['dest.test 1'])
    expect(await schemaOf(migrated.url)).toEqual(before)
  } finally {
    await sql.end({ timeout: 1 })
  }
})

test('a database that cannot be reached is an error, not a hang', async () => {
  const url = new URL(migrated.url)
  url.port = '1'
  await expect(migrate(url.href)).rejects.toThrow(/ECONNREFUSED/)
})
