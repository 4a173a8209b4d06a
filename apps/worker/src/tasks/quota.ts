/** quota: counts what was accepted, by project and day, and warns organizations that have nearly used their month. */
import { readableEvents } from './reports.ts'
import type { TaskContext } from './task.ts'

/** Safe to run at any time and twice at once. What a transaction may still add to is left to the next run. */
export async function countUsage({ reports, usage, events }: TaskContext): Promise<void> {
  const { until, complete } = await readableEvents(reports)
  if (complete) await usage.count(until)
  events.quotaWarned(await usage.warn())
}
