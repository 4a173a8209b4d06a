/** TCP ports for processes that must be told theirs before they listen: no other suite is about to take the same. */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below what freePort and the system give out; each of Jest's workers has a part of it. */
const partSize = 500
const partFrom = 10_000 + ((Number(process.env.JEST_WORKER_ID ?? 1) - 1) % 10) * partSize
let used = randomInt(partSize)

/** One that is free on 127.0.0.1, and that is given once. */
export async function ownPort(): Promise<number> {
  for (let tries = 0; tries < partSize; tries++) {
    const port = partFrom + (used++ % partSize)
    if (await isFree(port)) return port
  }
  throw new Error(`no port from ${partFrom} on is free`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
