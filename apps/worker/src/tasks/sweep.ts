/** sweep: each minute, makes up for whatever was lost: jobs that never ran, notifications that nobody heard. */
import { releaseDue } from './release-due.ts'
import type { TaskContext } from './task.ts'

/** Releases what is overdue and hints at every IP that has mail. Needs nothing but the tables. */
export async function sweep(context: TaskContext): Promise<void> {
  await context.queries.rescueStranded()
  await releaseDue(context)
  context.publisher.work(await context.queries.ipsWithMail())
}
