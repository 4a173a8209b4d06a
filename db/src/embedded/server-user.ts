// Decides as which system user Postgres runs (it refuses root), and that this user can reach what it needs.
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { chmod, constants, cp, lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type Binaries, linkLibraries } from './binaries.ts'
import { ClusterError } from './cluster-error.ts'

/** A system user by number; `undefined` in its place means the user that we are ourselves. */
export interface ServerUser {
  uid: number
  gid: number
}

const ordinaryUsers = ['postgres', '_postgres', 'nobody']

/**
 * The user for a data directory: undefined unless we are root. As root, the owner of a directory that exists already, else
 * the first of postgres, _postgres and nobody. No user is ever created.
 * Throws a ClusterError `no_unprivileged_user`.
 */
export function serverUser(dataDir: string): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const owner = statSync(dataDir, { throwIfNoEntry: false })
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  for (const name of ordinaryUsers) {
    const uid = idOf('-u', name)
    const gid = idOf('-g', name)
    if (uid && gid) return { uid, gid }
  }
  throw new ClusterError(
    'no_unprivileged_user',
    'PostgreSQL does not run as root, and this machine has neither a user "postgres" nor "nobody" to run it as. ' +
      'Start Postel as an ordinary user, or set DATABASE_URL to a PostgreSQL server of your own.',
  )
}

/**
 * The first directory on the way to `path` (the path itself included) that `user` may not pass, or undefined. It looks at
 * mode bits only, as root is not stopped by them and so cannot simply try. Parts that do not exist yet are skipped.
 */
export async function barrier(path: string, user: ServerUser): Promise<string | undefined> {
  const parent = dirname(path)
  const above = parent === path ? undefined : await barrier(parent, user)
  if (above !== undefined) return above
  const found = await stat(path).catch(() => undefined)
  if (!found || allowed(found, user, constants.X_OK)) return undefined
  return path
}

/**
 * Binaries that `user` can run: the given ones, or (when they lie in a directory closed to that user, such as a
 * checkout under /root) a copy made once per version in /var/cache/postel, or in the temporary directory.
 */
export async function runnableBinaries(binaries: Binaries, user: ServerUser | undefined): Promise<Binaries> {
  if (!user || !binaries.relocatable) return binaries
  const program = await stat(binaries.postgres)
  const closed = await barrier(binaries.bin, user)
  if (closed === undefined && allowed(program, user, constants.R_OK | constants.X_OK)) return binaries
  const name = `pg-${binaries.version}-${process.platform}-${process.arch}`
  let root: string
  try {
    root = await copyOnce(binaries.root, join('/var/cache/postel', name))
  } catch {
    root = await copyOnce(binaries.root, join(tmpdir(), `postel-${name}`))
  }
  const bin = join(root, 'bin')
  const at = (file: string) => join(bin, basename(file))
  return {
    ...binaries,
    root,
    bin,
    initdb: at(binaries.initdb),
    postgres: at(binaries.postgres),
    pg_ctl: at(binaries.pg_ctl),
  }
}

async function copyOnce(from: string, to: string): Promise<string> {
  const known = await lstat(to).catch(() => undefined)
  if (!known) {
    const made = await mkdir(dirname(to), { recursive: true })
    if (made !== undefined) await chmod(dirname(to), 0o755)
    const draft = `${to}.${process.pid}`
    await rm(draft, { recursive: true, force: true })
    await cp(from, join(draft, 'native'), { recursive: true, verbatimSymlinks: true })
    linkLibraries(join(draft, 'native'))
    await openToAll(draft)
    // Whoever renames first wins; the loser's draft has the same content.
    await rename(draft, to).catch(() => rm(draft, { recursive: true, force: true }))
  }
  // In a directory that anyone may write to, another user could have left programs of theirs under this name.
  const made = await lstat(to)
  if (!made.isDirectory() || made.uid !== 0 || (made.mode & 0o022) !== 0)
    throw new ClusterError('not_ours', `${to} was made by another user: remove it.`)
  const native = join(to, 'native')
  const closed = await barrier(native, { uid: -1, gid: -1 })
  if (closed !== undefined)
    throw new ClusterError('not_reachable', `${closed} is closed to the user that runs PostgreSQL.`)
  return native
}

async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isDirectory()) await chmod(path, 0o755)
    else if (entry.isFile()) await chmod(path, (await stat(path)).mode & 0o100 ? 0o755 : 0o644)
  }
}

function allowed(file: { uid: number; gid: number; mode: number }, user: ServerUser, bits: number): boolean {
  const shift = file.uid === user.uid ? 6 : file.gid === user.gid ? 3 : 0
  return ((file.mode >> shift) & bits) === bits
}

function idOf(flag: '-u' | '-g', name: string): number | undefined {
  try {
    return Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    return undefined
  }
}
