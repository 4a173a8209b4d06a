// The operating system's side of a running Postgres: starts the process, ends it, and reads what it logged.
import { spawn } from 'node:child_process'
import { closeSync, fchownSync, mkdirSync, openSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Binaries } from './binaries.ts'
import { ClusterError } from './cluster-error.ts'
import { openDirectory, serverEnvironment } from './data-dir.ts'
import type { ServerUser } from './server-user.ts'

/** How a process ended; both are null when it could not be started at all. */
export interface ProcessExit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A postmaster that we started. `exited` never rejects; `ended` is true once it has settled. */
export interface ServerProcess {
  readonly pid: number | undefined
  readonly ended: boolean
  readonly exited: Promise<ProcessExit>
  /** The last 4 KiB of what it has logged. */
  logTail(): Promise<string>
}

/** What to start: `settings` become `-c` flags; the log is appended to `logFile`. */
export interface ServerCommand {
  binaries: Binaries
  user: ServerUser | undefined
  dataDir: string
  logFile: string
  settings: Readonly<Record<string, string | number>>
}

/** Starts a postmaster in a process group of its own and does not wait for it to be ready. */
export async function startServer(command: ServerCommand): Promise<ServerProcess> {
  const flags = Object.entries(command.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  mkdirSync(dirname(command.logFile), { recursive: true })
  const directory = await openDirectory(command.dataDir, command.user)
  const log = openSync(command.logFile, 'a', 0o600)
  // Owned by root, it would stop a later start that is not root's.
  if (command.user) fchownSync(log, command.user.uid, command.user.gid)
  const logStart = statSync(command.logFile).size
  const child = spawn(command.binaries.postgres, ['-D', directory.path, ...flags], {
    ...command.user,
    cwd: '/',
    env: serverEnvironment,
    detached: true,
    stdio: ['ignore', log, log, directory.fd ?? 'ignore'],
  })
  closeSync(log)
  directory.close()
  let ended = false
  const exited = new Promise<ProcessExit>((settle) => {
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      ended = true
      settle({ code, signal })
    }
    child.once('exit', end)
    child.once('error', () => end(null, null))
  })
  return {
    pid: child.pid,
    exited,
    get ended() {
      return ended
    },
    logTail: () => tail(command.logFile, logStart),
  }
}

/**
 * Ends a postmaster, ours or a leftover, and returns once `gone` says so. `fast` (SIGINT) becomes `immediate` (SIGQUIT)
 * after 60 s, and that SIGKILL after 10 s. Throws a ClusterError `stop_failed` 10 s after that.
 */
export async function endServer(pid: number, mode: 'fast' | 'immediate', gone: () => boolean): Promise<void> {
  const steps: [NodeJS.Signals, number][] = [
    ['SIGINT', 60],
    ['SIGQUIT', 10],
    ['SIGKILL', 10],
  ]
  for (const [name, seconds] of mode === 'fast' ? steps : steps.slice(1)) {
    sendSignal(pid, name)
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(10)) if (gone()) return
  }
  throw new ClusterError('stop_failed', `PostgreSQL (process ${pid}) does not end.`)
}

/** Sends a signal; a process that has ended already is not an error. */
export function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function tail(path: string, start: number): Promise<string> {
  const file = await open(path)
  try {
    const size = (await file.stat()).size
    const from = Math.max(start, size - 4096)
    const { buffer } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
    return buffer.toString('utf8').trim()
  } finally {
    await file.close()
  }
}
