// A greylisted message comes back from the same IP with the same envelope, no sooner than the remote asked for.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System
const addresses = ['127.0.0.1', '127.0.0.11', '127.0.0.12', '127.0.0.13']

beforeAll(async () => {
  system = await startSystem({
    addresses,
    outbound: { OUTBOUND_ADDRESSES: addresses.join() },
    retryScheduleSeconds: [1],
  })
})

afterAll(() => system.stop())

test('four messages, each retried from where it came (D-09)', async () => {
  const { postel, mx } = system
  const seen = new Set<string>()
  const to = [1, 2, 3, 4].map((number) => `reader${number}@${system.freshDomain()}`)
  mx.script = { rcpt: Object.fromEntries(to.map((address) => [address, ['451 4.7.1 Greylisted', '250 ok']])) }
  const ids = await Promise.all(to.map((address) => postel.submit({ to: address, data: message() })))
  for (const id of ids) {
    expect((await postel.settled(id)).map(({ state }) => state)).toEqual(['deferred'])
    await postel.retry(id)
    expect((await postel.settled(id)).map(({ state }) => state)).toEqual(['delivered'])
    const [first, second, ...more] = await postel.attempts(id)
    expect([second!.ip, ...more]).toEqual([first!.ip])
    seen.add(second!.ip!)
  }
  expect(mx.envelopes.sort()).toEqual(to.map((address) => `sender@example.test → ${address}`).sort())
  expect(mx.messages.map(({ source }) => source).sort()).toEqual(
    (await Promise.all(ids.map(async (id) => (await postel.attempts(id))[0]!.ip))).sort(),
  )
})

test.each([
  ['451 4.7.1 Greylisted, try again in 2 seconds', 2],
  ['450 4.2.0 Please retry after 300 seconds', 300],
  ['451 4.7.1 come back in 00:05:00', 300],
  ['451 4.7.1 later', 1],
])('%s: not before %i s', async (reply, seconds) => {
  const { postel, mx } = system
  mx.script = { rcpt: reply }
  const id = await postel.submit({ to: `reader@${system.freshDomain()}`, data: message() })
  await postel.settled(id)
  const [row] = await postel.sql`
    select extract(epoch from w.not_before - d.updated_at)::float8 as wait
    from postel.waiting w join postel.deliveries d on d.message_id = w.message_id where w.message_id = ${id}`
  expect(row!.wait).toBeGreaterThanOrEqual(seconds * 0.9)
  expect(row!.wait).toBeLessThanOrEqual(seconds * 1.1)
})
