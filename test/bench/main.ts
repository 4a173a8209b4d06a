/** `npm run bench -- <name> [flags]`: runs a benchmark and leaves nothing of it behind. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import * as api from './api.ts'
import * as bulk from './bulk.ts'
import { Cleanup } from './cleanup.ts'
import * as drain from './drain.ts'
import * as e2e from './e2e.ts'
import * as fairness from './fairness.ts'
import { type Flags, UsageError } from './flags.ts'
import * as latency from './latency.ts'
import * as list from './list.ts'
import * as nodes from './nodes.ts'
import * as snapshot from './snapshot.ts'
import { CannotRunError } from './tools.ts'

/** What each benchmark's module exports. */
type Benchmark = {
  usage: string
  flags: ParseArgsOptionsConfig
  /** Resolves with false when mail was lost. */
  run(flags: Flags, cleanup: Cleanup): Promise<boolean>
}

const benchmarks: Record<string, Benchmark> = {
  e2e,
  latency,
  drain,
  fairness,
  snapshot,
  bulk,
  api,
  list,
  nodes,
}
const cleanup = new Cleanup()
let interrupted = false

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (interrupted) return
    interrupted = true
    console.error(`\n${signal}: stopping`)
    void cleanup.run().then(() => process.exit(130))
  })

const [name, ...args] = process.argv.slice(2)
try {
  const kept = await start(name, args)
  process.exitCode = kept ? 0 : 1
} catch (error) {
  if (!interrupted) process.exitCode = explain(error)
} finally {
  // When interrupted, the signal's handler is cleaning up and ends the process.
  if (!interrupted) {
    await cleanup.run()
    process.exit()
  }
}

async function start(name: string | undefined, args: string[]): Promise<boolean> {
  const benchmark = benchmarks[name ?? '']
  if (!benchmark) throw new UsageError(name ? `there is no benchmark "${name}"` : 'which benchmark?')
  let flags: Flags
  try {
    flags = parseArgs({ args, options: benchmark.flags, strict: true }).values as Flags
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
  return benchmark.run(flags, cleanup)
}

/** Tells what is wrong and returns the exit code. */
function explain(error: unknown): number {
  if (error instanceof UsageError) {
    const usages = Object.values(benchmarks).map((benchmark) => `  npm run bench -- ${benchmark.usage}`)
    console.error(`${error.message}\n\nUsage:\n${usages.join('\n')}`)
    return 2
  }
  console.error(error instanceof CannotRunError ? error.message : error)
  return 1
}
