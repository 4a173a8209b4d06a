/** The database is restored to an earlier point, where mail that has left since still stands in the queue: nothing leaves twice by itself. */

import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { Harness, kept } from '../ledger/harness.ts'
import { waitFor } from '../support/wait-for.ts'

test('after a restore, mail is held before anything is released, new mail leaves, and a person decides on the rest (C-40)', async () => {
  const harness = await Harness.start('restored')
  const { cluster, sink, sql } = harness
  const copy = `${cluster.dataDir}.copy`
  try {
    // Mail that waits for a sender at the time of the backup
    await harness.outbound.end('SIGTERM')
    const load = harness.load()
    await harness.flows(40)
    await load.stop()
    await cluster.stop('fast')
    execFileSync('cp', ['-a', cluster.dataDir, copy])
    await cluster.start()
    await harness.outbound.start()
    await harness.drain()
    const sent = sink.received.length
    expect(sent).toBeGreaterThan(0)

    // All processes are stopped, the backup takes the database's place, and its mail is held before they start
    await Promise.all([harness.inbound, harness.outbound, harness.worker].map((app) => app.end('SIGTERM')))
    await cluster.stop('fast')
    rmSync(cluster.dataDir, { recursive: true })
    execFileSync('cp', ['-a', copy, cluster.dataDir])
    await cluster.start()
    const [queued] = await waitFor(() => sql`select count(*)::int as rows from postel.queue`)
    expect(queued!.rows).toBeGreaterThan(0)
    const [held] = await sql`
      select sum(postel.hold(project => p.name, reason => 'restored'))::int as recipients from postel.projects p`
    expect(held!.recipients).toBeGreaterThan(0)

    await Promise.all([harness.inbound, harness.outbound, harness.worker].map((app) => app.start()))
    const fresh = harness.load()
    await harness.flows(40)
    await fresh.stop()
    // Only the new mail leaves
    await waitFor(async () => {
      const [row] = await sql`
        select count(*)::int as left from postel.deliveries
        where state not in ('delivered', 'bounced', 'held')`
      return row!.left === 0
    }, 60)
    expect(sink.received.length).toBeGreaterThan(sent)
    const [still] = await sql`select count(*)::int as recipients from postel.deliveries where state = 'held'`
    expect(still).toEqual(held)

    // A person has seen that the rest had left
    await sql`select postel.cancel(project => name) from postel.projects`
    await harness.drain()
    const { lost, ...rest } = await harness.judge()
    // What had bounced before is cancelled now
    expect(lost.filter((recipient) => !recipient.startsWith('bounce'))).toEqual([])
    const { lost: _, ...keptRest } = kept
    expect(rest).toEqual(keptRest)
  } finally {
    await harness.stop()
    rmSync(copy, { recursive: true, force: true })
  }
})
