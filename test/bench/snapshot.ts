/** snapshot: what a snapshot that stays open, so that vacuum can remove nothing, does to the throughput over its minutes. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ParseArgsOptionsConfig } from 'node:util'
import { makeThrowAwayDirectory } from '@postel/db/testing/throw-away-directory'
import type { Cleanup } from './cleanup.ts'
import { count, type Flags } from './flags.ts'
import { type Load, sendLoad } from './load.ts'
import { countDelivered, holdSnapshot, now, rate } from './measure.ts'
import { figure, machine, printTable, progress, rounded } from './report.ts'
import { type Sink, startSink } from './sink.ts'
import { type Postel, startPostel } from './system.ts'
import { findTool } from './tools.ts'

export const usage =
  'snapshot [--minutes 10] [--minute-seconds 60] [--without] [--sessions 50] [--size 4096] [--json]'

export const flags = {
  minutes: { type: 'string', default: '10' },
  'minute-seconds': { type: 'string', default: '60' },
  without: { type: 'boolean', default: false },
  sessions: { type: 'string', default: '50' },
  size: { type: 'string', default: '4096' },
  json: { type: 'boolean', default: false },
} satisfies ParseArgsOptionsConfig

/** One minute: arrivals, and what the queue's table had grown to at its end. */
type Minute = { per_s: number; queue_mib: number; queue_dead_rows: number }

const warmUpMs = 10_000
/** smtp-source sends portions; the next one starts when fewer than so many messages of all before it have not arrived. */
const portion = 2_000
const underWayMax = 2_000
const stallSeconds = 90

export type Sending = {
  /** Rejects when mail is not taken or not delivered any more; never resolves. */
  failed: Promise<never>
  /** Resolves with how much was taken. */
  stop(): Promise<number>
}

/** Sends as fast as mail leaves, one minute before the snapshot and then under it; false when a message was lost. */
export async function run(given: Flags, cleanup: Cleanup): Promise<boolean> {
  const minutes = count(given, 'minutes', 1, 1440)
  const minuteMs = count(given, 'minute-seconds', 1, 60) * 1000
  const load: Load = {
    messages: portion,
    sessions: count(given, 'sessions', 1, 1000),
    size: count(given, 'size', 1, 100_000_000),
  }
  for (const tool of ['smtp-source', 'smtp-sink'] as const) findTool(tool)
  const directory = makeThrowAwayDirectory('postel-bench-')
  cleanup.defer(() => directory.remove())
  const sink = await startSink(cleanup, directory.path)
  const postel = await startPostel(cleanup, {
    directory: directory.path,
    sinkPort: sink.port,
    dkim: 'none',
  })
  const since = await now(postel)
  const sender = keepSending(cleanup, directory.path, postel, sink, load)

  await Promise.race([sleep(warmUpMs), sender.failed])
  const measured: Minute[] = []
  for (let minute = 0; minute <= minutes; minute++) {
    if (minute === 1 && !given.without) await holdSnapshot(cleanup, postel.url)
    const figures = await Promise.race([observe(postel, sink, minuteMs), sender.failed])
    progress(`${minute === 0 ? 'before' : `minute ${minute}`}: ${figure(figures.per_s)}/s`)
    measured.push(figures)
  }
  const sent = await sender.stop()
  const { count: received } = await sink.reach(sent, stallSeconds)
  if (!(await postel.becomesIdle())) progress('the queue is not empty after the run')
  const delivered = await countDelivered(postel, since)

  const [before, ...under] = measured
  const rates = under.map(({ per_s }) => per_s)
  const result = {
    before_per_s: before!.per_s,
    per_s: rates,
    ratio: rates.at(-1)! / before!.per_s,
    worst_ratio: Math.min(...rates) / before!.per_s,
    minutes: measured,
    messages: sent,
    lost: sent - delivered,
    duplicated: received - delivered,
  }
  const held = given.without ? 'no snapshot, for comparison' : 'a snapshot held from minute 1 on'
  console.log(
    `\nsnapshot: ${sent.toLocaleString('en-US')} messages of ${load.size} bytes, ${load.sessions} sessions, ${held}\n${machine()}\n`,
  )
  printTable([
    ['minute', 'messages/s', 'to the first', 'queue MiB', 'dead rows'],
    ...measured.map(({ per_s, queue_mib, queue_dead_rows }, minute) => [
      minute === 0 ? 'before' : `${minute}`,
      figure(per_s),
      figure(per_s / before!.per_s),
      figure(queue_mib),
      queue_dead_rows.toLocaleString('en-US'),
    ]),
  ])
  console.log(`\n  last minute to the one before the snapshot: ${figure(result.ratio)}`)
  console.log(`  lost ${result.lost}, duplicated ${result.duplicated}`)
  if (given.json) console.log(JSON.stringify(rounded(result)))
  if (result.lost > 0) console.error(`${result.lost} messages were lost.`)
  return result.lost <= 0
}

/**
 * Keeps the system at its limit without letting the queue grow: a queue that grew would be measured too, and a steady
 * rate below the limit would hide a loss of speed until it is large.
 */
export function keepSending(
  cleanup: Cleanup,
  directory: string,
  postel: Postel,
  sink: Sink,
  load: Load,
): Sending {
  let sent = 0
  let stopped = false
  const sending = (async () => {
    while (!stopped) {
      await sendLoad(cleanup, directory, postel.port, load)
      sent += load.messages
      for (let last = { count: -1, at: performance.now() }; sent - sink.count() >= underWayMax; ) {
        await sleep(4)
        const seen = sink.count()
        if (seen > last.count) last = { count: seen, at: performance.now() }
        else if (performance.now() - last.at > stallSeconds * 1000)
          throw new Error(`only ${seen} of ${sent} messages arrived:\n${await postel.diagnose()}`)
      }
    }
  })()
  return {
    failed: new Promise<never>((_, reject) => {
      sending.catch(reject)
    }),
    stop: async () => {
      stopped = true
      await sending
      return sent
    },
  }
}

async function observe(postel: Postel, sink: Sink, milliseconds: number): Promise<Minute> {
  const from = { count: sink.count(), at: performance.now() }
  await sleep(milliseconds)
  const perSecond = rate(sink.count() - from.count, from.at, performance.now())
  const [row] = await postel.sql<{ mib: number; dead: number }[]>`
    select pg_total_relation_size('postel.queue')::float8 / 1048576 as mib, n_dead_tup::float8 as dead
    from pg_stat_user_tables where relid = 'postel.queue'::regclass`
  return { per_s: perSecond, queue_mib: row!.mib, queue_dead_rows: row!.dead }
}
