// Gives a test file a migrated database of its own, in a few tens of milliseconds.
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { ownDigest } from '../schema-version.ts'
import { databaseUrl, templateName, testDatabasePrefix } from './server.ts'

/** An empty, migrated database. `drop` cuts off whoever is still connected, and may be called twice. */
export interface TestDatabase {
  url: string
  name: string
  drop(): Promise<void>
}

/** Copies the template on the server that Jest's global setup has started. Throws outside Jest. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const serverUrl = process.env.POSTEL_TEST_SERVER_URL
  if (!serverUrl)
    throw new Error('POSTEL_TEST_SERVER_URL is not set: test databases exist only under "npm test".')
  const name = `${testDatabasePrefix}${process.pid}_${randomBytes(6).toString('hex')}`
  await administer(serverUrl, (sql) =>
    // Something may look at the template just now
    untilFree(() => sql`create database ${sql(name)} template ${sql(templateName)}`),
  )
  await administer(databaseUrl(serverUrl, name), recordOwnVersion)
  return {
    url: databaseUrl(serverUrl, name),
    name,
    drop: () =>
      administer(serverUrl, (sql) =>
        // Whom it cuts off may take longer to go than the server waits
        untilFree(() => sql`drop database if exists ${sql(name)} with (force)`),
      ),
  }
}

/** Tries for a minute, as long as the database is in use (object_in_use). */
async function untilFree(work: () => PromiseLike<unknown>): Promise<void> {
  const deadline = Date.now() + 60_000
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      if ((error as { code?: string }).code !== '55006' || Date.now() > deadline) throw error
    }
    await sleep(50)
  }
}

/** A file that was saved since the template was made keeps no service of a test waiting for its migration. */
async function recordOwnVersion(sql: postgres.Sql): Promise<void> {
  await sql`
    insert into postel.schema_versions (digest, applied_at) values (${await ownDigest()}, now())
    on conflict (digest) do nothing`
}

async function administer(url: string, work: (sql: postgres.Sql) => Promise<void>): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await work(sql)
  } finally {
    await sql.end()
  }
}
