/** Every connection to Postgres is cut, again and again, under load. */

import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { Harness, kept } from '../ledger/harness.ts'
import { rounds } from '../ledger/random.ts'

test(
  'cutting every connection once a second loses nothing, doubles nothing and ends no process (C-20)',
  async () => {
    const harness = await Harness.start('connections cut')
    try {
      const load = harness.load()
      await harness.flows()
      for (let second = 0; second < 10 * rounds; second++) {
        await harness.sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where backend_type = 'client backend' and application_name <> 'harness'`
        await pause(harness.random.between(500, 1_500))
      }
      await harness.flows()
      await load.stop()
      await harness.drain()
      expect(await harness.judge()).toEqual(kept)
      expect([...harness.ledger.refusals.keys()].filter((reply) => !/ 4\d\d$/.test(reply))).toEqual([])
    } finally {
      await harness.stop()
    }
  },
  300_000 * rounds,
)
