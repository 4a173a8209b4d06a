/** Notifications that nobody hears: a subscription that goes deaf without a sign is found out, and polling finds the mail. */

import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { FaultyLink } from '@postel/db/testing/faulty-link'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

let system: System
let link: FaultyLink

beforeAll(async () => {
  system = await startSystem({ inbound: false, outbound: false })
  link = await FaultyLink.start(system.postel.databaseUrl)
  await system.postel.startInbound({ DATABASE_URL: link.url })
})

afterEach(() => link.mend())

afterAll(async () => {
  await system.stop()
  await link.stop()
})

async function listenerPid(): Promise<number> {
  const rows = await system.postel.sql<{ pid: number }[]>`
    select pid from pg_stat_activity
    where application_name = 'postel-outbound-listen' and datname = current_database()
    order by backend_start desc`
  return rows[0]!.pid
}

test('every notification is lost: each message leaves within the poll interval (C-29)', async () => {
  const service = await system.postel.startOutbound({ ...system.outboundEnv, OUTBOUND_POLL_SECONDS: '1' })
  link.swallow('postel-inbound-notify')
  const seconds: number[] = []
  for (let number = 0; number < 4; number++) {
    const began = performance.now()
    const id = await system.postel.submit({ to: `reader${number}@dest.test`, data: message() })
    expect(await system.postel.finalStates(id)).toEqual([`reader${number}@dest.test delivered`])
    seconds.push((performance.now() - began) / 1000)
  }
  // 1 s, and what sending takes
  expect(Math.max(...seconds)).toBeLessThan(10)
  // That they were lost shows in the wait: with them it is a few hundredths
  expect(Math.max(...seconds)).toBeGreaterThan(0.4)
  await service.stop()
})

test('a subscription whose link is silent is found out within 30 s, and hears again (C-28)', async () => {
  // So long a poll that only a new subscription explains a delivery
  await system.postel.startOutbound({
    ...system.outboundEnv,
    DATABASE_URL: link.url,
    OUTBOUND_POLL_SECONDS: '60',
  })
  const first = await system.postel.submit({ to: 'heard@dest.test', data: message() })
  // Inbound needs up to ten seconds to notice that the connection for its notifications is dead from the test before
  expect(await system.postel.finalStates(first, 8)).toEqual(['heard@dest.test delivered'])

  const before = await listenerPid()
  link.swallow('postel-outbound-listen')
  const began = performance.now()
  const id = await system.postel.submit({ to: 'unheard@dest.test', data: message() })
  await waitFor(async () => link.made('postel-outbound-listen') > 1, 30)
  // Only what was connected is dead
  link.mend()
  expect(await system.postel.finalStates(id, 15)).toEqual(['unheard@dest.test delivered'])
  expect((performance.now() - began) / 1000).toBeLessThan(30)

  await waitFor(async () => (await listenerPid()) !== before)
  const last = await system.postel.submit({ to: 'again@dest.test', data: message() })
  expect(await system.postel.finalStates(last, 3)).toEqual(['again@dest.test delivered'])
})
