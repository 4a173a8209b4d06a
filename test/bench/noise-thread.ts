/** The thread of noise.ts: sends the stream that it was given and says how much that was. */
import { parentPort, workerData } from 'node:worker_threads'
import { Cleanup } from './cleanup.ts'
import { type StreamPlan, startStream } from './stream.ts'

const cleanup = new Cleanup()
const stream = startStream(cleanup, workerData as StreamPlan, () => {})

parentPort!.on('message', async (request: 'counts' | 'stop') => {
  if (request === 'counts') return parentPort!.postMessage({ ...stream.counts })
  const counts = await stream.stop()
  await cleanup.run()
  parentPort!.postMessage(counts)
})
