/** api: how fast mail is taken over REST, one by one and in batches, beside SMTP on the same system. */
import type { ParseArgsOptionsConfig } from 'node:util'
import { makeThrowAwayDirectory } from '@postel/db/testing/throw-away-directory'
import type { Cleanup } from './cleanup.ts'
import { cpuOf } from './cpu.ts'
import { count, type Flags } from './flags.ts'
import { postJson, sendHttp } from './http-load.ts'
import { type LoadTimes, recipient, sender, sendLoad } from './load.ts'
import { figure, machine, median, printTable, progress, rounded } from './report.ts'
import { startSink } from './sink.ts'
import { type Postel, startPostel } from './system.ts'
import { findTool } from './tools.ts'

export const usage =
  'api [--messages 20000] [--connections 50] [--size 4096] [--batch 100] [--rounds 3] [--warm-up 500] [--json]'

export const flags = {
  messages: { type: 'string', default: '20000' },
  connections: { type: 'string', default: '50' },
  size: { type: 'string', default: '4096' },
  batch: { type: 'string', default: '100' },
  rounds: { type: 'string', default: '3' },
  'warm-up': { type: 'string', default: '500' },
  json: { type: 'boolean', default: false },
} satisfies ParseArgsOptionsConfig

const ways = ['smtp', 'rest', 'batch'] as const
type Way = (typeof ways)[number]

/** Messages a second that were acknowledged, and milliseconds of CPU a message. */
type Figures = { per_s: number; cpu_ms_per_message: { app: number; postgres: number } }
type Round = Record<Way, Figures>

/** Runs the rounds and prints them; resolves with false when an acknowledged message is not in the database. */
export async function run(given: Flags, cleanup: Cleanup): Promise<boolean> {
  const messages = count(given, 'messages', 100, 5_000_000)
  const connections = count(given, 'connections', 1, 1000)
  const size = count(given, 'size', 1, 10_000_000)
  const batch = count(given, 'batch', 2, 100)
  const rounds = count(given, 'rounds', 1, 100)
  const warmUp = count(given, 'warm-up', 0, 100_000)
  for (const tool of ['smtp-source', 'smtp-sink'] as const) findTool(tool)

  const directory = makeThrowAwayDirectory('postel-bench-')
  cleanup.defer(() => directory.remove())
  const sink = await startSink(cleanup, directory.path)
  const postel = await startPostel(cleanup, { directory: directory.path, sinkPort: sink.port, dkim: 'none' })
  const rest = await postel.startApi()
  const { inbound, postgres } = postel.roots()
  const roots = { smtp: inbound, rest: rest.pid, batch: rest.pid, postgres }
  // What is measured is the way into the queue
  await postel.stop('outbound')

  // In lines, as smtp-source's own body is
  const text = `${'x'.repeat(75)}\n`.repeat(Math.ceil(size / 76)).slice(0, size)
  const email = { from: sender, to: recipient, subject: 'api', text }
  const one = postJson(rest.port, '/emails', rest.apiKey, email)
  const many = postJson(
    rest.port,
    '/emails/batch',
    rest.apiKey,
    Array.from({ length: batch }, () => email),
  )
  const send: Record<Way, (messages: number) => Promise<LoadTimes>> = {
    smtp: (total) =>
      sendLoad(cleanup, directory.path, postel.port, { messages: total, sessions: connections, size }),
    rest: (requests) => sendHttp({ port: rest.port, connections, requests, request: one }),
    batch: (total) =>
      sendHttp({ port: rest.port, connections, requests: Math.ceil(total / batch), request: many }),
  }
  let lost = 0
  const measure = async (way: Way): Promise<Figures> => {
    const total = way === 'batch' ? Math.ceil(messages / batch) * batch : messages
    const stored = await countMessages(postel)
    const before = cpuOf(roots)
    const { startedAt, endedAt } = await send[way](total)
    const after = cpuOf(roots)
    lost += total - ((await countMessages(postel)) - stored)
    const figures = {
      per_s: total / ((endedAt - startedAt) / 1000),
      cpu_ms_per_message: {
        app: (after[way] - before[way]) / total,
        postgres: (after.postgres - before.postgres) / total,
      },
    }
    progress(`${way}: ${figure(figures.per_s)}/s`)
    return figures
  }

  for (const way of ways) if (warmUp > 0) await send[way](warmUp)
  const results: Round[] = []
  for (let number = 0; number < rounds; number++) {
    const round: Partial<Round> = {}
    // Whoever goes first meets another machine: they take turns at that, too
    for (let turn = 0; turn < ways.length; turn++) {
      const way = ways[(number + turn) % ways.length]!
      await postel.sql`checkpoint`
      round[way] = await measure(way)
    }
    results.push(round as Round)
  }
  const result = combine(results, lost)
  print({ messages, connections, size, batch }, results, result)
  if (given.json) console.log(JSON.stringify(rounded(result)))
  if (lost > 0) console.error(`${lost} acknowledged messages are not in the database.`)
  return lost <= 0
}

/** Medians over the rounds; the ratios are those of the pairs. */
function combine(rounds: readonly Round[], lost: number) {
  const rates = (way: Way) => median(rounds.map((round) => round[way].per_s))
  const ratios = (way: Way) => rounds.map((round) => round[way].per_s / round.smtp.per_s)
  const cpu = (way: Way, part: 'app' | 'postgres') =>
    median(rounds.map((round) => round[way].cpu_ms_per_message[part]))
  return {
    smtp_per_s: rates('smtp'),
    rest_per_s: rates('rest'),
    batch_per_s: rates('batch'),
    rest_ratio: median(ratios('rest')),
    batch_ratio: median(ratios('batch')),
    rest_ratios: ratios('rest'),
    batch_ratios: ratios('batch'),
    cpu_ms_per_message: Object.fromEntries(
      ways.map((way) => [way, { app: cpu(way, 'app'), postgres: cpu(way, 'postgres') }]),
    ),
    lost,
    rounds,
  }
}

function print(
  { messages, connections, size, batch }: Record<'messages' | 'connections' | 'size' | 'batch', number>,
  rounds: readonly Round[],
  result: ReturnType<typeof combine>,
): void {
  console.log(
    `\napi: ${messages} messages of ${size} bytes, ${connections} connections, batches of ${batch}, outbound stopped\n${machine()}\n`,
  )
  const rows = rounds.flatMap((round, index) =>
    ways.map((way) => {
      const { per_s, cpu_ms_per_message: cpu } = round[way]
      const ratio = way === 'smtp' ? '' : figure(per_s / round.smtp.per_s)
      return [`${index + 1} ${way}`, figure(per_s), figure(cpu.app), figure(cpu.postgres), ratio]
    }),
  )
  printTable([['', 'messages/s', 'app ms/msg', 'postgres ms/msg', 'to SMTP'], ...rows])
  console.log(
    `\n  to SMTP, median of the rounds: POST /emails ${figure(result.rest_ratio)}, batches ${figure(result.batch_ratio)}`,
  )
}

async function countMessages({ sql }: Postel): Promise<number> {
  const [row] = await sql<{ n: number }[]>`select count(*)::int as n from postel.messages`
  return row!.n
}
