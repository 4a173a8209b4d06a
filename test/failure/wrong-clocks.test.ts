/** Machines whose clocks are hours off, and jump: only the database's clock decides when anything happens. */

import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { Harness, kept } from '../ledger/harness.ts'
import { waitFor } from '../support/wait-for.ts'

const wrong = new URL('../ledger/wrong-clock.ts', import.meta.url).href
const clock = (offMinutes: number, jumpMinutes: number) => ({
  NODE_OPTIONS: `--import=${wrong}`,
  CLOCK_OFF_MINUTES: `${offMinutes}`,
  CLOCK_JUMP_MINUTES: `${jumpMinutes}`,
})

test('clocks that are two hours off and jump ten minutes back: no lost hold, no early or mass retry, right times (C-33)', async () => {
  const harness = await Harness.start('wrong clocks', {
    env: { inbound: clock(120, -240), outbound: clock(-120, 240), worker: clock(120, -10) },
  })
  const { sql } = harness
  try {
    const [started] = await sql<{ at: Date }[]>`select clock_timestamp() as at`
    await sql`update postel.projects set retry_schedule_seconds = array[2]`
    // That they are wrong indeed
    const logged = /"time":"?([^",}]+)/.exec(harness.inbound.logTail())![1]!
    const loggedAt = new Date(Number(logged) || logged).getTime()
    expect(loggedAt - started!.at.getTime()).toBeGreaterThan(3_600_000)
    const load = harness.load()
    await harness.flows(100)
    await pause(harness.random.between(0, 1_000))
    for (const app of [harness.inbound, harness.outbound, harness.worker]) app.signal('SIGUSR2')
    await harness.flows(100)
    // One in thirty is greylisted, by chance
    await waitFor(() => [...harness.ledger.acked].some((recipient) => recipient.startsWith('later')), 60)
    await load.stop()
    await harness.drain()
    expect(await harness.judge()).toEqual(kept)

    const [times] = await sql`
      select
        (select count(*)::int from postel.attempts where at not between ${started!.at} - interval '1 s' and clock_timestamp()) as attempts,
        (select count(*)::int from postel.deliveries where updated_at not between ${started!.at} and clock_timestamp()) as deliveries,
        (select count(*)::int from postel.events where created_at not between ${started!.at} and clock_timestamp()) as events,
        (select count(*)::int from postel.messages where created_at not between ${started!.at} and clock_timestamp()) as messages,
        (select count(*)::int from postel.deliveries where attempts > 2) as tries,
        (select max(epoch)::int from postel.ip_holders) as epoch`
    expect(times).toEqual({ attempts: 0, deliveries: 0, events: 0, messages: 0, tries: 0, epoch: 1 })
    // Greylisted mail was tried again when it was due, and not before
    const [waits] = await sql<{ count: number; least: number; most: number }[]>`
      select count(*)::int as count, min(b.at - a.at) > interval '1.5 s' as least, max(b.at - a.at) < interval '30 s' as most
      from postel.attempts a join postel.attempts b using (message_id, number)
      where a.attempt = 1 and b.attempt = 2`
    expect(waits).toMatchObject({ least: true, most: true })
    expect(waits!.count).toBeGreaterThan(0)
  } finally {
    await harness.stop()
  }
})
