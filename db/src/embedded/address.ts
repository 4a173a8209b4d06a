// Where a cluster of ours can be reached: its port, password and socket directory, kept from start to start.
import { createHash, randomInt } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClusterError } from './cluster-error.ts'
import { barrier, type ServerUser } from './server-user.ts'

/** The superuser, and the database, of every cluster of ours. */
export const clusterName = 'postel'

/** What must outlive a restart for a URL to stay valid. */
export interface Address {
  port: number
  password: string
}

/**
 * `postgres://postel:…@127.0.0.1:<port>/<database>`. It goes over loopback TCP because postgres.js and node-postgres have no
 * URL of a Unix socket in common: postgres.js reads none at all (its `host` option takes one), node-postgres reads `%2F…`.
 */
export function urlOf(address: Address, database = clusterName): string {
  return `postgres://${clusterName}:${address.password}@127.0.0.1:${address.port}/${encodeURIComponent(database)}`
}

/** The same over the Unix socket, without a password, for psql, node-postgres and graphile-worker. */
export function socketUrlOf(directory: string, port: number, database = clusterName): string {
  return `postgres://${clusterName}@${encodeURIComponent(directory)}:${port}/${encodeURIComponent(database)}`
}

/** Reads the address kept in a data directory; undefined when there is none. */
export function readAddress(dataDir: string): Address | undefined {
  try {
    const { port, password } = JSON.parse(readFileSync(join(dataDir, 'postel.json'), 'utf8'))
    return Number.isInteger(port) && typeof password === 'string' ? { port, password } : undefined
  } catch {
    return undefined
  }
}

/** Keeps the address in the data directory, readable by the server's user (and root) only. */
export function writeAddress(dataDir: string, address: Address, user: ServerUser | undefined): void {
  const draft = join(dataDir, 'postel.json.new')
  rmSync(draft, { force: true })
  writeFileSync(draft, `${JSON.stringify(address)}\n`, { mode: 0o600, flag: 'wx' })
  if (user) chownSync(draft, user.uid, user.gid)
  renameSync(draft, join(dataDir, 'postel.json'))
}

/**
 * A free TCP port on 127.0.0.1: `wanted` if it is free. Others lie below the range that systems use for outgoing
 * connections, which could otherwise take the port while the server restarts.
 */
export async function freePort(wanted?: number): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = tries === 0 && wanted ? wanted : randomInt(15_000, 32_000)
    if (await isFree(port)) return port
  }
  throw new ClusterError('start_failed', 'There is no free TCP port on 127.0.0.1.')
}

/**
 * The directory for the Unix socket, 0700 and the server's user's, without sockets of earlier servers: the data directory, or if
 * its path is too long for a socket's (107 bytes, 103 on macOS) one in the temporary directory.
 * The caller must know that no server uses it.
 */
export async function makeSocketDir(dataDir: string, user: ServerUser | undefined): Promise<string> {
  const path = Buffer.byteLength(dataDir) < 85 ? dataDir : await makeShortDir(dataDir, user)
  for (const entry of readdirSync(path))
    if (entry.startsWith('.s.PGSQL.')) rmSync(join(path, entry), { force: true })
  return path
}

async function makeShortDir(dataDir: string, user: ServerUser | undefined): Promise<string> {
  const uid = user?.uid ?? process.getuid?.() ?? 0
  const name = `postel-${createHash('sha256').update(`${uid} ${dataDir}`).digest('hex').slice(0, 12)}`
  const usual = tmpdir()
  const tooLong = Buffer.byteLength(usual) > 60
  const closed = user !== undefined && (await barrier(usual, user)) !== undefined
  const path = join(tooLong || closed ? '/tmp' : usual, name)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const made = lstatSync(path)
  if (!made.isDirectory() || (made.uid !== uid && made.uid !== process.getuid?.()))
    throw new ClusterError(
      'not_ours',
      `${path}, where the Unix socket goes, belongs to another user: remove it.`,
    )
  chmodSync(path, 0o700)
  if (user) chownSync(path, user.uid, user.gid)
  return path
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
