/**
 * The interface agent. It keeps the source IPs of its node on the node's interface: a round every two seconds, and at once when the
 * database hints at a change. It decides nothing: what belongs here says postel.report_addresses. When it stops, or cannot reach the
 * database, every address stays where it is.
 */
import { controlChannel } from '@postel/db/bus/channels'
import { Listener } from '@postel/db/bus/listener'
import { connect, type Sql } from '@postel/db/client'
import { addProcessMetrics } from '@postel/db/process-metrics'
import { reportAddresses } from '@postel/db/queries/fleet'
import { awaitSchema } from '@postel/db/schema-version'
import { type Health, serveHealth } from '@postel/runtime/health'
import type { Logger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import type { Service } from '@postel/runtime/run-service'
import type { AgentConfig } from './config.ts'
import { AgentEvents } from './events.ts'
import { type IpRoute, runIp } from './iproute.ts'
import { Rounds } from './round.ts'

/** Several rounds. */
const freshMs = 20_000
const answerMs = 5_000

export class AgentService implements Service {
  readonly #config: AgentConfig
  readonly #registry = createRegistry('ip-agent', { processMetrics: true })
  readonly #events: AgentEvents
  readonly #sql: Sql
  readonly #listener: Listener
  readonly #rounds: Rounds
  readonly #stopped = new AbortController()
  /** Why the interface is not as it should be. */
  #obstacle: string | undefined = 'starting'
  #roundAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #again = false
  #health: Health | undefined
  #stopping: Promise<void> | undefined

  constructor(config: AgentConfig, log: Logger, ip: IpRoute = runIp) {
    this.#config = config
    this.#events = new AgentEvents(log, this.#registry)
    const url = config.DATABASE_DIRECT_URL ?? config.DATABASE_URL
    this.#sql = connect(url, { name: 'postel-ip-agent', max: 1, statementTimeoutMs: answerMs })
    this.#rounds = new Rounds({
      ip,
      device: config.IP_AGENT_INTERFACE,
      report: (present) => reportAddresses(this.#sql, config.NODE_NAME, present),
      events: this.#events,
    })
    this.#listener = new Listener({
      url,
      name: 'postel-ip-agent-listen',
      channels: [controlChannel],
      onNotification: (_channel, payload) => payload === 'ips' && this.#roundNow(),
      onReady: () => this.#roundNow(),
      onError: (error) => this.#events.deaf(error),
    })
    addProcessMetrics(this.#registry, { app: 'postel-ip-agent', listener: this.#listener })
  }

  get healthPort(): number {
    return this.#health!.healthPort
  }

  /** Resolves after the first round, whatever became of it. */
  async start(): Promise<void> {
    this.#health = await serveHealth({
      config: this.#config,
      registry: this.#registry,
      ready: async () => {
        if (this.#obstacle !== undefined) throw new Error(this.#obstacle)
        if (performance.now() - this.#roundAt > freshMs) throw new Error('no round has ended for a while')
      },
    })
    const migrated = await awaitSchema(this.#sql, {
      signal: this.#stopped.signal,
      onWaiting: (reason) => {
        this.#obstacle = reason
        this.#events.waiting(reason)
      },
    })
    if (!migrated) return
    this.#roundNow()
    await this.#running
    await this.#listener.start()
  }

  /** The addresses stay: mail that is on its way ends, and the next agent finds them. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#stopped.abort()
    clearTimeout(this.#timer)
    await this.#listener.stop()
    await this.#running
    await this.#health?.stop()
    await this.#sql.end({ timeout: 1 })
  }

  #roundNow(): void {
    if (this.#stopped.signal.aborted) return
    this.#again = true
    if (this.#running) return
    clearTimeout(this.#timer)
    this.#running = this.#work().finally(() => {
      this.#running = undefined
      if (this.#stopped.signal.aborted) return
      this.#timer = setTimeout(() => this.#roundNow(), this.#config.IP_AGENT_POLL_SECONDS * 1000)
    })
  }

  async #work(): Promise<void> {
    while (this.#again && !this.#stopped.signal.aborted) {
      this.#again = false
      try {
        const problems = await this.#rounds.run()
        this.#obstacle = problems.length > 0 ? problems.join('; ') : undefined
        this.#roundAt = performance.now()
      } catch (error) {
        this.#obstacle = error instanceof Error ? error.message : String(error)
        this.#events.roundFailed(this.#obstacle)
      }
    }
  }
}
