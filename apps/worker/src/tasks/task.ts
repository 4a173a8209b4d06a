/** What a task gets. */
import type { Publisher } from '@postel/db/bus/publisher'
import type { MaintenanceQueries } from '@postel/db/queries/maintenance'
import type { MetricsQueries } from '@postel/db/queries/metrics'
import type { ModerationQueries } from '@postel/db/queries/moderation'
import type { OperationQueries } from '@postel/db/queries/operations'
import type { ReportQueries } from '@postel/db/queries/reports'
import type { RetentionQueries } from '@postel/db/queries/retention'
import type { SuppressionQueries } from '@postel/db/queries/suppressions'
import type { UsageQueries } from '@postel/db/queries/usage'
import type { WebhookDispatchQueries } from '@postel/db/queries/webhook-dispatch'
import type { SecretBox } from '@postel/runtime/secret-box'
import type { WorkerConfig } from '../config.ts'
import type { WorkerEvents } from '../events.ts'
import type { DomainsContext } from './domains.ts'
import type { WebhookSender } from './webhook-sender.ts'

export type TaskContext = {
  config: WorkerConfig
  queries: MaintenanceQueries
  reports: ReportQueries
  suppressions: SuppressionQueries
  usage: UsageQueries
  moderation: ModerationQueries
  retention: RetentionQueries
  operations: OperationQueries
  metrics: MetricsQueries
  webhooks: WebhookDispatchQueries
  webhookSender: WebhookSender
  domains: DomainsContext
  publisher: Publisher
  secretBox: SecretBox
  events: WorkerEvents
  /** Aborted when the worker is to stop; a task that may take long ends soon after. */
  signal: AbortSignal
}

export type Task = (context: TaskContext) => Promise<void>
