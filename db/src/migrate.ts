/** Brings a database to the schema of this version: numbered migrations, then functions and views, then partitions. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as runMigrations } from 'drizzle-orm/postgres-js/migrator'
import { runMigrations as migrateGraphileWorker } from 'graphile-worker'
import { connect, type Sql } from './client.ts'
import { ownDigest } from './schema-version.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const migrationLock = 0x706f7374

/**
 * Migrates the database at `url` (a direct connection, not through a transaction pooler). Safe to call from any number
 * of processes at once: one works, the others wait for it and then find nothing to do. Needs a role that may create
 * objects in the database and, the first time, roles. `beforeReady` is run when all is there and before processes that wait for
 * this schema start to work.
 */
export async function migrate(url: string, beforeReady?: (sql: Sql) => Promise<void>): Promise<void> {
  const sql = connect(url, { name: 'postel-migrate', max: 1, statementTimeoutMs: 0 })
  try {
    // Another process's migration may take any time; what the migration itself locks may not
    await sql`set lock_timeout = 0`
    await sql`select pg_advisory_lock(${migrationLock})`
    await sql`reset lock_timeout`
    await runMigrations(drizzle(sql), {
      migrationsFolder: join(root, 'migrations'),
      migrationsSchema: 'postel',
      migrationsTable: 'migrations',
    })
    await migrateGraphileWorker({ connectionString: url })
    await applyFunctions(sql)
    await sql`select postel.create_partitions()`
    await beforeReady?.(sql)
    await recordVersion(sql)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** Re-applies db/functions: functions first (in any order), then views, then grants, in one transaction. */
async function applyFunctions(sql: Sql): Promise<void> {
  const functions = (await readSql('functions')).filter((file) => file.name !== 'grants.sql')
  const views = await readSql('functions/views')
  const grants = await readFile(join(root, 'functions/grants.sql'), 'utf8')
  await sql.begin(async (tx) => {
    await tx.unsafe('set local check_function_bodies = off; set local client_min_messages = warning')
    for (const file of functions) await tx.unsafe(file.text)
    for (const view of [...views].reverse())
      await tx.unsafe(`drop view if exists postel.${view.name.replace(/\.sql$/, '')} cascade`)
    for (const view of views) await tx.unsafe(view.text)
    await tx.unsafe(grants)
    await markReplaced(tx)
  })
}

/** What came after this version stands no longer once this version's functions are back. */
async function markReplaced(tx: Pick<Sql, 'unsafe'>): Promise<void> {
  await tx.unsafe(
    `update postel.schema_versions newer set replaced_at = now()
     from postel.schema_versions own
     where own.digest = $1 and newer.applied_at > own.applied_at and newer.replaced_at is null`,
    [await ownDigest()],
  )
}

/** Last, because processes that wait for this version start to work then. */
async function recordVersion(sql: Sql): Promise<void> {
  await sql`
    insert into postel.schema_versions (digest, applied_at) values (${await ownDigest()}, now())
    on conflict (digest) do update set replaced_at = null`
}

async function readSql(folder: string): Promise<{ name: string; text: string }[]> {
  const names = (await readdir(join(root, folder))).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (name) => ({ name, text: await readFile(join(root, folder, name), 'utf8') })),
  )
}
