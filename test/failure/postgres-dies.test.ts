/** Postgres ends without warning in the middle of a load, and comes back. */

import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { Harness, kept } from '../ledger/harness.ts'
import { rounds } from '../ledger/random.ts'

test(
  'no crash of Postgres loses or doubles mail, and all resume by themselves (C-16, C-17)',
  async () => {
    const harness = await Harness.start('postgres dies')
    const { cluster, random } = harness
    try {
      const load = harness.load()
      await harness.flows()
      for (let round = 0; round < rounds; round++)
        for (const end of random.shuffle([() => cluster.stop('immediate'), () => cluster.kill9()])) {
          await pause(random.between(0, 2_000))
          await end()
          await pause(random.between(0, 2_000))
          await cluster.start()
          await harness.flows(20, 60)
        }
      await load.stop()
      await harness.drain()
      // No sender died, so nothing was in doubt: every reply was kept until it could be recorded
      expect(await harness.judge()).toEqual(kept)
      expect([...harness.ledger.refusals.keys()].filter((reply) => !/ 4\d\d$/.test(reply))).toEqual([])
    } finally {
      await harness.stop()
    }
  },
  180_000 * rounds,
)
