/** Child processes of a benchmark: started with a log of their own, watched, and ended for certain. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { Cleanup } from './cleanup.ts'

/** Children see this and what they are given, nothing of the caller's environment. */
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export type ChildOptions = {
  /** For messages. */
  name: string
  command: string
  args: readonly string[]
  /** Receives stdout and stderr. */
  logFile: string
  cwd?: string
  env?: Record<string, string>
  /** Gives it an IPC channel, whose end tells it that this process is gone. */
  ipc?: boolean
  /** Makes it the leader of a process group of its own, which a terminal's Ctrl-C does not reach. */
  detached?: boolean
}

export type Child = {
  pid: number
  /** Resolves with the exit code, or the signal that ended it; never rejects. */
  exited: Promise<number | NodeJS.Signals>
  readonly ended: boolean
  /** The end of its log, for error messages. */
  logTail(): string
  /** SIGTERM, and SIGKILL after 20 s; resolves when it has ended. */
  stop(): Promise<void>
}

/** Starts a process; it is stopped by the cleanup at the latest. Throws when the program cannot be started. */
export function startChild(cleanup: Cleanup, options: ChildOptions): Child {
  const log = openSync(options.logFile, 'w')
  const child = spawn(options.command, options.args, {
    cwd: options.cwd ?? '/',
    env: { PATH: searchPath, ...options.env },
    detached: options.detached ?? false,
    stdio: options.ipc ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
  })
  closeSync(log)
  let ended = false
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    const end = (outcome: number | NodeJS.Signals) => {
      ended = true
      resolve(outcome)
    }
    child.once('exit', (code, signal) => end(signal ?? code ?? 1))
    child.once('error', () => end(127))
  })
  if (child.pid === undefined) throw new Error(`${options.name} (${options.command}) cannot be started`)
  return {
    pid: child.pid,
    exited,
    get ended() {
      return ended
    },
    logTail: () => readFileSync(options.logFile, 'utf8').slice(-2000).trim(),
    stop: cleanup.defer(() => end(child, exited)),
  }
}

async function end(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  await exited
  clearTimeout(timer)
}
