/** Every task by its name in graphile-worker, and when the periodic ones run. */
import { runOperations } from './operations.ts'
import { keepPartitions } from './partitions.ts'
import { releaseDue } from './release-due.ts'
import { tellSenders } from './reports.ts'
import { sweep } from './sweep.ts'
import type { Task } from './task.ts'

export const tasks: Readonly<Record<string, Task>> = {
  release_due: releaseDue,
  sweep,
  partitions: keepPartitions,
  reports: tellSenders,
  operations: runOperations,
}

/** cron(5) of graphile-worker; a run missed while no worker was up is made up for once. */
export const crontab = [
  '* * * * * sweep ?max=1',
  '* * * * * reports ?max=1',
  '7 * * * * partitions ?fill=1h&max=3',
].join('\n')
