// Tells from the files in a data directory which Postgres runs on it, and which process of ours started that.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

/** A process by number and start time, so that a reused number is not mistaken for it. */
export interface ProcessIdentity {
  pid: number
  started: string
}

/** What postmaster.pid says; `running` is false when it is a leftover of a crash. */
export interface Postmaster {
  pid: number
  ready: boolean
  running: boolean
}

/** Reads `<dataDir>/postmaster.pid` and checks that its process lives and is a Postgres on this directory. */
export function readPostmaster(dataDir: string): Postmaster | undefined {
  let lines: string[]
  try {
    lines = readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return undefined
  }
  const pid = Number.parseInt(lines[0] ?? '', 10)
  if (!(pid > 0)) return undefined
  return { pid, ready: lines[7]?.trim() === 'ready', running: isAlive(pid) && worksIn(pid, dataDir) }
}

/** The identity of a living process; undefined when there is none of that number. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  if (!isAlive(pid)) return undefined
  return { pid, started: startTime(pid) }
}

/** True while exactly that process lives, not another one with its number. */
export function lives(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.started === identity.started
}

/** The numbers of a process's children; empty where there is no /proc. */
export function childrenOf(pid: number): number[] {
  if (!existsSync('/proc/self/stat')) return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(statFields(name)[1]) === pid)
    .map(Number)
}

/** True when a process of that number exists and is not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return statFields(String(pid))[0] !== 'Z'
}

/** Postgres makes its data directory its working directory. Without /proc the command line has to do. */
function worksIn(pid: number, dataDir: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return false
    return ps(pid, 'command').includes(dataDir)
  }
}

function startTime(pid: number): string {
  return statFields(String(pid))[19] ?? ps(pid, 'lstart')
}

/** The fields of /proc/<pid>/stat after the command's name (which may hold spaces): state, parent, … */
function statFields(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
  } catch {
    return []
  }
}

function ps(pid: number, column: 'lstart' | 'command'): string {
  try {
    return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return ''
  }
}
