// A source IP has one holder: a second process leaves it alone, and what a dead holder had in flight is not sent blindly.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { OutboundService } from '@postel/outbound/service'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor, waitUntilEqual } from '../support/wait-for.ts'

let system: System
const services: OutboundService[] = []

beforeAll(async () => {
  system = await startSystem({ outbound: false })
})

afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.stop()))
  await system.postel.sql`delete from postel.ip_holders`
  await system.postel.sql`update postel.ip_addresses set node_name = null`
  system.mx.messages.length = 0
})

afterAll(() => system.stop())

async function startOutbound(env: Record<string, string> = {}): Promise<OutboundService> {
  const service = await system.postel.startOutbound({ ...system.outboundEnv, ...env })
  services.push(service)
  return service
}

async function holder(): Promise<string | undefined> {
  const [row] = await system.postel.sql`select process_id from postel.ip_holders`
  return row?.process_id
}

test('a second process cannot take an IP that is held, and takes it when it is given back', async () => {
  const { postel, mx } = system
  const first = await startOutbound()
  const firstHolder = await holder()
  await startOutbound()
  expect(await holder()).toBe(firstHolder)
  for (let count = 0; count < 20; count++)
    await postel.settled(await postel.submit({ to: 'reader@dest.test', data: message() }))
  expect(mx.messages).toHaveLength(20)

  await first.stop()
  await postel.sql`select pg_notify('postel_control', '')`
  await waitFor(async () => ![undefined, firstHolder].includes(await holder()))
  const id = await postel.submit({ to: 'reader@dest.test', data: message() })
  expect(await postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
  expect(mx.messages).toHaveLength(21)
})

test('a hold that expired is taken over, and what was in flight waits as in doubt', async () => {
  const { postel, mx } = system
  let answer = () => {}
  mx.script = {
    dot: [{ reply: '250 2.0.0 late', until: new Promise<void>((resolve) => (answer = resolve)) }, '250 ok'],
  }
  await startOutbound()
  const firstHolder = await holder()
  const id = await postel.submit({ to: 'reader@dest.test', data: message() })
  await waitFor(() => mx.messages.length === 1)
  await waitFor(async () => {
    const [row] = await postel.sql`select cardinality(p.in_flight) as rows from postel.outbound_processes p
      join postel.ip_holders h on h.process_id = p.id`
    return row!.rows === 1
  })
  // Where it is not to be held any more, the first cannot take it back before the second is there
  await postel.sql`
    with moved as (update postel.ip_addresses set node_name = 'second')
    update postel.ip_holders set expires_at = now() - interval '1 s'`
  await startOutbound({ NODE_NAME: 'second' })
  expect(await holder()).not.toBe(firstHolder)
  expect((await postel.settled(id)).map(({ state, attempts }) => [state, attempts])).toEqual([
    ['deferred', 1],
  ])
  expect((await postel.attempts(id)).map(({ inDoubt, category }) => [inDoubt, category])).toEqual([
    [true, 'sender_died'],
  ])
  expect(mx.messages).toHaveLength(1)

  // The first holder was only slow: what it learns is still true, and nothing is sent again
  answer()
  await waitUntilEqual(() => postel.states(id), ['reader@dest.test delivered'])
  expect(await postel.waits(id)).toEqual([])
  expect(mx.messages).toHaveLength(1)
})

test('a message that outlived five holders is held', async () => {
  const { postel, mx } = system
  const id = await postel.submit({ to: 'reader@dest.test', data: message() })
  const states: string[] = []
  const acquire = (process: string) => postel.sql`
    select * from postel.acquire_ips(${process}::uuid, 'node', array['127.0.0.1'::inet])`
  await acquire('00000000-0000-4000-8000-000000000000')
  for (let death = 1; death <= 5; death++) {
    await postel.sql`
      update postel.outbound_processes set in_flight = array(select id from postel.queue)
      where id = (select process_id from postel.ip_holders)`
    await postel.sql`update postel.ip_holders set expires_at = now() - interval '1 s'`
    await acquire(`00000000-0000-4000-8000-00000000000${death}`)
    states.push(...(await postel.states(id)))
    await postel.retry(id)
  }
  expect(states).toEqual([...Array(4).fill('reader@dest.test deferred'), 'reader@dest.test held'])
  expect(await postel.states(id)).toEqual(['reader@dest.test held'])
  expect(mx.messages).toEqual([])
})
