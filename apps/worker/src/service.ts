/** The worker process: graphile-worker with our tasks, started anew whenever it ends. */
import { Publisher } from '@postel/db/bus/publisher'
import { connect, type Sql } from '@postel/db/client'
import { MaintenanceQueries } from '@postel/db/queries/maintenance'
import { OperationQueries } from '@postel/db/queries/operations'
import { ReportQueries } from '@postel/db/queries/reports'
import { backoffMs, pause } from '@postel/runtime/backoff'
import { type Health, serveHealth } from '@postel/runtime/health'
import type { Logger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import type { Service } from '@postel/runtime/run-service'
import { Logger as GraphileLogger, parseCrontab, type Runner, run, type TaskList } from 'graphile-worker'
import pg from 'pg'
import type { WorkerConfig } from './config.ts'
import { WorkerEvents } from './events.ts'
import { crontab, tasks } from './tasks/index.ts'

export class WorkerService implements Service {
  readonly #config: WorkerConfig
  readonly #log: Logger
  readonly #registry = createRegistry('worker', { processMetrics: true })
  readonly #events: WorkerEvents
  readonly #sql: Sql
  /** Apart from the pool, so that long tasks do not look like an absent database. */
  readonly #healthSql: Sql
  readonly #publisher: Publisher
  readonly #pool: pg.Pool
  readonly #stopped = new AbortController()
  #runner: Runner | undefined
  #running: Promise<void> | undefined
  #health: Health | undefined

  constructor(config: WorkerConfig, log: Logger) {
    this.#config = config
    this.#log = log
    this.#events = new WorkerEvents(log, this.#registry)
    const url = config.DATABASE_DIRECT_URL ?? config.DATABASE_URL
    this.#sql = connect(url, { name: 'postel-worker', max: 5 })
    this.#healthSql = connect(url, { name: 'postel-worker-health', max: 1, statementTimeoutMs: 4_000 })
    this.#publisher = new Publisher(url, 'postel-worker-notify', (error) => this.#events.hintLost(error))
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
      port: this.#config.METRICS_PORT,
      registry: this.#registry,
      ready: async () => {
        await this.#healthSql`select 1`
        if (!this.#runner) throw new Error('graphile-worker is not running')
      },
    })
    await this.#sql`select 1`
    this.#running = this.#keepRunning()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#runner?.stop().catch(() => {})
    await this.#running
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
      operations: new OperationQueries(this.#sql),
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
