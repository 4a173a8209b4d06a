/** The worker process: graphile-worker with our tasks, started anew whenever it ends. */
import { Publisher } from '@postel/db/bus/publisher'
import { connect, type Sql } from '@postel/db/client'
import { MaintenanceQueries } from '@postel/db/queries/maintenance'
import { MetricsQueries } from '@postel/db/queries/metrics'
import { ModerationQueries } from '@postel/db/queries/moderation'
import { OperationQueries } from '@postel/db/queries/operations'
import { ReportQueries } from '@postel/db/queries/reports'
import { RetentionQueries } from '@postel/db/queries/retention'
import { SuppressionQueries } from '@postel/db/queries/suppressions'
import { UsageQueries } from '@postel/db/queries/usage'
import { WebhookDispatchQueries } from '@postel/db/queries/webhook-dispatch'
import { requireSecret } from '@postel/db/sealed-secrets'
import { backoffMs, pause } from '@postel/runtime/backoff'
import { DnsRecords } from '@postel/runtime/dns-records'
import { type Health, serveHealth } from '@postel/runtime/health'
import type { Logger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import type { Service } from '@postel/runtime/run-service'
import { createSecretBox, type SecretBox } from '@postel/runtime/secret-box'
import { domainHosts } from '@postel/runtime/settings'
import { Logger as GraphileLogger, parseCrontab, type Runner, run, type TaskList } from 'graphile-worker'
import pg from 'pg'
import type { WorkerConfig } from './config.ts'
import { WorkerEvents } from './events.ts'
import { crontab, tasks } from './tasks/index.ts'
import { WebhookSender } from './tasks/webhook-sender.ts'

export class WorkerService implements Service {
  readonly #config: WorkerConfig
  readonly #log: Logger
  readonly #registry = createRegistry('worker', { processMetrics: true })
  readonly #events: WorkerEvents
  readonly #secretBox: SecretBox
  readonly #sql: Sql
  /** Apart from the pool, so that long tasks do not look like an absent database. */
  readonly #healthSql: Sql
  readonly #publisher: Publisher
  readonly #pool: pg.Pool
  readonly #webhooks: WebhookDispatchQueries
  readonly #webhookSender: WebhookSender
  readonly #stopped = new AbortController()
  #runner: Runner | undefined
  #running: Promise<void> | undefined
  #health: Health | undefined
  #stopping: Promise<void> | undefined

  constructor(config: WorkerConfig, log: Logger) {
    this.#config = config
    this.#log = log
    this.#events = new WorkerEvents(log, this.#registry)
    const url = config.DATABASE_DIRECT_URL ?? config.DATABASE_URL
    this.#sql = connect(url, { name: 'postel-worker', max: 5 })
    this.#healthSql = connect(url, { name: 'postel-worker-health', max: 1, statementTimeoutMs: 4_000 })
    this.#publisher = new Publisher(url, 'postel-worker-notify', (error) => this.#events.hintLost(error))
    this.#secretBox = createSecretBox(config.POSTEL_SECRET, config.POSTEL_SECRET_PREVIOUS)
    this.#webhooks = new WebhookDispatchQueries(this.#sql)
    this.#webhookSender = new WebhookSender({
      queries: this.#webhooks,
      events: this.#events,
      secretBox: this.#secretBox,
      allowPrivate: config.WEBHOOKS_ALLOW_PRIVATE,
      timeoutMs: config.WEBHOOKS_TIMEOUT_SECONDS * 1000,
      userAgent: `Postel (+${config.POSTEL_PUBLIC_URL})`,
    })
    // graphile-worker speaks pg: one connection listens, the others work
    this.#pool = new pg.Pool({ connectionString: url, max: 5, application_name: 'postel-worker-graphile' })
    this.#pool.on('error', (error) => this.#events.poolFault(error))
    this.#pool.on('connect', (client) => client.on('error', (error) => this.#events.poolFault(error)))
  }

  get healthPort(): number {
    return this.#health!.port
  }

  async start(): Promise<void> {
    await requireSecret(this.#sql, this.#secretBox)
    this.#health = await serveHealth({
      port: this.#config.METRICS_PORT,
      registry: this.#registry,
      ready: async () => {
        await this.#healthSql`select 1`
        if (!this.#runner) throw new Error('graphile-worker is not running')
      },
    })
    await this.#sql`select 1`
    // What a worker left behind that died is not left to the next minute
    await this.#webhooks.runNow()
    this.#running = this.#keepRunning()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#stopped.abort()
    await this.#runner?.stop().catch(() => {})
    await this.#running
    await this.#webhookSender.stop()
    await this.#publisher.stop()
    await this.#health?.stop()
    await this.#pool.end()
    await Promise.all([this.#sql.end({ timeout: 5 }), this.#healthSql.end({ timeout: 1 })])
  }

  async #keepRunning(): Promise<void> {
    for (let failures = 0; !this.#stopped.signal.aborted; failures++) {
      const startedAt = performance.now()
      try {
        this.#runner = await run({
          pgPool: this.#pool,
          taskList: this.#taskList(),
          parsedCronItems: parseCrontab(crontab),
          concurrency: 3,
          pollInterval: 1000,
          noHandleSignals: true,
          logger: this.#graphileLogger(),
        })
        if (this.#stopped.signal.aborted) await this.#runner.stop()
        await this.#runner.promise
      } catch (error) {
        this.#events.runnerEnded(error)
      }
      this.#runner = undefined
      if (performance.now() - startedAt > 60_000) failures = 0
      await pause(500 + backoffMs(failures, 500, 10_000), this.#stopped.signal)
    }
  }

  #taskList(): TaskList {
    const context = {
      config: this.#config,
      queries: new MaintenanceQueries(this.#sql),
      reports: new ReportQueries(this.#sql),
      suppressions: new SuppressionQueries(this.#sql),
      usage: new UsageQueries(this.#sql),
      moderation: new ModerationQueries(this.#sql),
      retention: new RetentionQueries(this.#sql),
      operations: new OperationQueries(this.#sql),
      metrics: new MetricsQueries(this.#sql),
      webhooks: this.#webhooks,
      webhookSender: this.#webhookSender,
      domains: {
        sql: this.#sql,
        dns: new DnsRecords({ servers: this.#config.DNS_SERVERS, timeoutMs: this.#config.DNS_TIMEOUT_MS }),
        hosts: domainHosts(this.#config),
      },
      publisher: this.#publisher,
      events: this.#events,
      signal: this.#stopped.signal,
    }
    return Object.fromEntries(
      Object.entries(tasks).map(([name, task]) => [
        name,
        async () => {
          try {
            await task(context)
            this.#events.taskDone(name)
          } catch (error) {
            this.#events.taskFailed(name, error)
            throw error
          }
        },
      ]),
    )
  }

  #graphileLogger(): GraphileLogger {
    const log = this.#log.child({ component: 'graphile-worker' })
    return new GraphileLogger(() => (level, message) => {
      if (level === 'error') log.error(message)
      else if (level === 'warning') log.warn(message)
      else log.debug(message)
    })
  }
}
