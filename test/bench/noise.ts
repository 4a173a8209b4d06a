/** A stream in a thread of its own, so that sending it does not delay the clock that measures the others' mail. */
import { Worker } from 'node:worker_threads'
import type { Cleanup } from './cleanup.ts'
import type { StreamCounts, StreamPlan } from './stream.ts'

export type Noise = {
  /** What was sent so far. */
  counts(): Promise<StreamCounts>
  stop(): Promise<StreamCounts>
}

/** Begins within a moment; the cleanup ends it at the latest. */
export function startNoise(cleanup: Cleanup, plan: StreamPlan): Noise {
  const worker = new Worker(new URL('noise-thread.ts', import.meta.url), { workerData: plan })
  const terminate = cleanup.defer(() => worker.terminate().then(() => {}))
  const ask = (request: 'counts' | 'stop') =>
    new Promise<StreamCounts>((resolve, reject) => {
      worker.once('error', reject)
      worker.once('message', (counts: StreamCounts) => {
        worker.off('error', reject)
        resolve(counts)
      })
      worker.postMessage(request)
    })
  return {
    counts: () => ask('counts'),
    stop: async () => {
      const counts = await ask('stop')
      await terminate()
      return counts
    },
  }
}
