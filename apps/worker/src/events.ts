/** worker's business events: each writes its metric and its log line together. */
import type { AttemptResult, ClaimedDelivery } from '@postel/db/queries/webhook-dispatch'
import type { Logger } from '@postel/runtime/logger'
import { Counter, Histogram, type Registry } from '@postel/runtime/metrics'

/** A run of a task: `job` is graphile-worker's id. */
export type TaskRun = { task: string; job: string; attempt: number; seconds: number }

export class WorkerEvents {
  readonly #log: Logger
  readonly #released
  readonly #reports
  readonly #suppressed
  readonly #stopped
  readonly #tasks
  readonly #taskSeconds
  readonly #webhookAttempts
  readonly #webhookSeconds
  readonly #webhookLag

  constructor(log: Logger, registry: Registry) {
    const registers = [registry]
    this.#log = log
    this.#released = new Counter({
      name: 'postel_released_total',
      help: 'Rows moved from waiting to queue',
      registers,
    })
    this.#reports = new Counter({
      name: 'postel_reports_total',
      help: 'Delivery reports to senders by kind, and those that could not be made',
      labelNames: ['kind'] as const,
      registers,
    })
    this.#suppressed = new Counter({
      name: 'postel_suppressed_total',
      help: 'Addresses suppressed because mail to them bounced, or they complained',
      registers,
    })
    this.#stopped = new Counter({
      name: 'postel_organizations_stopped_total',
      help: 'Organizations whose sending was stopped because of a poor delivery rate',
      registers,
    })
    this.#tasks = new Counter({
      name: 'postel_tasks_total',
      help: 'graphile-worker jobs by task and result',
      labelNames: ['task', 'result'] as const,
      registers,
    })
    this.#taskSeconds = new Histogram({
      name: 'postel_task_seconds',
      help: 'How long runs of tasks took',
      labelNames: ['task'] as const,
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10, 60, 300],
      registers,
    })
    this.#webhookAttempts = new Counter({
      name: 'postel_webhook_attempts_total',
      help: 'Attempts to tell webhooks: taken, refused (another status than 2xx) or unanswered',
      labelNames: ['result'] as const,
      registers,
    })
    this.#webhookSeconds = new Histogram({
      name: 'postel_webhook_attempt_seconds',
      help: 'How long attempts to tell webhooks took',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    })
    this.#webhookLag = new Histogram({
      name: 'postel_webhook_lag_seconds',
      help: 'From the making of a delivery to a webhook to its first attempt',
      buckets: [0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200],
      registers,
    })
  }

  /** It cannot start yet. */
  waiting(reason: string): void {
    this.#log.warn({ event: 'waiting', reason })
  }

  released(rows: number): void {
    this.#released.inc(rows)
    if (rows > 0) this.#log.info({ event: 'released', rows })
  }

  quotaWarned(organizations: number): void {
    if (organizations > 0) this.#log.info({ event: 'quota_warned', organizations })
  }

  organizationStopped(organization: string): void {
    this.#stopped.inc()
    this.#log.warn(
      { event: 'organization_stopped', organization },
      'its mail ended badly; see its moderation',
    )
  }

  /** By projects' own retention. */
  retained(bodies: number, messages: number): void {
    if (bodies + messages > 0) this.#log.info({ event: 'retention', bodies, messages })
  }

  operationFinished(id: string, verb: string): void {
    this.#log.info({ event: 'operation_finished', id, verb })
  }

  /** Their passwords, which somebody had written in psql. */
  smarthostsSealed(count: number): void {
    if (count > 0) this.#log.info({ event: 'smarthosts_sealed', count })
  }

  partitionsMade(count: number): void {
    if (count > 0) this.#log.info({ event: 'partitions_made', count })
  }

  partitionDropped(partition: string): void {
    this.#log.info({ event: 'partition_dropped', partition })
  }

  partitionKept(partition: string, err: unknown): void {
    this.#log.warn(
      { event: 'partition_kept', partition, err },
      'could not drop the partition, trying again later',
    )
  }

  reported(report: string, message: string, kind: 'final' | 'delayed'): void {
    this.#reports.inc({ kind })
    this.#log.info({ event: 'reported', report, message, kind })
  }

  reportFailed(message: string, err: unknown): void {
    this.#reports.inc({ kind: 'failed' })
    this.#log.error({ event: 'report_failed', message, err }, 'a report to a sender could not be made')
  }

  suppressed(addresses: number): void {
    this.#suppressed.inc(addresses)
    if (addresses > 0) this.#log.info({ event: 'suppressed', addresses })
  }

  webhookTold({ id, webhookId, type, attempts, createdAt }: ClaimedDelivery, result: AttemptResult): void {
    const outcome = result.error === null ? 'taken' : result.status === null ? 'unanswered' : 'refused'
    this.#webhookAttempts.inc({ result: outcome })
    this.#webhookSeconds.observe(result.ms / 1000)
    if (attempts === 0) this.#webhookLag.observe((result.at.getTime() - createdAt.getTime()) / 1000)
    this.#log.debug({
      event: 'webhook_told',
      webhook: webhookId,
      delivery: id,
      type,
      attempt: attempts + 1,
      outcome,
      status: result.status,
      ms: result.ms,
    })
  }

  webhookDisabled(webhook: string, reason: string): void {
    this.#log.warn({ event: 'webhook_disabled', webhook, reason })
  }

  /** What was met is kept and written down when the database is back. */
  webhooksAway(err: unknown): void {
    this.#log.warn(
      { event: 'webhooks_away', err },
      'cannot claim or record deliveries to webhooks, trying again',
    )
  }

  domainChecked(domain: string, before: string, status: string): void {
    this.#log[before === status ? 'debug' : 'info']({ event: 'domain_checked', domain, before, status })
  }

  domainCheckFailed(domain: string, err: unknown): void {
    this.#log.error(
      { event: 'domain_check_failed', domain, err },
      'a domain could not be checked, trying again',
    )
  }

  /** Its counters are there from the start. */
  taskKnown(task: string): void {
    for (const result of ['done', 'failed']) this.#tasks.inc({ task, result }, 0)
  }

  taskDone({ task, job, seconds }: TaskRun): void {
    this.#tasks.inc({ task, result: 'done' })
    this.#taskSeconds.observe({ task }, seconds)
    this.#log.debug({ event: 'task_done', task, job, ms: Math.round(seconds * 1000) })
  }

  taskFailed({ task, job, attempt, seconds }: TaskRun, err: unknown): void {
    this.#tasks.inc({ task, result: 'failed' })
    this.#taskSeconds.observe({ task }, seconds)
    this.#log.warn({ event: 'task_failed', task, job, attempt, err })
  }

  /** A part of the database's metrics is missing until the next look. */
  lookFailed(collector: string, err: unknown): void {
    this.#log.warn({ event: 'look_failed', collector, err })
  }

  hintLost(err: unknown): void {
    this.#log.warn({ event: 'hint_lost', err })
  }

  poolFault(err: unknown): void {
    this.#log.warn({ event: 'pool_fault', err }, 'a database connection broke')
  }

  runnerEnded(err: unknown): void {
    this.#log.error({ event: 'runner_ended', err }, 'graphile-worker ended, starting it again')
  }
}
