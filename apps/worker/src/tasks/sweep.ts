/** sweep: each minute, makes up for whatever was lost or left: jobs that never ran, notifications that nobody heard, plain passwords. */
import { runOperations } from './operations.ts'
import { releaseDue } from './release-due.ts'
import type { TaskContext } from './task.ts'

/**
 * Ends suspensions and mail that is too old, moves mail off IPs that do not send, releases what is overdue, hints at
 * every IP that has mail, seals passwords of smarthosts, and goes on with operations whose worker has died. Needs nothing
 * but the tables.
 */
export async function sweep(context: TaskContext): Promise<void> {
  await context.queries.rescueStranded()
  await releaseDue(context)
  context.publisher.work(await context.queries.ipsWithMail())
  context.events.smarthostsSealed(await context.queries.sealSmarthosts(context.secretBox))
  await runOperations(context)
}
