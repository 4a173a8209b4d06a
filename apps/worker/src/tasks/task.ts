/** What a task gets. */
import type { Publisher } from '@postel/db/bus/publisher'
import type { MaintenanceQueries } from '@postel/db/queries/maintenance'
import type { OperationQueries } from '@postel/db/queries/operations'
import type { ReportQueries } from '@postel/db/queries/reports'
import type { WorkerConfig } from '../config.ts'
import type { WorkerEvents } from '../events.ts'

export type TaskContext = {
  config: WorkerConfig
  queries: MaintenanceQueries
  reports: ReportQueries
  operations: OperationQueries
  publisher: Publisher
  events: WorkerEvents
  /** Aborted when the worker is to stop; a task that may take long ends soon after. */
  signal: AbortSignal
}

export type Task = (context: TaskContext) => Promise<void>
