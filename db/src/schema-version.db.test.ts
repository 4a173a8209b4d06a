/** An app starts once the database has its version's schema, and versions that follow each other run side by side. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync, cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { migrate } from './migrate.ts'
import {
  awaitSchema,
  digestOf,
  hasSchema,
  ownDigest,
  requireSchema,
  schemaMissing,
} from './schema-version.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { until } from './testing/factories.ts'
import { databaseUrl, testDatabasePrefix } from './testing/server.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
let migrated: TestDatabase
let admin: Sql
let made: string[] = []
let open: Sql[] = []

beforeAll(async () => {
  migrated = await createTestDatabase()
  admin = connect(databaseUrl(migrated.url, 'postgres'), { name: 'admin', max: 1 })
})
afterEach(async () => {
  await Promise.all(open.map((sql) => sql.end({ timeout: 0 })))
  open = []
  for (const name of made) await admin.unsafe(`drop database if exists ${name} with (force)`)
  made = []
})
afterAll(async () => {
  await admin.end({ timeout: 1 })
  await migrated.drop()
})

function nameOne(): { name: string; url: string } {
  const name = `${testDatabasePrefix}${process.pid}_version_${randomBytes(4).toString('hex')}`
  made.push(name)
  return { name, url: databaseUrl(migrated.url, name) }
}

function pool(url: string): Sql {
  const sql = connect(url, { name: 'test', max: 1, statementTimeoutMs: 4_000 })
  open.push(sql)
  return sql
}

/** Waits as a service does; `reasons` is what it told. */
function waiting(url: string): { reasons: string[]; started: Promise<boolean>; stop: () => void } {
  const stopped = new AbortController()
  const reasons: string[] = []
  const started = awaitSchema(pool(url), {
    signal: stopped.signal,
    onWaiting: (reason) => reasons.push(reason),
  })
  return { reasons, started, stop: () => stopped.abort() }
}

test('a migrated database has the schema, and nobody waits', async () => {
  const { reasons, started } = waiting(migrated.url)
  expect(await started).toBe(true)
  expect(reasons).toEqual([])
  await expect(requireSchema(pool(migrated.url))).resolves.toBeUndefined()
})

test('who starts first waits for the database, then for its schema, and tells each reason once', async () => {
  const { name, url } = nameOne()
  const early = waiting(url)
  await until(() => early.reasons.length > 0)
  expect(early.reasons).toEqual([`the database cannot be used: database "${name}" does not exist`])

  await admin.unsafe(`create database ${name} template template0`)
  await until(() => early.reasons.length > 1)
  expect(early.reasons.slice(1)).toEqual([schemaMissing])
  const sql = pool(url)
  expect(await hasSchema(sql)).toBe(false)
  await expect(requireSchema(sql)).rejects.toThrow(schemaMissing)

  await migrate(url)
  expect(await early.started).toBe(true)
  expect(early.reasons).toHaveLength(2)
  expect(await hasSchema(sql)).toBe(true)
})

test.each([
  ['a database that is away', 'postgres://postel@127.0.0.1:1/none'],
  ['a schema that is not there', 'postgres'],
])('whoever waits for %s can be stopped at once', async (_name, where) => {
  const ended: number[] = []
  // It asks each second: who waited for that would take about as long each time
  while (ended.length < 10 && !ended.some((ms) => ms < 500)) {
    const { reasons, started, stop } = waiting(
      where.startsWith('postgres:') ? where : databaseUrl(migrated.url, where),
    )
    await until(() => reasons.length > 0)
    const stoppedAt = performance.now()
    stop()
    expect(await started).toBe(false)
    ended.push(performance.now() - stoppedAt)
  }
  expect(Math.min(...ended)).toBeLessThan(500)
})

test('a silent database is not ready, and no answer is not "run the migration"', async () => {
  await expect(hasSchema(pool('postgres://postel@127.0.0.1:1/none'))).rejects.toThrow(/ECONNREFUSED/)
})

test('an app reads the versions and cannot write them', async () => {
  const sql = pool(migrated.url)
  const [may] = await sql`
    select
      has_table_privilege('postel_app', 'postel.schema_versions', 'select') as reads,
      has_table_privilege('postel_app', 'postel.schema_versions', 'insert, update, delete') as writes,
      has_table_privilege('postel_app', 'postel.migrations', 'insert, update, delete') as migrates`
  expect(may).toEqual({ reads: true, writes: false, migrates: false })
})

test('what an older version has replaced may run on and may not start', async () => {
  const { name, url } = nameOne()
  await admin.unsafe(`create database ${name} template template0`)
  await migrate(url)
  const sql = pool(url)
  await sql`update postel.schema_versions set replaced_at = now()`
  expect(await hasSchema(sql)).toBe(true)
  const { reasons, started } = waiting(url)
  await until(() => reasons.length > 0)
  expect(reasons).toEqual([schemaMissing])
  await migrate(url)
  expect(await started).toBe(true)
})

test('side by side, and back: a rolled-back version starts at once, the newer one again after its own migration', async () => {
  const next = mkdtempSync(join(tmpdir(), 'postel-next-version-'))
  try {
    for (const part of ['src', 'functions', 'migrations', 'package.json'])
      cpSync(join(root, part), join(next, part), { recursive: true })
    symlinkSync(join(root, '../node_modules'), join(next, 'node_modules'))
    appendFileSync(
      join(next, 'functions/comments.sql'),
      "\ncomment on table postel.queue is 'The next version.';\n",
    )
    writeFileSync(
      join(next, 'src/migrate-next.ts'),
      `import { migrate } from './migrate.ts'\nawait migrate(process.argv[2]!)\n`,
    )
    const nextDigest = await digestOf(next)
    expect(nextDigest).not.toBe(await ownDigest())

    const { name, url } = nameOne()
    await admin.unsafe(`create database ${name} template template0`)
    await migrate(url)
    const sql = pool(url)
    const versions = async () => {
      const rows = await sql<{ digest: string; starts: boolean }[]>`
        select v.digest, v.replaced_at is null as starts from postel.schema_versions v order by v.applied_at`
      const [queue] = await sql<{ next: boolean }[]>`
        select obj_description('postel.queue'::regclass) = 'The next version.' as next`
      return { ...queue, ...Object.fromEntries(rows.map(({ digest, starts }) => [digest, starts])) }
    }
    const own = await ownDigest()
    const migrateNext = () =>
      promisify(execFile)(process.execPath, [join(next, 'src/migrate-next.ts'), url], { timeout: 40_000 })

    await migrateNext()
    expect(await versions()).toEqual({ next: true, [own]: true, [nextDigest]: true })
    expect(await hasSchema(sql)).toBe(true)
    expect(await waiting(url).started).toBe(true)

    // The older version's functions are back: what still runs of the newer one stays ready, and none of it starts
    await migrate(url)
    expect(await versions()).toEqual({ next: false, [own]: true, [nextDigest]: false })

    await migrateNext()
    expect(await versions()).toEqual({ next: true, [own]: true, [nextDigest]: true })
  } finally {
    rmSync(next, { recursive: true, force: true })
  }
})
