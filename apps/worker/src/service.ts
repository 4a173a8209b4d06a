/** The worker process: graphile-worker with our tasks, started anew whenever it ends. */
import { Publisher } from '@postel/db/bus/publisher'
import { connect, type Sql } from '@postel/db/client'
import { addProcessMetrics } from '@postel/db/process-metrics'
import { DatabaseStateQueries } from '@postel/db/queries/database-state'
import { MaintenanceQueries } from '@postel/db/queries/maintenance'
import { MetricsQueries } from '@postel/db/queries/metrics'
import { ModerationQueries } from '@postel/db/queries/moderation'
import { OperationQueries } from '@postel/db/queries/operations'
import { ReportQueries } from '@postel/db/queries/reports'
import { RetentionQueries } from '@postel/db/queries/retention'
import { SuppressionQueries } from '@postel/db/queries/suppressions'
import { UsageQueries } from '@postel/db/queries/usage'
import { WebhookDispatchQueries } from '@postel/db/queries/webhook-dispatch'
import { Readiness } from '@postel/db/readiness'
import { requireSecret } from '@postel/db/sealed-secrets'
import { backoffMs, pause } from '@postel/runtime/backoff'
import { DnsRecords } from '@postel/runtime/dns-records'
import { type Health, serveHealth } from '@postel/runtime/health'
import type { Logger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import type { Service } from '@postel/runtime/run-service'
import { createSecretBox, type SecretBox } from '@postel/runtime/secret-box'
import { domainHosts } from '@postel/runtime/settings'
import { startTracing, type Tracing } from '@postel/runtime/tracing'
import {
  Logger as GraphileLogger,
  type JobHelpers,
  parseCrontab,
  type Runner,
  run,
  type TaskList,
} from 'graphile-worker'
import pg from 'pg'
import type { WorkerConfig } from './config.ts'
import { DatabaseMetrics } from './database-metrics.ts'
import { WorkerEvents } from './events.ts'
import { crontab, tasks } from './tasks/index.ts'
import { WebhookSender } from './tasks/webhook-sender.ts'
import { WebhookTraces } from './trace-webhooks.ts'

export class WorkerService implements Service {
  readonly #config: WorkerConfig
  readonly #log: Logger
  readonly #registry = createRegistry('worker', { processMetrics: true })
  readonly #events: WorkerEvents
  readonly #secretBox: SecretBox
  readonly #sql: Sql
  readonly #readiness: Readiness
  readonly #publisher: Publisher
  readonly #databaseMetrics: DatabaseMetrics
  readonly #pool: pg.Pool
  readonly #webhooks: WebhookDispatchQueries
  readonly #webhookSender: WebhookSender
  readonly #stopped = new AbortController()
  #tracing: Tracing | undefined
  #traces: WebhookTraces | undefined
  #runner: Runner | undefined
  #running: Promise<void> | undefined
  #health: Health | undefined
  #stopping: Promise<void> | undefined

  constructor(config: WorkerConfig, log: Logger) {
    this.#config = config
    this.#log = log
    this.#events = new WorkerEvents(log, this.#registry)
    for (const name of Object.keys(tasks)) this.#events.taskKnown(name)
    const url = config.DATABASE_DIRECT_URL ?? config.DATABASE_URL
    this.#sql = connect(url, { name: 'postel-worker', max: 5 })
    this.#readiness = new Readiness({
      url,
      name: 'postel-worker',
      onWaiting: (reason) => this.#events.waiting(reason),
    })
    this.#publisher = new Publisher(url, 'postel-worker-notify', (error) => this.#events.hintLost(error))
    addProcessMetrics(this.#registry, { app: 'postel-worker', publisher: this.#publisher })
    this.#databaseMetrics = new DatabaseMetrics({
      registry: this.#registry,
      queries: new DatabaseStateQueries(url, 'postel-worker-metrics'),
      onError: (collector, error) => this.#events.lookFailed(collector, error),
    })
    this.#secretBox = createSecretBox(config.POSTEL_SECRET, config.POSTEL_SECRET_PREVIOUS)
    this.#webhooks = new WebhookDispatchQueries(this.#sql)
    this.#webhookSender = new WebhookSender({
      queries: this.#webhooks,
      events: this.#events,
      onTold: (delivery, result) => this.#traces?.add(delivery, result),
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
    this.#health = await serveHealth({
      config: this.#config,
      registry: this.#registry,
      ready: () => this.#ready(),
    })
    if (!(await this.#readiness.schema(this.#sql, this.#stopped.signal))) return
    this.#tracing = await startTracing('worker', this.#config)
    if (this.#tracing) this.#traces = new WebhookTraces(this.#tracing, this.#webhooks)
    await requireSecret(this.#sql, this.#secretBox)
    // What a worker left behind that died is not left to the next minute
    await this.#webhooks.runNow()
    this.#running = this.#keepRunning()
    this.#readiness.started()
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
    await this.#traces?.flush()
    await this.#tracing?.stop()
    await this.#publisher.stop()
    await this.#health?.stop()
    await this.#databaseMetrics.stop()
    await this.#pool.end()
    await Promise.all([this.#sql.end({ timeout: 5 }), this.#readiness.stop()])
  }

  async #ready(): Promise<void> {
    await this.#readiness.require()
    if (!this.#runner) throw new Error('graphile-worker is not running')
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
          // Jobs are ended one by one otherwise, and when the database is away at that moment nobody handles the rejection
          preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
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
      secretBox: this.#secretBox,
      events: this.#events,
      signal: this.#stopped.signal,
    }
    return Object.fromEntries(
      Object.entries(tasks).map(([name, task]) => [
        name,
        async (_payload: unknown, { job }: JobHelpers) => {
          const startedAt = performance.now()
          const run = () => ({
            task: name,
            job: job.id,
            attempt: job.attempts,
            seconds: (performance.now() - startedAt) / 1000,
          })
          try {
            await task(context)
            this.#events.taskDone(run())
          } catch (error) {
            this.#events.taskFailed(run(), error)
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
