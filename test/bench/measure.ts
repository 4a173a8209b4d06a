/**
 * One measured run of one system: start it fresh, warm it up, send the load, wait until the sink has it all, take the
 * figures, remove it.
 */
import { makeThrowAwayDirectory } from '@postel/db/testing/throw-away-directory'
import postgres from 'postgres'
import type { Cleanup } from './cleanup.ts'
import { cpuOf, memoryOf } from './cpu.ts'
import { fillQueue, fillWaiting, setLimits } from './fill.ts'
import { type Load, sendLoad } from './load.ts'
import { startPostfix } from './postfix.ts'
import { progress } from './report.ts'
import { startSink } from './sink.ts'
import { type Dkim, type Part, type Postel, startPostel } from './system.ts'

/** What every system is measured by. Rates count messages a second, CPU milliseconds a message. */
export type Figures = {
  /** Messages answered with 250, from the first connection until the last reply. */
  ingest_per_s: number
  /** Messages counted by the sink, from the first connection until the last one. */
  e2e_per_s: number
  cpu_ms_per_message: Record<string, number> & { total: number }
  rss_mib: Record<string, number>
  lost: number
  duplicated: number
}

/** What Postel's own records add. */
export type PostelFigures = Figures & {
  wal_bytes_per_message: number
  /** From acceptance by the database until the sink's reply. */
  p50_ms: number
  p99_ms: number
}

export type PostelRun = {
  load: Load
  warmUp: number
  dkim: Dkim
  /** Messages that lie in the queue when the load starts; they are delivered, and counted, with it. */
  backlog: number
  /** Rows in `waiting`. */
  waiting: number
  /** Its mail counts against a quota and rates, and its recipients are looked up among this many suppressed ones; 0: no limits. */
  suppressed: number
  /** Keeps a snapshot open from before the warm-up to the end, so that vacuum can remove nothing. */
  holdSnapshot: boolean
}

/** When the sink's count stands still for so long, what is missing is taken as lost; longer than the first retry's wait. */
const stallSeconds = 90
/** In the warm-up nothing may be deferred. */
const warmUpStallSeconds = 20

/** Measures Postel on a fresh database. */
export async function measurePostel(cleanup: Cleanup, run: PostelRun): Promise<PostelFigures> {
  const { load, backlog } = run
  const directory = makeThrowAwayDirectory('postel-bench-')
  const remove = cleanup.defer(() => directory.remove())
  const sink = await startSink(cleanup, directory.path)
  const options = { directory: directory.path, sinkPort: sink.port, dkim: run.dkim }
  const postel = await startPostel(cleanup, options)
  const { sql } = postel
  if (run.waiting > 0) {
    progress(`filling waiting with ${run.waiting} rows`)
    await fillWaiting(postel, run.waiting)
  }
  if (run.suppressed > 0) await setLimits(postel, run.suppressed)
  const release = run.holdSnapshot ? await holdSnapshot(cleanup, postel.url) : undefined

  if (run.warmUp > 0) {
    await sendLoad(cleanup, directory.path, postel.port, { ...load, messages: run.warmUp })
    const { count } = await sink.reach(run.warmUp, warmUpStallSeconds)
    if (count < run.warmUp || !(await postel.becomesIdle()))
      throw new Error(
        `only ${count} of ${run.warmUp} messages arrived in the warm-up:\n${await postel.diagnose()}`,
      )
  }
  const since = await now(postel)
  if (backlog > 0) {
    progress(`filling the queue with ${backlog} messages`)
    await postel.stop('outbound')
    await fillQueue(postel, backlog)
  }
  await sql`checkpoint`

  const counted = sink.count()
  const outboundStart = performance.now()
  if (backlog > 0) await postel.start('outbound')
  const loadSince = await now(postel)
  const wal = await walPosition(postel)
  const roots = postel.roots()
  const cpu = cpuOf(roots)
  const times = await sendLoad(cleanup, directory.path, postel.port, load)
  const handled = load.messages + backlog
  const reached = await sink.reach(counted + handled, stallSeconds)
  if (!(await postel.becomesIdle())) progress('the queue is not empty after the run')
  const cpuAfter = cpuOf(roots)
  const walAfter = await walPosition(postel)
  const memory = memoryOf(postel.roots())

  const delivered = await countDelivered(postel, since)
  if (delivered < handled) progress(`not everything was delivered:\n${await postel.diagnose()}`)
  const [p50, p99] = await percentiles(postel, loadSince)
  const received = sink.count() - counted
  await release?.()
  await postel.stopAll()
  await sink.stop()
  await remove()
  const startedAt = backlog > 0 ? outboundStart : times.startedAt
  return {
    ingest_per_s: rate(load.messages, times.startedAt, times.endedAt),
    e2e_per_s: rate(reached.count - counted, startedAt, reached.at),
    cpu_ms_per_message: perMessage<Part>(cpu, cpuAfter, handled),
    wal_bytes_per_message: Math.round(Number(walAfter - wal) / handled),
    p50_ms: p50,
    p99_ms: p99,
    rss_mib: memory,
    lost: handled - delivered,
    duplicated: received - delivered,
  }
}

/** Measures Postfix on an empty queue. */
export async function measurePostfix(
  cleanup: Cleanup,
  load: Load,
  warmUp: number,
): Promise<Figures & { name: string }> {
  const directory = makeThrowAwayDirectory('postel-bench-')
  const remove = cleanup.defer(() => directory.remove())
  const sink = await startSink(cleanup, directory.path)
  const postfix = await startPostfix(cleanup, directory.path, sink.port)
  if (warmUp > 0) {
    await sendLoad(cleanup, directory.path, postfix.port, { ...load, messages: warmUp })
    await sink.reach(warmUp, warmUpStallSeconds)
    await postfix.becomesIdle()
  }
  const counted = sink.count()
  const roots = { postfix: postfix.pid }
  const cpu = cpuOf(roots)
  const times = await sendLoad(cleanup, directory.path, postfix.port, load)
  const reached = await sink.reach(counted + load.messages, stallSeconds)
  await postfix.becomesIdle()
  const cpuAfter = cpuOf(roots)
  const memory = memoryOf(roots)
  const received = sink.count() - counted
  await postfix.stop()
  await sink.stop()
  await remove()
  return {
    name: postfix.name,
    ingest_per_s: rate(load.messages, times.startedAt, times.endedAt),
    e2e_per_s: rate(reached.count - counted, times.startedAt, reached.at),
    cpu_ms_per_message: perMessage(cpu, cpuAfter, load.messages),
    rss_mib: memory,
    lost: Math.max(0, load.messages - received),
    duplicated: Math.max(0, received - load.messages),
  }
}

/** Messages with a delivered recipient among those created since that moment of the database's clock. */
export async function countDelivered(postel: Postel, since: string): Promise<number> {
  const [row] = await postel.sql<{ count: number }[]>`
    select count(*)::integer as count from postel.deliveries
    where state = 'delivered' and created_at >= ${since}::timestamptz`
  return row!.count
}

/** The database's clock, in its own words: Date has no microseconds. */
export async function now(postel: Postel): Promise<string> {
  const [row] = await postel.sql<{ now: string }[]>`select clock_timestamp()::text as now`
  return row!.now
}

/** CPU milliseconds a message by part and in all, from two samples. */
export function perMessage<Name extends string>(
  before: Record<Name, number>,
  after: Record<Name, number>,
  messages: number,
): Record<Name, number> & { total: number } {
  const names = Object.keys(before) as Name[]
  const parts = Object.fromEntries(names.map((name) => [name, (after[name] - before[name]) / messages]))
  const total = names.reduce((sum, name) => sum + parts[name]!, 0)
  return { ...parts, total } as Record<Name, number> & { total: number }
}

/** Per second, from two moments of performance.now(). */
export function rate(count: number, from: number, to: number): number {
  return (count * 1000) / (to - from)
}

async function percentiles(postel: Postel, since: string): Promise<[number, number]> {
  const [row] = await postel.sql<{ values: number[] | null }[]>`
    select
      percentile_cont(array[0.5, 0.99]) within group (
        order by extract(epoch from a.at - m.created_at) * 1000 + a.duration_ms
      ) as values
    from postel.attempts a
    join postel.messages m on m.id = a.message_id
    where a.outcome = 'delivered' and m.created_at >= ${since}::timestamptz`
  const [p50, p99] = row?.values ?? []
  return [p50 ?? Number.NaN, p99 ?? Number.NaN]
}

async function walPosition(postel: Postel): Promise<bigint> {
  const [row] = await postel.sql<{ bytes: string }[]>`
    select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text as bytes`
  return BigInt(row!.bytes)
}

/** A session of its own, because those of connect() end what idles in a transaction. */
export async function holdSnapshot(cleanup: Cleanup, url: string): Promise<() => Promise<void>> {
  const holder = postgres(url, { max: 1, onnotice: () => {} })
  const release = cleanup.defer(() => holder.end({ timeout: 0 }))
  await holder.unsafe('begin isolation level repeatable read; select count(*) from postel.queue')
  return release
}
