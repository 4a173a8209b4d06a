/** e2e: a load of equal messages from smtp-source through a whole system into smtp-sink. */
import type { ParseArgsOptionsConfig } from 'node:util'
import type { Cleanup } from './cleanup.ts'
import { choice, count, type Flags } from './flags.ts'
import type { Load } from './load.ts'
import { type Figures, measurePostel, measurePostfix, type PostelFigures, type PostelRun } from './measure.ts'
import { figure, machine, median, printTable, progress, rounded } from './report.ts'
import { findTool } from './tools.ts'

export const usage =
  'e2e [--messages 20000] [--sessions 50] [--size 4096 | --body FILE] [--dkim rsa|ed25519|none] [--peer postfix]\n' +
  '    [--rounds N] [--backlog N] [--waiting N] [--hold-snapshot] [--limits] [--warm-up 500] [--json]'

export const flags = {
  messages: { type: 'string', default: '20000' },
  sessions: { type: 'string', default: '50' },
  size: { type: 'string', default: '4096' },
  body: { type: 'string' },
  dkim: { type: 'string', default: 'none' },
  peer: { type: 'string' },
  rounds: { type: 'string' },
  backlog: { type: 'string', default: '0' },
  waiting: { type: 'string', default: '0' },
  'hold-snapshot': { type: 'boolean', default: false },
  limits: { type: 'boolean', default: false },
  'warm-up': { type: 'string', default: '500' },
  json: { type: 'boolean', default: false },
} satisfies ParseArgsOptionsConfig

/** With `--limits`: on the list that each recipient is looked up in. */
const suppressedAddresses = 100_000

/** The figures of one round by system; what is compared ran in turn, on the same machine, minutes apart at most. */
type Round = { postel?: PostelFigures; burdened?: PostelFigures; postfix?: Figures & { name: string } }

/** Runs the rounds and prints them; resolves with false when a message was lost. */
export async function run(given: Flags, cleanup: Cleanup): Promise<boolean> {
  const load: Load = {
    messages: count(given, 'messages', 1, 5_000_000),
    sessions: count(given, 'sessions', 1, 1000),
    size: count(given, 'size', 1, 100_000_000),
    body: given.body as string | undefined,
  }
  const warmUp = count(given, 'warm-up', 0, 100_000)
  const backlog = count(given, 'backlog', 0, 10_000_000)
  const waiting = count(given, 'waiting', 0, 10_000_000)
  const holdSnapshot = given['hold-snapshot'] === true
  const dkim = choice(given, 'dkim', ['rsa', 'ed25519', 'none'] as const)
  const peer = given.peer === undefined ? undefined : choice(given, 'peer', ['postfix'] as const)
  const suppressed = given.limits === true ? suppressedAddresses : 0
  const burdened = waiting > 0 || holdSnapshot || suppressed > 0
  const rounds = given.rounds ? count(given, 'rounds', 1, 100) : peer || burdened ? 2 : 1
  for (const tool of ['smtp-source', 'smtp-sink'] as const) findTool(tool)
  if (peer) findTool(peer)

  const plain: PostelRun = { load, warmUp, dkim, backlog, waiting: 0, suppressed: 0, holdSnapshot: false }
  const steps: ((round: Round) => Promise<void>)[] = [
    async (round) => {
      round.postel = await measurePostel(cleanup, plain)
    },
  ]
  if (burdened)
    steps.push(async (round) => {
      round.burdened = await measurePostel(cleanup, { ...plain, waiting, suppressed, holdSnapshot })
    })
  if (peer)
    steps.push(async (round) => {
      round.postfix = await measurePostfix(cleanup, load, warmUp)
    })

  const results: Round[] = []
  for (let number = 1; number <= rounds; number++) {
    const round: Round = {}
    // Whoever goes first meets another machine than who goes second: they take turns at that, too.
    for (const step of number % 2 === 1 ? steps : steps.toReversed()) {
      await step(round)
      progress(`round ${number} of ${rounds}: ${summary(round)}`)
    }
    results.push(round)
  }
  const result = combine(results)
  print(given, load, results)
  if (given.json) console.log(JSON.stringify(rounded(result)))
  if (result.lost > 0) console.error(`${result.lost} messages were lost.`)
  return result.lost <= 0
}

/** The medians over the rounds, in the shape that interfaces promise; `ratio`s are ours to theirs, pair by pair. */
function combine(rounds: readonly Round[]) {
  const ours = rounds.map((round) => round.postel!)
  const middle = (pick: (figures: PostelFigures) => number) => median(ours.map(pick))
  const medians = (pick: (figures: Figures) => Record<string, number>) =>
    Object.fromEntries(
      Object.keys(pick(ours[0]!)).map((name) => [name, middle((figures) => pick(figures)[name]!)]),
    )
  const pairs = (of: 'postfix' | 'burdened', pick: (figures: Figures) => number) =>
    rounds.flatMap((round) => (round[of] ? [pick(round.postel!) / pick(round[of])] : []))
  const speed = (figures: Figures) => figures.e2e_per_s
  const cpu = (figures: Figures) => figures.cpu_ms_per_message.total
  const peers = rounds.flatMap((round) => round.postfix ?? [])
  const burdened = rounds.flatMap((round) => round.burdened ?? [])
  return {
    ingest_per_s: middle((figures) => figures.ingest_per_s),
    e2e_per_s: middle(speed),
    cpu_ms_per_message: medians((figures) => figures.cpu_ms_per_message),
    wal_bytes_per_message: middle((figures) => figures.wal_bytes_per_message),
    p50_ms: middle((figures) => figures.p50_ms),
    p99_ms: middle((figures) => figures.p99_ms),
    rss_mib: medians((figures) => figures.rss_mib),
    lost: sum([...ours, ...burdened], (figures) => figures.lost),
    duplicated: sum([...ours, ...burdened], (figures) => figures.duplicated),
    ...(peers.length > 0 && {
      peer: {
        name: peers[0]!.name,
        e2e_per_s: median(peers.map(speed)),
        cpu_ms_per_message: median(peers.map(cpu)),
      },
      ratio: median(pairs('postfix', speed)),
      cpu_ratio: median(pairs('postfix', cpu)),
      ratios: pairs('postfix', speed),
      cpu_ratios: pairs('postfix', cpu),
    }),
    ...(burdened.length > 0 && {
      burdened: {
        e2e_per_s: median(burdened.map(speed)),
        cpu_ms_per_message: median(burdened.map(cpu)),
        p99_ms: median(burdened.map((figures) => figures.p99_ms)),
        ratio: 1 / median(pairs('burdened', speed)),
        ratios: pairs('burdened', speed).map((value) => 1 / value),
      },
    }),
    rounds,
  }
}

function print(given: Flags, load: Load, rounds: readonly Round[]): void {
  const content = load.body ?? `${load.size} bytes`
  const extras = ['backlog', 'waiting'].flatMap((name) =>
    given[name] === '0' ? [] : `${name} ${given[name]}`,
  )
  if (given['hold-snapshot']) extras.push('snapshot held')
  if (given.limits) extras.push('quota, rates and suppressions')
  console.log(
    `\ne2e: ${load.messages} messages of ${content}, ${load.sessions} sessions, DKIM ${given.dkim}` +
      `${extras.map((text) => `, ${text}`).join('')}\n${machine()}\n`,
  )
  const head = [
    '',
    'ingest/s',
    'e2e/s',
    'CPU ms/msg',
    'p50 ms',
    'p99 ms',
    'WAL B/msg',
    'lost',
    'dup',
    'Postel to it',
    'in CPU',
  ]
  const rows = rounds.flatMap((round, index) => {
    const base = round.postel!
    const row = (name: string, figures: Figures & Partial<PostelFigures>) => [
      `${index + 1} ${name}`,
      figure(figures.ingest_per_s),
      figure(figures.e2e_per_s),
      figure(figures.cpu_ms_per_message.total),
      figure(figures.p50_ms),
      figure(figures.p99_ms),
      figure(figures.wal_bytes_per_message),
      `${figures.lost}`,
      `${figures.duplicated}`,
      figures === base ? '' : figure(base.e2e_per_s / figures.e2e_per_s),
      figures === base ? '' : figure(base.cpu_ms_per_message.total / figures.cpu_ms_per_message.total),
    ]
    return [
      row('Postel', base),
      ...(round.burdened ? [row('Postel, burdened', round.burdened)] : []),
      ...(round.postfix ? [row(round.postfix.name, round.postfix)] : []),
    ]
  })
  printTable([head, ...rows])
  const result = combine(rounds)
  const parts = (values: Record<string, number>) =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${figure(value)}`)
      .join(', ')
  console.log(`\n  CPU ms/msg: ${parts(result.cpu_ms_per_message)}`)
  console.log(`  memory MiB: ${parts(result.rss_mib)}`)
  if (result.peer)
    console.log(
      `  Postel to ${result.peer.name}, median of the pairs: ${figure(result.ratio)} times its rate, ` +
        `${figure(result.cpu_ratio)} times its CPU`,
    )
  if (result.burdened)
    console.log(`  burdened to plain, median of the pairs: ${figure(result.burdened.ratio)} times its rate`)
}

function summary(round: Round): string {
  return Object.entries(round)
    .map(([name, figures]) => `${name} ${figure(figures.e2e_per_s)}/s`)
    .join(', ')
}

function sum<T>(values: readonly T[], pick: (value: T) => number): number {
  return values.reduce((total, value) => total + pick(value), 0)
}
