// Makes and checks a cluster's data directory, and keeps it to one owner at a time.
import { spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { chown, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { clusterName } from './address.ts'
import type { Binaries } from './binaries.ts'
import { ClusterError } from './cluster-error.ts'
import { identityOf, lives, type ProcessIdentity } from './postmaster.ts'
import { barrier, type ServerUser } from './server-user.ts'

/**
 * Makes the data directory unless it exists: UTF8, locale C, data checksums, superuser "postel", trust on the Unix socket
 * (its directory is closed to others) and SCRAM over TCP. It appears whole or not at all. An existing one is checked.
 * Throws a ClusterError: `version_mismatch`, `not_ours`, `not_reachable`, `start_failed`.
 */
export async function prepareDataDir(
  dataDir: string,
  binaries: Binaries,
  user: ServerUser | undefined,
  options: { sync: boolean },
): Promise<void> {
  const entries = await readdir(dataDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new ClusterError('not_ours', `Cannot read the data directory ${dataDir}: ${error.message}`, {
      cause: error,
    })
  })
  if (entries.length > 0) return checkDataDir(dataDir, binaries)

  const draft = `${dataDir}.new`
  await rm(draft, { recursive: true, force: true })
  await mkdir(dirname(draft), { recursive: true })
  await mkdir(draft, { mode: 0o700 })
  if (user) await chown(draft, user.uid, user.gid)
  const directory = await openDirectory(draft, user)
  const flags = ['-E', 'UTF8', '--locale=C', '-U', clusterName, '--data-checksums']
  const auth = ['--auth-local=trust', '--auth-host=scram-sha-256']
  const sync = options.sync ? [] : ['--no-sync']
  try {
    await run(binaries.initdb, ['-D', directory.path, ...flags, ...auth, ...sync], user, directory.fd)
  } finally {
    directory.close()
  }
  await rename(draft, dataDir)
}

/** A data directory as the server can name it; `fd` is to be the server's file descriptor 3, if set. */
export interface OpenDirectory {
  path: string
  fd: number | undefined
  close(): void
}

/**
 * The name under which `user` can reach the directory. Where a directory above it is closed to that user (a checkout under
 * /root), it is handed over as an open descriptor: on Linux /proc/self/fd/3 leads to it without passing those above.
 * Throws a ClusterError `not_reachable` on other systems.
 */
export async function openDirectory(path: string, user: ServerUser | undefined): Promise<OpenDirectory> {
  const closed = user && (await barrier(dirname(path), user))
  if (closed === undefined) return { path, fd: undefined, close: () => {} }
  if (process.platform !== 'linux')
    throw new ClusterError(
      'not_reachable',
      `PostgreSQL does not run as root, and user ${user?.uid} that runs it may not enter ${closed}. ` +
        'Set POSTEL_DATA_DIR to a directory that all users can reach, such as /var/lib/postel.',
    )
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  return { path: '/proc/self/fd/3', fd, close: () => closeSync(fd) }
}

/**
 * Takes `<dataDir>.lock` for this process and returns what releases it (once). The lock of a process that has ended counts for nothing.
 * Throws a ClusterError: `in_use` (it names the process), `not_ours` (no right to write there).
 */
export function lockDataDir(dataDir: string): () => void {
  let lock = `${dataDir}.lock`
  let draft = `${lock}.${process.pid}`
  try {
    mkdirSync(dirname(dataDir), { recursive: true })
    // One directory must have one lock, whatever links lead to it.
    const real = existsSync(dataDir)
      ? realpathSync(dataDir)
      : join(realpathSync(dirname(dataDir)), basename(dataDir))
    lock = `${real}.lock`
    draft = `${lock}.${process.pid}`
    writeFileSync(draft, JSON.stringify(identityOf(process.pid)))
    for (;;) {
      try {
        linkSync(draft, lock)
        let held = true
        return () => {
          if (held) rmSync(lock, { force: true })
          held = false
        }
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
      }
      const holder = readHolder(lock)
      if (holder && lives(holder))
        throw new ClusterError(
          'in_use',
          `The data directory ${dataDir} is in use by process ${holder.pid}. ` +
            'Stop that one first, or set POSTEL_DATA_DIR to another directory.',
        )
      rmSync(lock, { force: true })
    }
  } catch (cause) {
    if (cause instanceof ClusterError || !['EACCES', 'EPERM', 'EROFS', 'ENOTDIR'].includes(codeOf(cause)))
      throw cause
    throw new ClusterError(
      'not_ours',
      `Cannot write to ${dirname(dataDir)}, where PostgreSQL's data goes (${String(cause)}). ` +
        'Set POSTEL_DATA_DIR to a directory of your own.',
      { cause },
    )
  } finally {
    rmSync(draft, { force: true })
  }
}

async function checkDataDir(dataDir: string, binaries: Binaries): Promise<void> {
  const version = await readFile(join(dataDir, 'PG_VERSION'), 'utf8').catch(() => '')
  const major = Number.parseInt(version, 10)
  if (Number.isNaN(major))
    throw new ClusterError('not_ours', `${dataDir} is not empty and is not a PostgreSQL data directory.`)
  if (major !== binaries.major)
    throw new ClusterError(
      'version_mismatch',
      `${dataDir} holds data of PostgreSQL ${major}, but the binaries in ${binaries.bin} are version ` +
        `${binaries.version}. Start it with PostgreSQL ${major}, write its content with pg_dumpall to a file, move the ` +
        'directory away, start Postel again and load the file with psql.',
    )
  const owner = (await stat(dataDir)).uid
  const we = process.getuid?.() ?? owner
  if (we !== 0 && owner !== we)
    throw new ClusterError(
      'not_ours',
      `${dataDir} belongs to user ${owner}, but we run as user ${we} (was it made by root?). ` +
        'Start Postel as that user or as root, or set POSTEL_DATA_DIR to another directory.',
    )
  if (owner === 0)
    throw new ClusterError(
      'not_ours',
      `${dataDir} belongs to root, and PostgreSQL does not run as root. Give it to the user that is to run it: ` +
        `chown -R postgres: ${dataDir}`,
    )
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? ''
}

/** Undefined when there is nothing to be read; a lock that we may not read is an error, not a lock to ignore. */
function readHolder(lock: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(lock, 'utf8'))
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The environment of Postgres and initdb: no PG* variable or locale of ours may reach them. */
export const serverEnvironment = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

async function run(program: string, args: string[], user: ServerUser | undefined, fd: number | undefined) {
  const child = spawn(program, args, {
    ...user,
    cwd: '/',
    env: serverEnvironment,
    stdio: ['ignore', 'pipe', 'pipe', fd ?? 'ignore'],
  })
  let output = ''
  child.stdout?.on('data', (chunk) => (output += chunk))
  child.stderr?.on('data', (chunk) => (output += chunk))
  const status = await new Promise<number | string | null>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(code ?? signal))
  })
  if (status !== 0) throw new ClusterError('start_failed', `${program} failed (${status}):\n${output.trim()}`)
}
