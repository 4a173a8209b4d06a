/** operations: does what people asked of many messages at once, chunk by chunk, each a transaction of its own. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChunkPlace } from '@postel/db/queries/operations'
import type { TaskContext } from './task.ts'

const busyPauseMs = 1_000
/** What is left is locked by others, who are about to commit. */
const stalledPauseMs = 200

/**
 * Works until no operation is left. One process works at a time: whoever finds that another does leaves it to that one,
 * and the minute sweep looks after both. Safe to be killed at any point.
 */
export async function runOperations({ operations, publisher, events, signal }: TaskContext): Promise<void> {
  let place: ChunkPlace | undefined
  for (let refusals = 0; !signal.aborted; ) {
    const chunk = await operations.runChunk(place)
    if (chunk.busy) {
      // Asked again, because the other may just have looked for the last time
      if (++refusals > 1) return
      await sleep(busyPauseMs)
      continue
    }
    refusals = 0
    if (chunk.id === null) return
    publisher.work(chunk.ipIds)
    await operations.scheduleRelease(chunk.due)
    place = chunk.finished ? undefined : chunk.next
    if (chunk.finished) events.operationFinished(chunk.id, chunk.verb)
    else if (chunk.stalled) await sleep(stalledPauseMs)
  }
}
