/**
 * webhooks: tells webhooks of events. Reads the events behind a cursor → makes a delivery for each webhook that wants one →
 * has what is due sent → runs again about a second later, while any webhook is enabled. Deliveries stand in a table, one
 * for an event and webhook, so a run may end anywhere, begin anew or meet another.
 */
import { readableEvents } from './reports.ts'
import type { TaskContext } from './task.ts'

const chunkEvents = 5_000
const everyMs = 1_000
/** How long to wait for transactions that may still add events in the past; what they add is told late then. */
const patienceMs = 1_000

/** Safe to run at any time and twice at once. */
export async function tellWebhooks({ webhooks, webhookSender, reports, signal }: TaskContext): Promise<void> {
  let listening = true
  try {
    const { until, complete } = await readableEvents(reports, patienceMs)
    // Older events may still come: the run after their commit begins where this one does
    const cursor = complete ? 'webhooks' : 'webhooks_ahead'
    let after = await webhooks.readFrom(cursor, until)
    listening = after !== undefined
    while (after !== undefined && after < until && !signal.aborted) {
      const { lastId, made } = await webhooks.fanOut(after, until, chunkEvents)
      await webhooks.advance(cursor, lastId)
      after = lastId
      if (made > 0) webhookSender.wake()
    }
  } finally {
    if (listening) {
      // What waits for its next attempt is due by itself
      webhookSender.wake()
      webhookSender.runTaskAfter(everyMs)
    }
  }
}
