/** Who runs on a data directory: one standalone at a time, known to later starts and to psql by a lock and a file. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClusterError } from '@postel/db/embedded/cluster-error'
import { lockDataDir } from '@postel/db/embedded/data-dir'
import { identityOf, lives, type ProcessIdentity } from '@postel/db/embedded/postmaster'
import { sendSignal } from '@postel/db/embedded/server-process'
import type { Ports } from './ports.ts'

/** What `<dataDir>/state.json` (0600) says while a standalone runs; it stays behind when that is killed. */
export type RunState = {
  process: ProcessIdentity
  /** Direct, not through a pooler. */
  databaseUrl: string
  ports: Ports
  apps: ProcessIdentity[]
}

/** Takes the data directory for this process; returns what gives it back. Throws an Error for the operator when it is taken. */
export function claimDataDir(dataDir: string): () => void {
  const name = join(dataDir, 'standalone')
  try {
    return lockDataDir(name)
  } catch (error) {
    if (!(error instanceof ClusterError && error.code === 'in_use')) throw error
    const pid = readJson<ProcessIdentity>(`${name}.lock`)?.pid
    const state = readRunState(dataDir)
    const api = state && state.process.pid === pid ? `, API on port ${state.ports.api}` : ''
    throw new Error(
      `Postel is already running here (process ${pid}${api}). ` +
        'Stop that one first, or set POSTEL_DATA_DIR to another directory (and other ports).',
    )
  }
}

/** The state last written; undefined when there is none. */
export function readRunState(dataDir: string): RunState | undefined {
  return readJson<RunState>(join(dataDir, 'state.json'))
}

/** The state of a standalone that runs now. */
export function readLiveState(dataDir: string): RunState | undefined {
  const state = readRunState(dataDir)
  return state && lives(state.process) ? state : undefined
}

/** Writes the state of this process; `appPids` are its children. */
export function writeRunState(
  dataDir: string,
  state: Pick<RunState, 'databaseUrl' | 'ports'> & { appPids: readonly number[] },
): void {
  const { databaseUrl, ports, appPids } = state
  const apps = appPids.map(identityOf).filter((identity) => identity !== undefined)
  const path = join(dataDir, 'state.json')
  const text = JSON.stringify({ process: identityOf(process.pid), databaseUrl, ports, apps })
  rmSync(`${path}.new`, { force: true })
  writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o600, flag: 'wx' })
  renameSync(`${path}.new`, path)
}

/** To be called once nothing runs any more. */
export function removeRunState(dataDir: string): void {
  rmSync(join(dataDir, 'state.json'), { force: true })
}

/**
 * Returns once no app of an earlier run is alive. They end by themselves when their parent dies, and finish what is under way
 * before; those that have not ended after `patienceMs` are killed. `onWait` is called when there is something to wait for.
 */
export async function outliveOrphans(
  dataDir: string,
  onWait: () => void,
  patienceMs = 10_000,
): Promise<void> {
  const orphans = readRunState(dataDir)?.apps.filter(lives) ?? []
  if (orphans.length === 0) return
  onWait()
  const deadline = performance.now() + patienceMs
  while (orphans.some(lives)) {
    if (performance.now() > deadline)
      for (const orphan of orphans.filter(lives)) sendSignal(orphan.pid, 'SIGKILL')
    await sleep(50)
  }
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}
