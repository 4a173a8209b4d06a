/** drain: how fast a deep queue is delivered, and whether the rate stays flat while it shrinks. */
import type { ParseArgsOptionsConfig } from 'node:util'
import { makeThrowAwayDirectory } from '@postel/db/testing/throw-away-directory'
import type { Cleanup } from './cleanup.ts'
import { cpuOf } from './cpu.ts'
import { fillQueue } from './fill.ts'
import { choice, count, type Flags } from './flags.ts'
import { countDelivered, now, perMessage, rate } from './measure.ts'
import { figure, machine, printTable, progress, rounded } from './report.ts'
import { type Count, startSink } from './sink.ts'
import { type Part, startPostel } from './system.ts'
import { findTool } from './tools.ts'

export const usage = 'drain [--backlog 300000] [--dkim rsa|ed25519|none] [--json]'

export const flags = {
  backlog: { type: 'string', default: '300000' },
  dkim: { type: 'string', default: 'none' },
  json: { type: 'boolean', default: false },
} satisfies ParseArgsOptionsConfig

const stallSeconds = 90

/** Fills the queue, starts outbound on it and prints the rate by tenths; resolves with false when a message was lost. */
export async function run(given: Flags, cleanup: Cleanup): Promise<boolean> {
  const backlog = count(given, 'backlog', 10, 10_000_000)
  const dkim = choice(given, 'dkim', ['rsa', 'ed25519', 'none'] as const)
  findTool('smtp-sink')
  const directory = makeThrowAwayDirectory('postel-bench-')
  cleanup.defer(() => directory.remove())
  const sink = await startSink(cleanup, directory.path)
  const postel = await startPostel(cleanup, { directory: directory.path, sinkPort: sink.port, dkim })
  const { outbound: _, ...others } = postel.roots()
  await postel.stop('outbound')
  const since = await now(postel)
  const fillStart = performance.now()
  await fillQueue(postel, backlog)
  progress(`queued ${backlog} messages in ${figure((performance.now() - fillStart) / 1000)} s`)
  await postel.sql`checkpoint`

  const growth: Count[] = []
  const before = cpuOf(others)
  const arriving = sink.reach(backlog, stallSeconds, (seen) => growth.push(seen))
  await postel.start('outbound')
  const reached = await arriving
  if (!(await postel.becomesIdle())) progress('the queue is not empty after the run')
  const after = cpuOf(postel.roots())
  const delivered = await countDelivered(postel, since)
  const received = sink.count()

  const tenths = ratesByTenth(growth, reached.count)
  const result = {
    drain_per_s: rate(reached.count - growth[0]!.count, growth[0]!.at, reached.at),
    tenths,
    last_over_first: tenths.at(-1)! / tenths[0]!,
    cpu_ms_per_message: perMessage<Part>({ ...before, outbound: 0 }, after, backlog),
    lost: backlog - delivered,
    duplicated: received - delivered,
  }
  print(backlog, given, result)
  if (given.json) console.log(JSON.stringify(rounded(result)))
  if (result.lost > 0) console.error(`${result.lost} messages were lost.`)
  return result.lost <= 0
}

/** Messages a second in each tenth of the way from the first message seen to the last, interpolated between polls. */
function ratesByTenth(growth: readonly Count[], last: number): number[] {
  const first = growth[0]!.count
  const crossing = (target: number) => {
    const index = growth.findIndex((seen) => seen.count >= target)
    const above = growth[index]!
    const below = growth[index - 1]
    if (!below) return above.at
    const share = (target - below.count) / (above.count - below.count)
    return below.at + (above.at - below.at) * share
  }
  const step = (last - first) / 10
  return Array.from({ length: 10 }, (_, tenth) =>
    rate(step, crossing(first + tenth * step), crossing(first + (tenth + 1) * step)),
  )
}

function print(
  backlog: number,
  given: Flags,
  result: {
    drain_per_s: number
    tenths: number[]
    last_over_first: number
    lost: number
    duplicated: number
  } & {
    cpu_ms_per_message: Record<string, number>
  },
): void {
  console.log(`\ndrain: ${backlog} messages of 4096 bytes, DKIM ${given.dkim}\n${machine()}\n`)
  printTable([
    ['tenth', ...result.tenths.map((_, index) => `${index + 1}`), 'all'],
    ['messages/s', ...result.tenths.map(figure), figure(result.drain_per_s)],
  ])
  const cpu = Object.entries(result.cpu_ms_per_message).map(([name, value]) => `${name} ${figure(value)}`)
  console.log(`\n  last tenth to first: ${figure(result.last_over_first)}`)
  console.log(`  CPU ms/msg: ${cpu.join(', ')}`)
  console.log(`  lost ${result.lost}, duplicated ${result.duplicated}`)
}
