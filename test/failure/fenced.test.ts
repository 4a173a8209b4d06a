/** A sender that was paused for longer than its lease, while another has taken over. */

import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { Harness, kept } from '../ledger/harness.ts'
import { waitFor } from '../support/wait-for.ts'

/** A holder believes in its lease for 20 s by its own clock; the database's 30 s are cut short below. */
const pauseMs = 21_000

test('a sender that wakes up after its lease sends nothing that its successor has (C-12)', async () => {
  const harness = await Harness.start('fenced')
  const successor = harness.makeApp('outbound', 'successor')
  try {
    const load = harness.load()
    await harness.flows(50)
    await pause(harness.random.between(0, 1_000))
    await harness.caughtUp()

    harness.outbound.signal('SIGSTOP')
    const stoppedAt = performance.now()
    // What it had written still arrives; then nothing more comes
    let seen = -1
    await waitFor(async () => {
      const before = seen
      seen = harness.sink.received.length
      await pause(300)
      return before === seen
    })
    await harness.noteDoubt()
    await harness.sql`update postel.ip_holders set expires_at = now() - interval '1 s'`
    await successor.start()
    await waitFor(() => harness.sink.received.length > seen + 50, 30)

    await pause(Math.max(0, stoppedAt + pauseMs - performance.now()))
    harness.outbound.signal('SIGCONT')
    await harness.flows(100)
    await load.stop()
    await harness.drain()
    expect(await harness.judge()).toEqual(kept)
    expect(Math.max(...harness.doubts)).toBeLessThanOrEqual(50)
    // The first has found out and lives: it takes over in its turn
    expect(await successor.end('SIGTERM')).toEqual({ code: 0, signal: null })
    const more = harness.load()
    await harness.flows()
    await more.stop()
    await harness.drain()
    expect(await harness.judge()).toEqual(kept)
  } finally {
    await harness.stop()
  }
})
