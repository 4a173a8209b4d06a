/** operations: does what people asked of many messages at once, chunk by chunk, each a transaction of its own. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TaskContext } from './task.ts'

/** Chunks at a time: with fewer, an operation gets too little of a busy database to end within a minute. */
const runners = 3
const busyPauseMs = 1_000
/** What is left is locked by others, who are about to commit. */
const stalledPauseMs = 200

/**
 * Works until no operation is left. Who finds that three runners are at it leaves it to those, and the minute sweep looks
 * after all. Safe to be killed at any point.
 */
export async function runOperations(context: TaskContext): Promise<void> {
  await Promise.all(Array.from({ length: runners }, () => runChunks(context)))
}

async function runChunks({ operations, publisher, events, signal }: TaskContext): Promise<void> {
  let window: number | undefined
  for (let refusals = 0; !signal.aborted; ) {
    const claim = await operations.claim(window)
    if (claim.busy) {
      // Asked again, because the others may just have looked for the last time
      if (++refusals > 1) return
      await sleep(busyPauseMs)
      continue
    }
    refusals = 0
    if (claim.finished) events.operationFinished(claim.id!, claim.verb)
    else if (claim.stalled) await sleep(stalledPauseMs)
    else if (claim.id === null) return
    else {
      const chunk = await operations.run(claim)
      publisher.work(chunk.ipIds)
      await operations.scheduleRelease(chunk.due)
      window = chunk.nextWindow
    }
  }
}
