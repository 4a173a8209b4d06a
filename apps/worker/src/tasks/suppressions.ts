/**
 * suppressions: takes recipients whose mail cannot arrive, or who complained, onto the suppression list of the project that
 * wrote to them. Reads the events behind a cursor, some seconds after the mail itself, which waits for none of this. Safe
 * to run at any time and twice at once.
 */
import { readableEvents } from './reports.ts'
import type { TaskContext } from './task.ts'

const chunkEvents = 50_000
/** While there is mail. */
const everySeconds = 10

export async function suppressRecipients({ reports, suppressions, events }: TaskContext): Promise<void> {
  const { until, complete } = await readableEvents(reports)
  // Older events may still come: the run after their commit begins where this one does
  const cursor = complete ? 'suppressions' : 'suppressions_ahead'
  let after = await suppressions.readFrom(cursor)
  let count = 0
  while (after < until) {
    const { lastId, read, added } = await suppressions.readEvents(after, until, chunkEvents)
    events.suppressed(added)
    await suppressions.advance(cursor, lastId)
    after = lastId
    count += read
  }
  await suppressions.forget()
  if (count > 0) await suppressions.runAgain(everySeconds)
}
