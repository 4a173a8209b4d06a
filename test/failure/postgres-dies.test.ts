/** Postgres ends without warning in the middle of a load, and comes back. */

import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { connect } from '@postel/db/client'
import { Harness, kept } from '../ledger/harness.ts'
import { rounds } from '../ledger/random.ts'
import { waitFor } from '../support/wait-for.ts'

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
  300_000 * rounds,
)

test('a crash in the middle of a task does not end the worker', async () => {
  const harness = await Harness.start('postgres dies in a task')
  const { cluster } = harness
  try {
    const holder = connect(cluster.url, { name: 'holder', max: 1, statementTimeoutMs: 0 })
    await holder.unsafe('begin; lock table postel.waiting in access exclusive mode')
    await harness.sql`select graphile_worker.add_job('sweep')`
    await waitFor(async () => {
      const [row] = await harness.sql`
        select count(*)::int as count from pg_stat_activity
        where application_name like 'postel-worker%' and wait_event_type = 'Lock'`
      return row!.count > 0
    })
    await cluster.kill9()
    await holder.end({ timeout: 0 })
    // Long enough for the task to fail and for its failure not to be recorded
    await pause(1_500)
    await cluster.start()
    const [job] = await harness.sql`select (graphile_worker.add_job('sweep')).id::text as id`
    await waitFor(async () => {
      const [row] = await harness.sql`
        select count(*)::int as count from graphile_worker._private_jobs where id = ${job!.id}::bigint`
      return row!.count === 0
    }, 40)
    expect(harness.worker.surprises).toEqual([])
  } finally {
    await harness.stop()
  }
})
