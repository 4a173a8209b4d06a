/** Metrics of the database never keep a process's own metrics from whoever asks. */
import { createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { DatabaseStateQueries } from '@postel/db/queries/database-state'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { createRegistry, type Registry } from '@postel/runtime/metrics'
import { metrics } from './database-looks.ts'
import { DatabaseMetrics } from './database-metrics.ts'

let database: TestDatabase
let registry: Registry
let open: DatabaseMetrics[]
let failed: string[]

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(() => {
  registry = createRegistry('worker', { processMetrics: true })
  open = []
  failed = []
})
afterEach(async () => {
  await Promise.all(open.map((each) => each.stop()))
})

function serve(queries: DatabaseStateQueries, patienceMs = 60_000): void {
  const onError = (collector: string) => failed.push(collector)
  open.push(new DatabaseMetrics({ registry, queries, onError, patienceMs }))
}

/** The values by series, without the app. */
async function scrape(): Promise<Map<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [
        line
          .slice(0, at)
          .replace(/,?app="worker"/, '')
          .replace('{}', ''),
        Number(line.slice(at + 1)),
      ]
    }),
  )
}

const named = (values: Map<string, number>, prefix: string) =>
  [...values].filter(([series]) => series.startsWith(prefix))

test('a database that is there shows all its parts', async () => {
  serve(new DatabaseStateQueries(database.url, 'test-metrics'))
  const values = await scrape()
  expect(failed).toEqual([])
  expect(values.get('postel_database_up')).toBe(1)
  expect(named(values, 'postel_database_collector_up').every(([, up]) => up === 1)).toBe(true)
  expect(values.get('postel_database_connections{state="active"}')).toBeGreaterThanOrEqual(0)
  expect(values.get('postel_partitions_ahead{table="events"}')).toBeGreaterThanOrEqual(13)
  expect(values.get('postel_domains{status="pending"}')).toBe(0)
  // Nothing was backed up, no webhook is enabled, nothing waits
  const without = metrics.filter(({ name }) => named(values, name).length === 0).map(({ name }) => name)
  expect(without.sort()).toEqual([
    'postel_backup_last_attempt_success',
    'postel_backup_last_size_bytes',
    'postel_backup_last_success_timestamp_seconds',
    'postel_ip_held',
    'postel_ip_state',
    'postel_node_last_seen_seconds',
    'postel_queue_oldest_seconds',
    'postel_queue_rows',
    'postel_queue_wait_oldest_seconds',
    'postel_sites_limited',
    'postel_table_autovacuum_age_seconds',
    'postel_webhook_cursor_lag_seconds',
  ])
})

test('however often it is asked, and by how many at once, the database is looked at once', async () => {
  const queries = new DatabaseStateQueries(database.url, 'test-metrics')
  let looks = 0
  const { queue } = queries
  queries.queue = () => {
    looks++
    return queue.call(queries)
  }
  serve(queries)
  await Promise.all([scrape(), scrape(), scrape()])
  await scrape()
  expect(looks).toBe(1)
})

test('a part that fails is left out, and said to be, while the others are there', async () => {
  const queries = new DatabaseStateQueries(database.url, 'test-metrics')
  queries.jobs = () => Promise.reject(new Error('no such table'))
  serve(queries)
  const values = await scrape()
  expect(failed).toEqual(['jobs'])
  expect(named(values, 'postel_jobs')).toEqual([])
  expect(values.get('postel_database_up')).toBe(1)
  expect(values.get('postel_database_collector_up{collector="jobs"}')).toBe(0)
  expect(values.get('postel_database_collector_up{collector="queue"}')).toBe(1)
})

function expectOnlyTheProcess(values: Map<string, number>): void {
  expect(values.get('postel_database_up')).toBe(0)
  expect(named(values, 'postel_database_collector_up').every(([, up]) => up === 0)).toBe(true)
  expect(metrics.filter(({ name }) => named(values, name).length > 0)).toEqual([])
  expect(values.get('process_resident_memory_bytes')).toBeGreaterThan(0)
  expect(named(values, 'postel_build_info')).toHaveLength(1)
}

test('a database that is away: the process still shows its own', async () => {
  serve(new DatabaseStateQueries('postgres://x:y@127.0.0.1:1/z', 'test-metrics'))
  expectOnlyTheProcess(await scrape())
  expect(failed).toEqual(['activity'])
})

test('a database that never answers: the process shows its own in time', async () => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => sockets.push(socket.on('error', () => {})))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as { port: number }
  try {
    serve(new DatabaseStateQueries(`postgres://x:y@127.0.0.1:${port}/z`, 'test-metrics'), 100)
    const startedAt = performance.now()
    expectOnlyTheProcess(await scrape())
    // To connect alone it would wait 10 s
    expect(performance.now() - startedAt).toBeLessThan(8_000)
  } finally {
    await open.pop()?.stop()
    for (const socket of sockets) socket.destroy()
    silent.close()
  }
})
