/** latency: one message at a time through an idle system, over connections that stay open. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ParseArgsOptionsConfig } from 'node:util'
import { makeThrowAwayDirectory } from '@postel/db/testing/throw-away-directory'
import type { Cleanup } from './cleanup.ts'
import { choice, count, type Flags } from './flags.ts'
import { recipient, sender } from './load.ts'
import { canRunPostfix, startPostfix } from './postfix.ts'
import { figure, machine, percentile, printTable, progress, rounded } from './report.ts'
import { openSession } from './smtp-session.ts'
import { type Dkim, startPostel } from './system.ts'
import { startTokenSink } from './token-sink.ts'
import { findTool } from './tools.ts'

export const usage =
  'latency [--messages 200] [--size 4096] [--dkim rsa|ed25519|none] [--peer postfix|none] [--json]'

export const flags = {
  messages: { type: 'string', default: '200' },
  size: { type: 'string', default: '4096' },
  dkim: { type: 'string', default: 'none' },
  peer: { type: 'string' },
  json: { type: 'boolean', default: false },
} satisfies ParseArgsOptionsConfig

/** Milliseconds from the end of data until the 250, and until the message is complete at the sink. */
type Sample = { submission: number; arrival: number }

type System = { name: string; send(token: string): Promise<Sample>; samples: Sample[] }

const warmUp = 30
/** Long enough for what follows a delivery (recording it) to be over, short enough that connections stay open. */
const pauseMs = 20
const arrivalTimeoutMs = 60_000

/** Sends to each system in turn, message by message, and prints the percentiles. */
export async function run(given: Flags, cleanup: Cleanup): Promise<boolean> {
  const messages = count(given, 'messages', 1, 100_000)
  const size = count(given, 'size', 1, 10_000_000)
  const dkim = choice(given, 'dkim', ['rsa', 'ed25519', 'none'] as const)
  const peer =
    given.peer === undefined
      ? canRunPostfix()
        ? 'postfix'
        : 'none'
      : choice(given, 'peer', ['postfix', 'none'] as const)
  if (peer === 'postfix') findTool('postfix')

  const systems = [await preparePostel(cleanup, dkim, size)]
  if (peer === 'postfix') systems.push(await preparePostfix(cleanup, size))
  else progress('no peer: Postfix is not installed, or we are not root')
  for (let number = -warmUp; number < messages; number++)
    for (const system of systems) {
      const sample = await system.send(`m${number}.${system.samples.length}`)
      if (number >= 0) system.samples.push(sample)
      await sleep(pauseMs)
    }

  const [ours, theirs] = systems.map((system) => ({ name: system.name, ...percentiles(system.samples) }))
  const result = {
    submission_ms: ours!.submission_ms,
    arrival_ms: ours!.arrival_ms,
    messages,
    ...(theirs && {
      peer: theirs,
      ratio: {
        submission_p50: ours!.submission_ms.p50 / theirs.submission_ms.p50,
        submission_p99: ours!.submission_ms.p99 / theirs.submission_ms.p99,
        arrival_p50: ours!.arrival_ms.p50 / theirs.arrival_ms.p50,
        arrival_p99: ours!.arrival_ms.p99 / theirs.arrival_ms.p99,
      },
    }),
  }
  console.log(`\nlatency: ${messages} messages of ${size} bytes, one at a time, DKIM ${dkim}\n${machine()}\n`)
  const cells = (values: number[]) => values.map(figure)
  const row = ({ name, submission_ms, arrival_ms }: NonNullable<typeof ours>) => [
    name,
    ...cells([submission_ms.p50, submission_ms.p99, arrival_ms.p50, arrival_ms.p99]),
  ]
  printTable([
    ['milliseconds after the end of data', '250: p50', 'p99', 'at the sink: p50', 'p99'],
    row(ours!),
    ...(theirs ? [row(theirs), ['Postel to it', ...cells(Object.values(result.ratio!))]] : []),
  ])
  if (given.json) console.log(JSON.stringify(rounded(result)))
  return true
}

async function preparePostel(cleanup: Cleanup, dkim: Dkim, size: number): Promise<System> {
  const directory = makeThrowAwayDirectory('postel-bench-')
  cleanup.defer(() => directory.remove())
  const sink = await startTokenSink(cleanup)
  const postel = await startPostel(cleanup, { directory: directory.path, sinkPort: sink.port, dkim })
  return system(cleanup, 'Postel', postel.port, sink, size)
}

async function preparePostfix(cleanup: Cleanup, size: number): Promise<System> {
  const directory = makeThrowAwayDirectory('postel-bench-')
  cleanup.defer(() => directory.remove())
  const sink = await startTokenSink(cleanup)
  const postfix = await startPostfix(cleanup, directory.path, sink.port)
  return system(cleanup, postfix.name, postfix.port, sink, size)
}

async function system(
  cleanup: Cleanup,
  name: string,
  port: number,
  sink: Awaited<ReturnType<typeof startTokenSink>>,
  size: number,
): Promise<System> {
  const session = await openSession(cleanup, port)
  return {
    name,
    samples: [],
    send: async (token) => {
      const arrival = sink.arrival(token, arrivalTimeoutMs)
      const [{ sentAt, repliedAt }, arrivedAt] = await Promise.all([
        session.send(compose(token, size)),
        arrival,
      ])
      return { submission: repliedAt - sentAt, arrival: arrivedAt - sentAt }
    },
  }
}

function compose(token: string, size: number): string {
  const line = 'Your order has been shipped and will reach you within three working days.\r\n'
  const head = [
    `From: ${sender}`,
    `To: ${recipient}`,
    `Subject: ${token}`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${token}@s.test>`,
    '',
    '',
  ].join('\r\n')
  return head + line.repeat(Math.ceil(size / line.length))
}

function percentiles(samples: readonly Sample[]) {
  const of = (name: keyof Sample) => {
    const values = samples.map((sample) => sample[name])
    return { p50: percentile(values, 0.5), p99: percentile(values, 0.99) }
  }
  return { submission_ms: of('submission'), arrival_ms: of('arrival') }
}
