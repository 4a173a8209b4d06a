/** What a task gets. */
import type { Publisher } from '@postel/db/bus/publisher'
import type { MaintenanceQueries } from '@postel/db/queries/maintenance'
import type { ReportQueries } from '@postel/db/queries/reports'
import type { WorkerConfig } from '../config.ts'
import type { WorkerEvents } from '../events.ts'

export type TaskContext = {
  config: WorkerConfig
  queries: MaintenanceQueries
  reports: ReportQueries
  publisher: Publisher
  events: WorkerEvents
}

export type Task = (context: TaskContext) => Promise<void>
