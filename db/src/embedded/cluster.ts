// A PostgreSQL server that this process owns: makes its data directory, starts it, watches it and stops it.
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import {
  type Address,
  clusterName,
  freePort,
  makeSocketDir,
  readAddress,
  socketUrlOf,
  urlOf,
  writeAddress,
} from './address.ts'
import { type Binaries, findBinaries } from './binaries.ts'
import { ClusterError } from './cluster-error.ts'
import { lockDataDir, prepareDataDir } from './data-dir.ts'
import { childrenOf, isAlive, readPostmaster } from './postmaster.ts'
import {
  endServer,
  type ProcessExit,
  type ServerCommand,
  type ServerProcess,
  sendSignal,
  startServer,
} from './server-process.ts'
import { runnableBinaries, type ServerUser, serverUser } from './server-user.ts'

/** What a cluster needs to know; paths may be relative to the working directory. */
export interface ClusterOptions {
  /** PostgreSQL's data directory; made when missing or empty. `<dataDir>.lock` beside it names the process that uses it. */
  dataDir: string
  /** Receives the server's log; appended to. Default: `<dataDir>.log`. */
  logFile?: string
  /** Default: `findBinaries()`. */
  binaries?: Binaries
  /** TCP port on 127.0.0.1. Default: the port of the last start if that is free, else any free one. */
  port?: number
  /** Server settings by name, over the defaults below; `fsync: 'off'` is for throw-away servers. */
  settings?: Readonly<Record<string, string | number>>
  /** How long a start may take, crash recovery included. Default 120. */
  startSeconds?: number
}

/** How a server ended; `expected` is false when nobody here stopped or killed it. */
export interface ClusterExit extends ProcessExit {
  expected: boolean
}

const defaultSettings = {
  max_connections: 100,
  shared_buffers: '256MB',
  fsync: 'on',
  synchronous_commit: 'on',
  autovacuum_naptime: '10s',
  jit: 'off',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
  cluster_name: clusterName,
}

/**
 * One server on one data directory. It runs in its own process group, so a terminal's Ctrl-C does not reach it: it stops
 * when it is told to. If this process dies without stopping it, the next start on the directory stops what is left and
 * starts anew. As root it runs as an ordinary user (see serverUser). All methods throw ClusterError.
 */
export class PostgresCluster {
  readonly dataDir: string
  readonly logFile: string
  #options: ClusterOptions
  #address: Address | undefined
  #socketDir: string | undefined
  #server: ServerProcess | undefined
  #stopping = false
  #unlock = () => {}

  constructor(options: ClusterOptions) {
    this.dataDir = resolve(options.dataDir)
    this.logFile = resolve(options.logFile ?? `${this.dataDir}.log`)
    this.#options = options
  }

  /** The superuser's, with its password; for postgres.js, node-postgres, graphile-worker and psql. Stays the same over restarts. */
  get url(): string {
    return this.urlOf(clusterName)
  }

  /** `url` for another database of this server. */
  urlOf(database: string): string {
    return urlOf(known(this.#address), database)
  }

  /** Over the Unix socket, without a password; for psql and node-postgres, not postgres.js. Only the server's user and root get in. */
  get socketUrl(): string {
    return socketUrlOf(known(this.#socketDir), known(this.#address).port)
  }

  /** The postmaster's process number while it runs. */
  get pid(): number | undefined {
    return this.#server?.ended === false ? this.#server.pid : undefined
  }

  /** Settles when the server that was started last has ended, for whatever reason; never rejects. */
  get exited(): Promise<ClusterExit> {
    return known(this.#server).exited.then((exit) => ({ ...exit, expected: this.#stopping }))
  }

  /** Makes the data directory if need be, starts the server, and returns once it accepts connections and has a database "postel". */
  async start(): Promise<void> {
    this.#unlock = lockDataDir(this.dataDir)
    try {
      const user = serverUser(this.dataDir)
      const binaries = await runnableBinaries(this.#options.binaries ?? findBinaries(), user)
      const settings = { ...defaultSettings, ...this.#options.settings }
      await prepareDataDir(this.dataDir, binaries, user, { sync: settings.fsync !== 'off' })
      await this.#clearLeftover()
      this.#socketDir = await makeSocketDir(this.dataDir, user)
      const { dataDir, logFile } = this
      await this.#launch({ binaries, user, dataDir, logFile, settings })
      await this.#complete(user)
    } catch (error) {
      await this.stop('immediate')
      this.#leave()
      throw error
    }
    void this.#server?.exited.then(() => this.#leave())
  }

  /**
   * Stops the server and returns when it has ended; does nothing if it does not run. `fast` cuts connections off and
   * writes a checkpoint (after 60 s it becomes `immediate`); `immediate` leaves recovery to the next start.
   */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    const server = this.#server
    if (!server?.pid || server.ended) return
    this.#stopping = true
    await endServer(server.pid, mode, () => server.ended)
  }

  /** Kills the server and its children as the kernel would when memory runs out, and returns when they have ended. */
  async kill9(): Promise<void> {
    const server = this.#server
    if (!server?.pid || server.ended) return
    this.#stopping = true
    const children = childrenOf(server.pid)
    for (const pid of [server.pid, ...children]) sendSignal(pid, 'SIGKILL')
    await server.exited
    while (children.some(isAlive)) await sleep(5)
  }

  #leave(): void {
    const socketDir = this.#socketDir
    if (socketDir && socketDir !== this.dataDir) rmSync(socketDir, { recursive: true, force: true })
    this.#unlock()
  }

  /**
   * With the lock in hand, a server that still runs here has lost its owner, and a postmaster.pid without one is stale:
   * it names another program, or a killed server that nobody has reaped yet, which Postgres would take for alive.
   * Backends that outlived their postmaster are still found, by the shared memory of the data directory's inode.
   */
  async #clearLeftover(): Promise<void> {
    const left = readPostmaster(this.dataDir)
    if (!left) return
    if (left.running) await endServer(left.pid, 'fast', () => !isAlive(left.pid))
    else rmSync(join(this.dataDir, 'postmaster.pid'), { force: true })
  }

  async #launch(command: ServerCommand): Promise<void> {
    const deadline = Date.now() + (this.#options.startSeconds ?? 120) * 1000
    const kept = readAddress(this.dataDir)
    const password = kept?.password ?? randomBytes(16).toString('hex')
    let port = await freePort(this.#options.port ?? kept?.port)
    for (;;) {
      this.#address = { port, password }
      this.#stopping = false
      const network = {
        listen_addresses: '127.0.0.1',
        port,
        // The server's working directory is its data directory, whose absolute path may be closed to it.
        unix_socket_directories: this.#socketDir === this.dataDir ? '.' : `"${this.#socketDir}"`,
        unix_socket_permissions: '0700',
      }
      this.#server = await startServer({ ...command, settings: { ...command.settings, ...network } })
      if (await this.#becomesReady(this.#server, deadline)) return
      const log = await this.#server.logTail()
      const portTaken = log.includes('could not create any TCP/IP sockets')
      // Backends of a postmaster that was killed may live a moment longer.
      const notGoneYet = log.includes('pre-existing shared memory block')
      if (!(portTaken || notGoneYet) || Date.now() > deadline)
        throw new ClusterError(
          'start_failed',
          `PostgreSQL did not start on ${this.dataDir}. The end of its log ${this.logFile}:\n${log}`,
        )
      if (portTaken) port = await freePort()
      await sleep(50)
    }
  }

  async #becomesReady(server: ServerProcess, deadline: number): Promise<boolean> {
    while (!server.ended && Date.now() < deadline) {
      if (readPostmaster(this.dataDir)?.ready && (await this.#answers())) return true
      await sleep(20)
    }
    return false
  }

  async #answers(): Promise<boolean> {
    const sql = this.#connect()
    try {
      await sql`select 1`
      return true
    } catch {
      return false
    } finally {
      await sql.end({ timeout: 1 })
    }
  }

  /** Gives a new cluster its database and password, and keeps the address. */
  async #complete(user: ServerUser | undefined): Promise<void> {
    const address = known(this.#address)
    const kept = readAddress(this.dataDir)
    const sql = this.#connect()
    try {
      const found = await sql`select 1 from pg_database where datname = ${clusterName}`
      if (found.length === 0) await sql`create database ${sql(clusterName)}`
      if (!kept) await sql.unsafe(`alter role ${clusterName} password '${address.password}'`)
    } finally {
      await sql.end({ timeout: 5 })
    }
    if (!kept || kept.port !== address.port) writeAddress(this.dataDir, address, user)
  }

  #connect() {
    const where = { host: known(this.#socketDir), port: known(this.#address).port, database: 'postgres' }
    return postgres({ ...where, username: clusterName, max: 1, connect_timeout: 5 })
  }
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new ClusterError('start_failed', 'The server has not been started yet.')
  return value
}
