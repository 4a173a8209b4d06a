/** metrics: each minute, counts what happened to mail; and each day, forgets figures and requests that have had their time. */
import { readableEvents } from './reports.ts'
import type { TaskContext } from './task.ts'

const chunkEvents = 20_000
const chunkRows = 5_000
const metricsDays = 400
const requestDays = 30

/** An event is counted once, however often this runs. Where older events may still come, the next run counts. */
export async function countMetrics({ reports, metrics, signal }: TaskContext): Promise<void> {
  const { until, complete } = await readableEvents(reports)
  if (!complete) return
  while (!signal.aborted && (await metrics.countEvents(until, chunkEvents)) === chunkEvents);
}

/** Safe to be killed at any point. */
export async function forgetFigures({ metrics, signal }: TaskContext): Promise<void> {
  while (!signal.aborted && (await metrics.forgetRequests(requestDays, chunkRows)) === chunkRows);
  while (!signal.aborted && (await metrics.forgetMetrics(metricsDays, chunkRows)) === chunkRows);
}
