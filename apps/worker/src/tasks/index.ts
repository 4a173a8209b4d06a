/** Every task by its name in graphile-worker, and when the periodic ones run. */
import { checkDomains } from './domains.ts'
import { countMetrics, forgetFigures } from './metrics.ts'
import { moderate } from './moderation.ts'
import { runOperations } from './operations.ts'
import { keepPartitions } from './partitions.ts'
import { countUsage } from './quota.ts'
import { releaseDue } from './release-due.ts'
import { tellSenders } from './reports.ts'
import { keepRetention } from './retention.ts'
import { suppressRecipients } from './suppressions.ts'
import { sweep } from './sweep.ts'
import type { Task } from './task.ts'
import { forgetWebhooks } from './webhook-retention.ts'
import { tellWebhooks } from './webhooks.ts'

export const tasks: Readonly<Record<string, Task>> = {
  release_due: releaseDue,
  sweep,
  partitions: keepPartitions,
  metrics: countMetrics,
  forget_figures: forgetFigures,
  reports: tellSenders,
  suppressions: suppressRecipients,
  quota: countUsage,
  moderation: moderate,
  retention: keepRetention,
  operations: runOperations,
  domains: checkDomains,
  webhooks: tellWebhooks,
  webhook_retention: forgetWebhooks,
}

/** cron(5) of graphile-worker; a run missed while no worker was up is made up for once. */
export const crontab = [
  '* * * * * sweep ?max=1',
  '* * * * * reports ?max=1',
  '* * * * * metrics ?max=1',
  '41 3 * * * forget_figures ?fill=12h&max=3',
  '* * * * * suppressions ?max=1',
  '* * * * * quota ?max=1',
  '* * * * * moderation ?max=1',
  '* * * * * retention ?max=1',
  '* * * * * webhooks ?max=1',
  '23 * * * * webhook_retention ?fill=1h&max=3',
  '* * * * * domains ?max=1',
  '7 * * * * partitions ?fill=1h&max=3',
].join('\n')
