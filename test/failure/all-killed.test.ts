/** Everything dies at once under load, and two senders want the same IPs. */

import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { Harness, kept } from '../ledger/harness.ts'
import { rounds } from '../ledger/random.ts'
import { waitUntilEqual } from '../support/wait-for.ts'

test(
  'all processes killed at the same moment and started again: nothing lost, doubled only what was in doubt (C-11)',
  async () => {
    const harness = await Harness.start('all killed')
    const all = [harness.inbound, harness.outbound, harness.worker]
    try {
      const load = harness.load()
      await harness.flows()
      for (let round = 0; round < rounds; round++) {
        await pause(harness.random.between(0, 1_500))
        await harness.killAll()
        await Promise.all(harness.random.shuffle(all).map((app) => app.start()))
        await harness.flows()
      }
      await load.stop()
      await harness.drain()
      expect(await harness.judge()).toEqual(kept)
      expect(Math.max(...harness.doubts)).toBeLessThanOrEqual(50)
    } finally {
      await harness.stop()
    }
  },
  300_000 * rounds,
)

test('several senders on the same IPs, started at the same moment: no message is sent twice (C-13)', async () => {
  const harness = await Harness.start('several senders')
  try {
    expect(await harness.outbound.end('SIGTERM')).toEqual({ code: 0, signal: null })
    const senders = ['one', 'two', 'three'].map((name) => harness.makeApp('outbound', name))
    const load = harness.load()
    await harness.flows(50)
    await Promise.all(senders.map((sender) => sender.start()))
    await harness.flows(100)
    // Their IPs go round
    const { random } = harness
    for (const sender of random.shuffle(senders).slice(0, 2)) {
      await sender.end('SIGTERM')
      await harness.flows(20)
    }
    await load.stop()
    await harness.drain()
    expect(await harness.judge()).toEqual(kept)
    // The last one takes what the others gave back at its next look
    const held = async () => {
      const [row] = await harness.sql<{ ips: number; own: number }[]>`
        select count(*)::int as ips, count(distinct ip_id)::int as own from postel.ip_holders where expires_at > now()`
      return row!
    }
    await waitUntilEqual(held, { ips: 3, own: 3 })
  } finally {
    await harness.stop()
  }
})
