/** bulk: how long hold, release and bounce of a deep queue take, and what they leave of the other projects' throughput. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ParseArgsOptionsConfig } from 'node:util'
import { makeThrowAwayDirectory } from '@postel/db/testing/throw-away-directory'
import type { Cleanup } from './cleanup.ts'
import { store } from './fill.ts'
import { count, type Flags } from './flags.ts'
import type { Load } from './load.ts'
import { countDelivered, now, rate } from './measure.ts'
import { startNoise } from './noise.ts'
import { figure, machine, printTable, progress, rounded } from './report.ts'
import { type Sink, startSink } from './sink.ts'
import { keepSending, type Sending } from './snapshot.ts'
import { type Postel, startPostel } from './system.ts'
import { findTool } from './tools.ts'

export const usage = 'bulk [--rows 1000000] [--rate 0] [--seconds 30] [--sessions 50] [--size 4096] [--json]'

export const flags = {
  rows: { type: 'string', default: '1000000' },
  rate: { type: 'string', default: '0' },
  seconds: { type: 'string', default: '30' },
  sessions: { type: 'string', default: '50' },
  size: { type: 'string', default: '4096' },
  json: { type: 'boolean', default: false },
} satisfies ParseArgsOptionsConfig

const project = 'bulk'
const portion = 2_000
const warmUpMs = 10_000
/** Between two operations: Postgres has vacuum to do after each, which is not theirs to answer for. */
const restMs = 5_000
const stallSeconds = 90
const operationSeconds = 600

const verbs = ['hold', 'release', 'bounce'] as const
type Verb = (typeof verbs)[number]
const states: Record<Verb, string> = { hold: 'held', release: 'queued', bounce: 'bounced' }
type Measured = { seconds: number; longest_chunk_ms: number; others_per_s: number; ratio: number }

/** Fills a paused project's queue, and steers it while other mail flows at full speed; false when mail was lost or left out. */
export async function run(given: Flags, cleanup: Cleanup): Promise<boolean> {
  const rows = count(given, 'rows', 1, 10_000_000)
  const perSecond = count(given, 'rate', 0, 100_000)
  const seconds = count(given, 'seconds', 1, 3600)
  const load: Load = {
    messages: portion,
    sessions: count(given, 'sessions', 1, 1000),
    size: count(given, 'size', 1, 100_000_000),
  }
  for (const tool of ['smtp-source', 'smtp-sink'] as const) findTool(tool)
  const directory = makeThrowAwayDirectory('postel-bench-')
  cleanup.defer(() => directory.remove())
  const sink = await startSink(cleanup, directory.path)
  const postel = await startPostel(cleanup, { directory: directory.path, sinkPort: sink.port, dkim: 'none' })
  await fill(postel, rows)
  const since = await now(postel)
  const sender =
    perSecond > 0
      ? steadily(cleanup, postel, perSecond, load.size)
      : keepSending(cleanup, directory.path, postel, sink, load)
  await Promise.race([sleep(warmUpMs), sender.failed])

  const from = { count: sink.count(), at: performance.now() }
  await Promise.race([sleep(seconds * 1000), sender.failed])
  const before = rate(sink.count() - from.count, from.at, performance.now())
  progress(`before: ${figure(before)}/s of the others`)
  const measured = {} as Record<Verb, Measured>
  let left = 0
  for (const verb of verbs) {
    measured[verb] = await Promise.race([steer(postel, sink, verb, before), sender.failed])
    const [row] = await postel.sql<{ left: number }[]>`
      select count(*)::int as left from postel.deliveries where domain <> 'r.test' and state <> ${states[verb]}`
    left += row!.left
    progress(
      `${verb}: ${figure(measured[verb].seconds)} s, others ${figure(measured[verb].others_per_s)}/s, left out ${row!.left}`,
    )
    await Promise.race([sleep(restMs), sender.failed])
  }
  const sent = await sender.stop()
  const { count: received } = await sink.reach(sent, stallSeconds)
  if (!(await postel.becomesIdle())) progress('the queue is not empty after the run')
  const delivered = await countDelivered(postel, since)

  const result = {
    rows,
    hold_s: measured.hold.seconds,
    release_s: measured.release.seconds,
    bounce_s: measured.bounce.seconds,
    others_before_per_s: before,
    worst_ratio: Math.min(...verbs.map((verb) => measured[verb].ratio)),
    operations: measured,
    left_out: left,
    lost: sent - delivered,
    duplicated: received - delivered,
  }
  console.log(
    `\nbulk: ${rows.toLocaleString('en-US')} queued rows of one project; others ` +
      `${perSecond > 0 ? `${perSecond}/s` : `at full speed, ${load.sessions} sessions`}, ${load.size} bytes\n${machine()}\n`,
  )
  printTable([
    ['', 'seconds', 'rows/s', 'longest chunk ms', 'others/s', 'to before'],
    ['before', '', '', '', figure(before), ''],
    ...verbs.map((verb) => [
      verb,
      figure(measured[verb].seconds),
      figure(rows / measured[verb].seconds),
      figure(measured[verb].longest_chunk_ms),
      figure(measured[verb].others_per_s),
      figure(measured[verb].ratio),
    ]),
  ])
  console.log(`\n  left out ${left}; of the others: lost ${result.lost}, duplicated ${result.duplicated}`)
  if (given.json) console.log(JSON.stringify(rounded(result)))
  if (result.lost > 0) console.error(`${result.lost} messages were lost.`)
  return result.lost <= 0 && left === 0
}

/** The others' mail at a rate that the machine has room for. */
function steadily(cleanup: Cleanup, { port }: Postel, perSecond: number, bytes: number): Sending {
  const noise = startNoise(cleanup, {
    port,
    perSecond,
    clients: ['127.0.0.1'],
    domains: ['r.test'],
    bytes,
    prefix: 'other',
  })
  return { failed: new Promise(() => {}), stop: async () => (await noise.stop()).taken }
}

/** A project of its own, paused, with `rows` messages in the queue: most for one domain. */
async function fill(postel: Postel, rows: number): Promise<void> {
  await postel.sql`
    insert into postel.projects (organization_id, name, pool_id)
    select organization_id, ${project}, pool_id from postel.projects where name = 'default'`
  await postel.sql`select postel.pause_project(${project}, 'benchmark')`
  const startedAt = performance.now()
  await store(postel, rows, {
    domainOf: (index) => (index % 10 < 7 ? 'bulk.test' : `r${index % 30}.test`),
    project,
  })
  await postel.sql`vacuum analyze`
  await postel.sql`checkpoint`
  progress(`queued ${rows} messages in ${figure((performance.now() - startedAt) / 1000)} s`)
}

/** Calls the function as a person does, and watches until the worker has finished it. */
async function steer(postel: Postel, sink: Sink, verb: Verb, before: number): Promise<Measured> {
  const from = { count: sink.count(), at: performance.now() }
  await postel.sql.unsafe(`select postel.${verb}(project => '${project}')`)
  let longest = 0
  for (;;) {
    const [row] = await postel.sql<{ finished: boolean; chunkMs: number | null }[]>`
      select
        not exists (select from postel.operations where finished_at is null) as finished,
        (
          select max(extract(epoch from clock_timestamp() - s.xact_start) * 1000)::float8 from pg_stat_activity s
          where s.query like '%postel.run_chunk(%' and s.state = 'active' and s.pid <> pg_backend_pid()
        ) as "chunkMs"`
    longest = Math.max(longest, row!.chunkMs ?? 0)
    if (row!.finished) break
    if (performance.now() - from.at > operationSeconds * 1000)
      throw new Error(`${verb} is not finished after ${operationSeconds} s:\n${await postel.diagnose()}`)
    await sleep(50)
  }
  const endedAt = performance.now()
  const others = rate(sink.count() - from.count, from.at, endedAt)
  return {
    seconds: (endedAt - from.at) / 1000,
    longest_chunk_ms: longest,
    others_per_s: others,
    ratio: others / before,
  }
}
