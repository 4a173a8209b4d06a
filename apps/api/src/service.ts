/** The api process: one HTTP listener, one group commit, health. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Publisher } from '@postel/db/bus/publisher'
import { connect, requireDurability, type Sql } from '@postel/db/client'
import { Credentials } from '@postel/db/queries/credentials'
import { checkEmailTables } from '@postel/db/queries/emails'
import { RetrySchedule } from '@postel/db/queries/retry-schedule'
import { Submitter } from '@postel/db/submitter'
import { type Health, listen, serveHealth } from '@postel/runtime/health'
import type { Logger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import type { Service } from '@postel/runtime/run-service'
import { createApp } from './app.ts'
import type { ApiConfig } from './config.ts'
import { ApiEvents } from './events.ts'

const headersTimeoutMs = 10_000
const requestTimeoutMs = 60_000
/** Longer than load balancers keep a connection, so that they are the ones to close it. */
const keepAliveMs = 65_000
/** Above what a request may wait for the database; a client that stops reading its reply is cut off then. */
const drainMs = 40_000
/** With what the client adds for the answer, whoever submits knows within 30 s. */
const statementTimeoutMs = 20_000

export class ApiService implements Service {
  readonly #config: ApiConfig
  readonly #registry = createRegistry('api', { processMetrics: true })
  readonly #events: ApiEvents
  readonly #sql: Sql
  /** Apart from the pool, so that a busy pool does not look like an absent database. */
  readonly #healthSql: Sql
  readonly #publisher: Publisher
  readonly #submitter: Submitter
  readonly #server: Server
  #health: Health | undefined
  #stopping: Promise<void> | undefined

  constructor(config: ApiConfig, log: Logger) {
    this.#config = config
    this.#events = new ApiEvents(log, this.#registry)
    this.#sql = connect(config.DATABASE_URL, { name: 'postel-api', max: 8, statementTimeoutMs })
    this.#healthSql = connect(config.DATABASE_URL, {
      name: 'postel-api-health',
      max: 1,
      statementTimeoutMs: 4_000,
    })
    const hintLost = (error: unknown) => this.#events.hintLost(error)
    this.#publisher = new Publisher(config.DATABASE_URL, 'postel-api-notify', hintLost)
    const schedule = new RetrySchedule(this.#sql, hintLost)
    this.#submitter = new Submitter({
      url: config.DATABASE_URL,
      name: 'postel-api',
      onStored: (ipIds, due) => {
        this.#publisher.work(ipIds)
        void schedule.add(due)
      },
    })
    const app = createApp({
      sql: this.#sql,
      credentials: new Credentials(this.#sql),
      submitter: this.#submitter,
      events: this.#events,
      limits: {
        maxMessageBytes: config.MAX_MESSAGE_BYTES,
        maxRecipients: config.SMTP_MAX_RECIPIENTS,
        hostname: config.POSTEL_HOSTNAME,
      },
      sandbox: config.DELIVERY_MODE === 'sandbox',
      publicUrl: config.POSTEL_PUBLIC_URL,
      ready: () => this.#ready(),
    })
    this.#server = createServer(
      {
        headersTimeout: headersTimeoutMs,
        requestTimeout: requestTimeoutMs,
        keepAliveTimeout: keepAliveMs,
        connectionsCheckingInterval: 2_000,
      },
      app,
    )
  }

  /** The ports in use, for a configuration that left the choice to the system. */
  get ports(): { api: number; health: number } {
    return { api: (this.#server.address() as AddressInfo).port, health: this.#health!.port }
  }

  async start(): Promise<void> {
    const config = this.#config
    if (!config.POSTEL_UNSAFE_DATABASE) await requireDurability(this.#sql)
    this.#health = await serveHealth({
      port: config.METRICS_PORT,
      registry: this.#registry,
      ready: () => this.#ready(),
    })
    await listen(this.#server, config.API_PORT, '0.0.0.0')
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #ready(): Promise<void> {
    if (this.#stopping) throw new Error('stopping')
    await checkEmailTables(this.#healthSql)
  }

  async #stop(): Promise<void> {
    await this.#drain()
    await this.#submitter.stop()
    await this.#publisher.stop()
    await this.#health?.stop()
    await Promise.all([this.#sql.end({ timeout: 5 }), this.#healthSql.end({ timeout: 1 })])
  }

  /** Requests that have begun are answered; connections without one are closed. */
  async #drain(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise((resolve) => this.#server.close(resolve))
    const idle = setInterval(() => this.#server.closeIdleConnections(), 100)
    const deadline = setTimeout(() => this.#server.closeAllConnections(), drainMs)
    await closed
    clearInterval(idle)
    clearTimeout(deadline)
  }
}
