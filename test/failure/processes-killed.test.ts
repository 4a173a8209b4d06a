/** SIGKILL of each app in the middle of a load. */

import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { Harness, kept } from '../ledger/harness.ts'
import { rounds } from '../ledger/random.ts'

const loadMs = 8_000

test(
  'killing inbound, outbound and worker loses nothing and doubles only what was in doubt (C-01 to C-09)',
  async () => {
    const harness = await Harness.start('processes killed')
    try {
      const load = harness.load()
      await harness.flows()
      for (let round = 0; round < rounds; round++) {
        const kills = {
          inbound: async () => {
            await harness.inbound.end('SIGKILL')
            await harness.inbound.start()
          },
          outbound: () => harness.killOutbound(),
          worker: async () => {
            await harness.worker.end('SIGKILL')
            await harness.worker.start()
          },
        }
        for (const app of harness.random.shuffle(Object.keys(kills) as (keyof typeof kills)[])) {
          await pause(harness.random.between(0, loadMs / 4))
          await kills[app]()
        }
        await harness.flows()
      }
      await load.stop()
      await harness.drain()
      expect(await harness.judge()).toEqual(kept)
      // At most the sessions that one process may have, and its batch of outcomes
      expect(Math.max(...harness.doubts)).toBeLessThanOrEqual(50)
    } finally {
      await harness.stop()
    }
  },
  300_000 * rounds,
)
