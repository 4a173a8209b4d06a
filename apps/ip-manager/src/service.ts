/** The ip-manager process: stands by until it leads, and stands by again when it has lost that. */
import { connect, type Sql } from '@postel/db/client'
import { LeaderSession } from '@postel/db/leader-session'
import { addProcessMetrics } from '@postel/db/process-metrics'
import { awaitSchema, requireSchema } from '@postel/db/schema-version'
import { backoffMs, pause } from '@postel/runtime/backoff'
import { DnsRecords } from '@postel/runtime/dns-records'
import { type Health, serveHealth } from '@postel/runtime/health'
import type { Logger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import type { Service } from '@postel/runtime/run-service'
import { IpCheckEvents } from './checks/events.ts'
import { IpChecks } from './checks/ip-checks.ts'
import type { IpManagerConfig } from './config.ts'
import { IpManagerEvents } from './events.ts'
import type { CreateProvider } from './provider.ts'
import { createProvider } from './providers/create-provider.ts'
import { Term } from './term.ts'

/** The second half of the advisory lock's key. */
const role = 1
const askEveryMs = 1_000

/** A renewal that got no answer, and the next one: so long after a gap of its own it declares nobody dead. */
const defaultGraceMs = 15_000
const defaultLookEveryMs = 2_000
/** A list that was not had at once is asked for several times in this time. */
const defaultPatienceMs = 60_000

export type IpManagerOptions = {
  createProvider?: CreateProvider
  graceMs?: number
  lookEveryMs?: number
  patienceMs?: number
}

export class IpManagerService implements Service {
  readonly #config: IpManagerConfig
  readonly #createProvider: CreateProvider
  readonly #graceMs: number
  readonly #lookEveryMs: number
  readonly #patienceMs: number
  readonly #registry = createRegistry('ip-manager', { processMetrics: true })
  readonly #events: IpManagerEvents
  readonly #url: string
  readonly #sql: Sql
  readonly #checks: IpChecks
  readonly #stopped = new AbortController()
  /** What keeps it from being ready. */
  #obstacle: string | undefined = 'starting'
  #leading = false
  #health: Health | undefined
  #running: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor(config: IpManagerConfig, log: Logger, options: IpManagerOptions = {}) {
    this.#config = config
    this.#createProvider = options.createProvider ?? createProvider
    this.#graceMs = options.graceMs ?? defaultGraceMs
    this.#lookEveryMs = options.lookEveryMs ?? defaultLookEveryMs
    this.#patienceMs = options.patienceMs ?? defaultPatienceMs
    this.#events = new IpManagerEvents(log, this.#registry)
    this.#url = config.DATABASE_DIRECT_URL ?? config.DATABASE_URL
    this.#sql = connect(this.#url, { name: 'postel-ip-manager', max: 1, statementTimeoutMs: 4_000 })
    this.#checks = new IpChecks({
      sql: this.#sql,
      dns: new DnsRecords({ servers: config.DNS_SERVERS, timeoutMs: config.DNS_TIMEOUT_MS }),
      ehloName: config.POSTEL_HOSTNAME ?? null,
      events: new IpCheckEvents(log, this.#registry),
    })
    addProcessMetrics(this.#registry, { app: 'postel-ip-manager' })
  }

  get healthPort(): number {
    return this.#health!.port
  }

  get leading(): boolean {
    return this.#leading
  }

  async start(): Promise<void> {
    this.#health = await serveHealth({
      config: this.#config,
      registry: this.#registry,
      ready: async () => {
        if (this.#obstacle !== undefined) throw new Error(this.#obstacle)
        await requireSchema(this.#sql)
      },
    })
    const onWaiting = (reason: string) => {
      this.#obstacle = reason
      this.#events.waiting(reason)
    }
    if (!(await awaitSchema(this.#sql, { signal: this.#stopped.signal, onWaiting }))) return
    this.#running = this.#run()
    this.#obstacle = undefined
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
    await this.#health?.stop()
    await this.#sql.end({ timeout: 1 })
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped
    let standingBy = false
    for (let failures = 0; !signal.aborted; ) {
      try {
        const session = await LeaderSession.tryLead({ url: this.#url, name: 'postel-ip-manager-lead', role })
        failures = 0
        if (session) {
          standingBy = false
          await this.#lead(session)
        } else if (!standingBy) {
          standingBy = true
          this.#events.standingBy()
        }
      } catch (error) {
        this.#events.leadFailed(error)
        failures++
      }
      await pause(askEveryMs + backoffMs(failures, 250, 5_000) * Math.min(failures, 1), signal)
    }
  }

  async #lead(session: LeaderSession): Promise<void> {
    const config = this.#config
    this.#leading = true
    this.#events.leading()
    const ended = () => {
      if (!this.#leading) return
      this.#leading = false
      this.#events.ledNoMore()
    }
    session.signal.addEventListener('abort', ended)
    const checks = this.#checks.run(AbortSignal.any([session.signal, this.#stopped.signal]))
    try {
      await new Term({
        session,
        makeProvider: (readFleet, prove) => this.#createProvider(config, readFleet, prove),
        rules: {
          deadMs: config.IP_MANAGER_NODE_DEAD_SECONDS * 1000,
          graceMs: this.#graceMs,
          settleMs: config.IP_MANAGER_SETTLE_SECONDS * 1000,
          patienceMs: this.#patienceMs,
          plannedMovesMax: config.IP_MANAGER_PLANNED_MOVES,
        },
        lookEveryMs: this.#lookEveryMs,
        listEveryMs: config.IP_MANAGER_LIST_SECONDS * 1000,
        dryRun: config.IP_MANAGER_DRY_RUN,
        events: this.#events,
        stopped: this.#stopped.signal,
      }).run()
    } catch (error) {
      this.#events.leadershipLost(error)
    } finally {
      // Its signal ends the checks as well
      await session.end()
      ended()
      await checks
    }
  }
}
