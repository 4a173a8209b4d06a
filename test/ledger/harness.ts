/** The whole of Postel as processes on a durable database of its own, a load, a sink, and the judge of what came of it. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrap, type DkimAlgorithm } from '@postel/db/bootstrap'
import { connect, type Sql } from '@postel/db/client'
import type { Binaries } from '@postel/db/embedded/binaries'
import type { PostgresCluster } from '@postel/db/embedded/cluster'
import { inconsistencies } from '@postel/db/testing/factories'
import { startTestCluster, type TestCluster } from '@postel/db/testing/start-test-cluster'
import { createSecretBox } from '@postel/runtime/secret-box'
import { ownPort } from '../support/ports.ts'
import { waitFor } from '../support/wait-for.ts'
import { type AppName, AppProcess, type ProcessOptions } from './app-process.ts'
import { Ledger, Load, type LoadOptions } from './load.ts'
import { makeRandom, type Random } from './random.ts'
import { Sink } from './sink.ts'

/** What the ledgers say when all is done. All lists are empty and the flags false when every promise was kept. */
export type Judgement = {
  /** Answered with 250, and neither delivered nor bounced. */
  lost: string[]
  /** Received twice, although no process had died or been stopped with it in doubt. */
  duplicates: string[]
  /** Received, and never submitted. */
  ghosts: string[]
  /** Recorded as delivered, and never received. */
  invented: string[]
  /** Not in the state machine's rules; see inconsistencies(). */
  inconsistent: string[]
  /** Processes that ended without being told to. */
  surprises: string[]
}

export const kept: Judgement = {
  lost: [],
  duplicates: [],
  ghosts: [],
  invented: [],
  inconsistent: [],
  surprises: [],
}

export type HarnessOptions = {
  /** Settings of the server. */
  postgres?: Readonly<Record<string, string | number>>
  /** Variables of one app's process, over those of all. */
  env?: Partial<Record<AppName, Record<string, string>>>
  /** Another installation of PostgreSQL than the tests' own. */
  binaries?: Binaries
  /** Key pairs of the sender's domain. Default: none. */
  dkim?: readonly DkimAlgorithm[]
  /** Where the remote end listens. Default: on loopback. */
  remote?: Server
  /** The source IPs. Default: three on loopback. */
  addresses?: readonly string[]
  /** The processes that start with it. Default: inbound, outbound and worker. */
  apps?: readonly ('inbound' | 'outbound' | 'worker')[]
}

const node = 'harness'
const loopback = ['127.0.0.1', '127.0.0.2', '127.0.0.3']

export class Harness {
  readonly random: Random
  readonly ledger = new Ledger()
  readonly sink: Sink
  readonly cluster: PostgresCluster
  readonly inbound: AppProcess
  readonly outbound: AppProcess
  readonly worker: AppProcess
  readonly port: number
  /** For makeApp('api'), which is not started by itself. */
  readonly apiPort: number
  /** Of the one project. */
  readonly apiKey = `pk_test_${randomBytes(12).toString('hex')}`
  /** POSTEL_SECRET of the processes. */
  readonly secret = randomBytes(32).toString('base64')
  /** Recipients that may come twice: received when a sender died or was stopped, and not recorded by then. */
  readonly inDoubt = new Set<string>()
  /** How many each of those moments added. */
  readonly doubts: number[] = []
  readonly #own: TestCluster
  readonly #directory: string
  readonly #env: Record<string, string>
  readonly #envOf: NonNullable<HarnessOptions['env']>
  readonly #apps: AppProcess[] = []
  readonly #loads: Load[] = []
  #sql: Sql

  private constructor(
    random: Random,
    own: TestCluster,
    sink: Sink,
    [port, submissionsPort, apiPort]: readonly [number, number, number],
    envOf: NonNullable<HarnessOptions['env']>,
  ) {
    this.random = random
    this.#envOf = envOf
    this.#own = own
    this.cluster = own.cluster
    this.sink = sink
    this.port = port
    this.apiPort = apiPort
    this.#directory = mkdtempSync(join(tmpdir(), 'postel-ledger-'))
    this.#sql = connect(own.url, { name: 'harness', max: 2 })
    this.#env = {
      DATABASE_URL: own.url,
      POSTEL_SECRET: this.secret,
      POSTEL_HOSTNAME: 'mail.s.test',
      SMTP_HOST: '127.0.0.1',
      SMTP_SUBMISSION_PORT: `${port}`,
      SMTP_SUBMISSIONS_PORT: `${submissionsPort}`,
      SMTP_MX_PORT: '0',
      API_PORT: `${apiPort}`,
      API_REQUESTS_PER_SECOND: '0',
      DELIVERY_MODE: 'relay',
      DELIVERY_RELAY_URL: `smtp://127.0.0.1:${sink.port}`,
      DELIVERY_ALLOW_PRIVATE: 'true',
      OUTBOUND_ADDRESSES: loopback.join(','),
      NODE_NAME: node,
      METRICS_PORT: '0',
      LOG_LEVEL: 'info',
    }
    this.inbound = this.makeApp('inbound')
    this.outbound = this.makeApp('outbound')
    this.worker = this.makeApp('worker')
  }

  /** Starts everything; what is deferred is tried again after about a second. */
  static async start(name: string, options: HarnessOptions = {}): Promise<Harness> {
    const random = makeRandom(name)
    const { binaries } = options
    const own = await startTestCluster({ settings: options.postgres ?? {}, ...(binaries && { binaries }) })
    const sink = await Sink.start(random, options.remote)
    const harness = new Harness(
      random,
      own,
      sink,
      [await ownPort(), await ownPort(), await ownPort()],
      options.env ?? {},
    )
    try {
      const sql = harness.#sql
      await bootstrap(sql, {
        apiKey: harness.apiKey,
        relayCidrs: ['127.0.0.0/8'],
        domains: ['s.test'],
        domainsVerified: true,
        dkim: options.dkim ?? [],
        secretBox: createSecretBox(harness.secret),
        addresses: (options.addresses ?? loopback).map((address) => ({ address, ehloName: null })),
      })
      await sql`update postel.projects set retry_schedule_seconds = array[1]`
      await Promise.all(
        (options.apps ?? ['inbound', 'outbound', 'worker']).map((app) => harness[app].start()),
      )
    } catch (error) {
      await harness.stop()
      throw error
    }
    return harness
  }

  get sql(): Sql {
    return this.#sql
  }

  /** Another process of an app, not started yet; it ends with the harness. */
  makeApp(
    app: AppName,
    name: string = app,
    changes: Record<string, string> = {},
    options: ProcessOptions = {},
  ): AppProcess {
    const env = { ...this.#env, ...this.#envOf[app], ...changes }
    const process = new AppProcess(name, app, env, join(this.#directory, `${name}.log`), options)
    this.#apps.push(process)
    return process
  }

  /** A load that runs until it, or the harness, is stopped. */
  load(options: Partial<LoadOptions> = {}): Load {
    const load = new Load({ port: this.port, ledger: this.ledger, random: this.random, ...options }).start()
    this.#loads.push(load)
    return load
  }

  /** What a test that failed has left running. */
  async stopLoads(): Promise<void> {
    await Promise.all(this.#loads.splice(0).map((load) => load.stop()))
  }

  /** Waits until that many more recipients were answered with 250. */
  async flows(more = 20, seconds = 60): Promise<void> {
    const goal = this.ledger.acked.size + more
    await waitFor(() => this.ledger.acked.size >= goal, seconds)
  }

  /** SIGKILLs outbound, notes what is in doubt, and starts it as a supervisor does. */
  async killOutbound(): Promise<void> {
    await this.#kill([this.outbound])
    await this.outbound.start()
  }

  /** SIGKILLs inbound, outbound and worker at the same moment, and notes what is in doubt. */
  killAll(): Promise<void> {
    return this.#kill([this.inbound, this.outbound, this.worker])
  }

  async #kill(apps: readonly AppProcess[]): Promise<void> {
    await this.caughtUp()
    const sessions = this.sink.sessions()
    await Promise.all(apps.map((app) => app.end('SIGKILL')))
    await waitFor(() => sessions.every((socket) => socket.destroyed))
    await this.noteDoubt()
    await this.#sql`select postel.expire_holders(${node})`
  }

  /** Notes what is in doubt, while no sender runs. */
  async noteDoubt(): Promise<void> {
    const doubted = await this.#unrecorded()
    for (const recipient of doubted) this.inDoubt.add(recipient)
    this.doubts.push(doubted.size)
  }

  /** Waits until few are in doubt: while a backend of Postgres was paused for a moment, a sender goes on, and records later. */
  async caughtUp(): Promise<void> {
    await waitFor(async () => (await this.#unrecorded()).size <= 25, 30)
  }

  /** What the sink has and the database does not know as final. */
  async #unrecorded(): Promise<Set<string>> {
    const rows = await this.#sql<{ recipient: string }[]>`
      select recipient from postel.deliveries where state in ('delivered', 'bounced', 'expired')`
    const final = new Set(rows.map((row) => row.recipient))
    return new Set(this.sink.received.map(({ recipient }) => recipient).filter((each) => !final.has(each)))
  }

  /** Waits until every recipient has its final state. Rejects with what is left, and why. */
  async drain(seconds = 90): Promise<void> {
    const left = () => this.#sql<{ count: number }[]>`
      select (select count(*) from postel.queue)::int + (select count(*) from postel.waiting)::int as count`
    try {
      await waitFor(async () => (await left())[0]!.count === 0, seconds)
    } catch (error) {
      const rows = await this.#sql`
        select e.* from (
          select message_id from postel.queue union select message_id from postel.waiting limit 5
        ) as q cross join lateral postel.explain(q.message_id) as e`
      const tails = this.#apps.map((app) => `${app.name}: ${app.logTail()}`)
      throw new Error(`${error}\n${JSON.stringify(rows, undefined, 1)}\n${tails.join('\n')}`, {
        cause: error,
      })
    }
  }

  /** Compares the ledgers; call it after drain(). */
  async judge(): Promise<Judgement> {
    const rows = await this.#sql<{ recipient: string; state: string }[]>`
      select recipient, state from postel.deliveries`
    const states = new Map(rows.map((row) => [row.recipient, row.state]))
    const times = new Map<string, number>()
    for (const { recipient } of this.sink.received) times.set(recipient, (times.get(recipient) ?? 0) + 1)
    const ended = (recipient: string) =>
      times.has(recipient) || states.get(recipient) === 'bounced' || states.get(recipient) === 'expired'
    return {
      lost: [...this.ledger.acked].filter((recipient) => !ended(recipient)),
      duplicates: [...times]
        .filter(([recipient, count]) => count > 1 && !this.inDoubt.has(recipient))
        .map(String),
      ghosts: [...times.keys()].filter((recipient) => !this.ledger.attempted.has(recipient)),
      invented: [...states]
        .filter(([recipient, state]) => state === 'delivered' && !times.has(recipient))
        .map(String),
      inconsistent: await inconsistencies(this.#sql),
      surprises: this.#apps.flatMap((app) => app.surprises),
    }
  }

  async stop(): Promise<void> {
    const stopped = this.stopLoads()
    await Promise.all(
      this.#apps.map((app) => {
        app.signal('SIGCONT')
        return app.end('SIGKILL')
      }),
    )
    await stopped
    this.sink.stop()
    await this.#sql.end({ timeout: 1 })
    await this.#own.dispose()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
