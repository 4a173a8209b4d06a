/** release_due: moves what is due from waiting to queue, chunk by chunk, and says so on the bus. */
import type { TaskContext } from './task.ts'

const chunkRows = 5_000

/** Safe to run at any time and twice at once: the rows are taken with SKIP LOCKED. */
export async function releaseDue({ queries, publisher, events }: TaskContext): Promise<void> {
  for (;;) {
    const { moved, ipIds } = await queries.releaseDue(chunkRows)
    publisher.work(ipIds)
    events.released(moved)
    if (moved < chunkRows) return
  }
}
