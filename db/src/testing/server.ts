// Finds or starts the PostgreSQL server that all tests of one Jest run share, and prepares the template in it.
import { get } from 'node:http'
import { join } from 'node:path'
import postgres from 'postgres'
import { type Binaries, findBinaries, systemBinaries } from '../embedded/binaries.ts'
import { PostgresCluster } from '../embedded/cluster.ts'
import { migrate } from '../migrate.ts'
import { makeThrowAwayDirectory } from './throw-away-directory.ts'

/** The migrated database that every test database is a copy of; nobody may connect to it. */
export const templateName = 'postel_template'

/** What the name of every test database starts with. */
export const testDatabasePrefix = 'postel_test_'

/** Where tests get their server from; POSTEL_TEST_POSTGRES names one to force it. */
export type TestServerKind = 'url' | 'containers' | 'embedded' | 'system15'

/** A running server: `url` is a superuser's, `description` a line for people. `stop` removes all that was made for it. */
export interface TestServer {
  url: string
  description: string
  stop(): Promise<void>
}

const image = 'postgres:18-alpine'

/**
 * Nothing on a shared test server needs to outlive a crash. Nor does autovacuum run when it likes: what it finds in the middle of
 * a test's inserts would decide upon the plans of what follows. A test that is about vacuum calls it.
 */
const throwAway = {
  fsync: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  shared_buffers: '64MB',
  max_connections: 300,
}

/**
 * The first that works of: TEST_DATABASE_URL, a container (if a Docker engine answers within 2 s and has the image or can
 * pull it), the embedded binaries. A kind that is forced by POSTEL_TEST_POSTGRES works or throws.
 * The server goes away when this process does, however that ends.
 */
export async function startTestServer(env: NodeJS.ProcessEnv = process.env): Promise<TestServer> {
  const forced = forcedKind(env)
  const given = env.TEST_DATABASE_URL
  if (forced === 'url' || (!forced && given)) {
    if (!given) throw new Error('POSTEL_TEST_POSTGRES=url needs TEST_DATABASE_URL.')
    return { url: given, description: 'TEST_DATABASE_URL', stop: async () => {} }
  }
  let without = ''
  if (!forced || forced === 'containers') {
    try {
      if (await dockerAnswers(env)) return await startContainer()
      without = ' (no Docker engine answers)'
    } catch (error) {
      without = ` (Docker could not run ${image}: ${String(error).split('\n')[0]})`
    }
    if (forced) throw new Error(`POSTEL_TEST_POSTGRES=containers${without}`)
  }
  const { cluster, dispose } = await startThrowAwayCluster(throwAway, testBinaries(env))
  return { url: cluster.url, description: `own server on ${cluster.dataDir}${without}`, stop: dispose }
}

/** Makes the template anew, and removes test databases that an interrupted run has left: one run at a time may use a server. */
export async function prepareTemplate(serverUrl: string): Promise<void> {
  const sql = postgres(serverUrl, { max: 1, onnotice: () => {} })
  try {
    const left = await sql<{ datname: string }[]>`
      select datname from pg_database
      where datname = ${templateName} or starts_with(datname, ${testDatabasePrefix})`
    for (const { datname } of left) {
      await sql`alter database ${sql(datname)} is_template false`
      await sql`drop database ${sql(datname)} with (force)`
    }
    await sql`create database ${sql(templateName)} encoding utf8 locale_provider libc locale 'C' template template0`
    await migrate(databaseUrl(serverUrl, templateName))
    await sql`alter database ${sql(templateName)} is_template true allow_connections false`
  } finally {
    await sql.end()
  }
}

/** `url` with another database's name in it. */
export function databaseUrl(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${encodeURIComponent(database)}`
  return changed.href
}

/** The binaries for servers that tests start themselves: PostgreSQL 15 of the system if POSTEL_TEST_POSTGRES=system15. */
export function testBinaries(env: NodeJS.ProcessEnv = process.env): Binaries {
  return forcedKind(env) === 'system15' ? systemBinaries(15) : findBinaries()
}

/** A cluster in a directory of its own below the temporary one; `dispose` (or the end of this process) stops and removes it. */
export async function startThrowAwayCluster(
  settings: Readonly<Record<string, string | number>>,
  binaries: Binaries,
): Promise<{ cluster: PostgresCluster; dispose(): Promise<void> }> {
  const directory = makeThrowAwayDirectory('postel-test-')
  const cluster = new PostgresCluster({ dataDir: join(directory.path, 'data'), settings, binaries })
  const dispose = async () => {
    await cluster.stop('immediate')
    directory.remove()
  }
  try {
    await cluster.start()
  } catch (error) {
    await dispose()
    throw error
  }
  return { cluster, dispose }
}

function forcedKind(env: NodeJS.ProcessEnv): TestServerKind | undefined {
  const kind = env.POSTEL_TEST_POSTGRES
  if (!kind) return undefined
  if (kind === 'url' || kind === 'containers' || kind === 'embedded' || kind === 'system15') return kind
  throw new Error('POSTEL_TEST_POSTGRES must be url, containers, embedded or system15.')
}

function dockerAnswers(env: NodeJS.ProcessEnv): Promise<boolean> {
  const host = new URL(env.DOCKER_HOST || 'unix:///var/run/docker.sock')
  const target =
    host.protocol === 'unix:'
      ? { socketPath: decodeURIComponent(host.pathname) }
      : { host: host.hostname, port: host.port || 2375 }
  return new Promise((resolve) => {
    const request = get({ ...target, path: '/_ping', timeout: 2000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.once('timeout', () => request.destroy())
    request.once('close', () => resolve(false))
    request.once('error', () => resolve(false))
  })
}

async function startContainer(): Promise<TestServer> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const flags = Object.entries(throwAway).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const container = await new GenericContainer(image)
    .withEnvironment({
      POSTGRES_USER: 'postel',
      POSTGRES_PASSWORD: 'postel',
      POSTGRES_INITDB_ARGS: '-E UTF8 --locale=C',
    })
    .withCommand(['postgres', ...flags])
    .withTmpFs({ '/var/lib/postgresql': 'rw' })
    .withExposedPorts(5432)
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
    .withStartupTimeout(120_000)
    .start()
  const address = `${container.getHost()}:${container.getMappedPort(5432)}`
  return {
    url: `postgres://postel:postel@${address}/postel`,
    description: `container of ${image}`,
    stop: async () => {
      await container.stop()
    },
  }
}
