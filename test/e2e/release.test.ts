// Mail that must wait leaves when its time has come, through the worker, and not before.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitUntilEqual } from '../support/wait-for.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({ worker: {}, retryScheduleSeconds: [1] })
})

afterAll(() => system.stop())

test('scheduled mail waits for X-Postel-Send-At and leaves then; deferred mail after its wait', async () => {
  const { postel, mx } = system
  mx.script = { rcpt: { 'greylisted@dest.test': ['451 4.7.1 later', '250 ok'] } }
  const sendAt = new Date(Date.now() + 10_000)
  const scheduled = await postel.submit({
    to: 'scheduled@dest.test',
    data: message('x\r\n', `X-Postel-Send-At: ${sendAt.toISOString()}`),
  })
  const deferred = await postel.submit({ to: 'greylisted@dest.test', data: message() })
  expect(await postel.states(scheduled)).toEqual(['scheduled@dest.test scheduled'])
  await waitUntilEqual(() => postel.states(scheduled), ['scheduled@dest.test delivered'], 20)
  await waitUntilEqual(() => postel.states(deferred), ['greylisted@dest.test delivered'], 20)
  const [row] = await postel.sql`
    select min(at) >= ${sendAt} as "in time" from postel.attempts where message_id = ${scheduled}`
  expect(row).toEqual({ 'in time': true })
  const sent = mx.messages.find(({ to }) => to.includes('scheduled@dest.test'))
  expect(sent!.content).not.toMatch(/Send-At/i)
  expect((await postel.attempts(deferred)).map(({ outcome }) => outcome)).toEqual(['deferred', 'delivered'])
})

test('mail scheduled for tomorrow is in no queue', async () => {
  const { postel } = system
  const sendAt = new Date(Date.now() + 86_400_000).toISOString()
  const id = await postel.submit({
    to: 'tomorrow@dest.test',
    data: message('x\r\n', `X-Postel-Send-At: ${sendAt}`),
  })
  const [wait] = await postel.waits(id)
  expect(wait).toBeGreaterThan(86_000)
  const [row] = await postel.sql`select count(*)::int as rows from postel.queue where message_id = ${id}`
  expect(row).toEqual({ rows: 0 })
})
