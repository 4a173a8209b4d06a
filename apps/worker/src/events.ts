/** worker's business events: each writes its metric and its log line together. */
import type { Logger } from '@postel/runtime/logger'
import { Counter, type Registry } from '@postel/runtime/metrics'

export class WorkerEvents {
  readonly #log: Logger
  readonly #released
  readonly #reports
  readonly #tasks

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
    this.#tasks = new Counter({
      name: 'postel_tasks_total',
      help: 'graphile-worker jobs by task and result',
      labelNames: ['task', 'result'] as const,
      registers,
    })
  }

  released(rows: number): void {
    this.#released.inc(rows)
    if (rows > 0) this.#log.info({ event: 'released', rows })
  }

  operationFinished(id: string, verb: string): void {
    this.#log.info({ event: 'operation_finished', id, verb })
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

  taskDone(task: string): void {
    this.#tasks.inc({ task, result: 'done' })
  }

  taskFailed(task: string, err: unknown): void {
    this.#tasks.inc({ task, result: 'failed' })
    this.#log.warn({ event: 'task_failed', task, err })
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
