// A source IP that is to go to another node: its sender ends what is in flight and lets go, and its mail goes on from there, once each.
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor, waitUntilEqual } from '../support/wait-for.ts'

let system: System

beforeEach(async () => {
  system = await startSystem({ outbound: false })
  // Both could send from the address: who may, says Postgres
  await system.postel.startOutbound({ ...system.outboundEnv, NODE_NAME: 'n1' })
  await system.postel.startOutbound({ ...system.outboundEnv, NODE_NAME: 'n2' })
  expect(await heldBy()).toBe('n1')
})
afterEach(() => system.stop())

async function heldBy(): Promise<string | null> {
  const [row] = await system.postel.sql`
    select p.node_name as node
    from postel.ip_holders h
    join postel.outbound_processes p on p.id = h.process_id
    where h.expires_at > now()`
  return row?.node ?? null
}

async function begin(): Promise<string> {
  const [row] = await system.postel.sql`
    select postel.begin_ip_move(a.id, null, 'n1', 'n2', 'node draining') as id from postel.ip_addresses a`
  return row!.id
}

/** As the manager does once the provider has moved the address; false: somebody still holds it. */
async function arrive(move: string): Promise<boolean> {
  const [row] = await system.postel.sql`select postel.attempt_ip_move(${move}, 'n2') as may`
  if (row!.may) await system.postel.sql`select postel.finish_ip_move(${move}, 'n2')`
  return row!.may
}

const submit = () => system.postel.submit({ to: 'reader@dest.test', data: message() })

test('what waits for its reply ends first; what comes meanwhile leaves from the other node', async () => {
  const { postel, mx } = system
  let answer = () => {}
  const until = new Promise<void>((resolve) => (answer = resolve))
  mx.script = { dot: [{ reply: '250 2.0.0 late', until }, '250 2.0.0 ok'] }
  const first = await submit()
  await waitFor(() => mx.messages.length === 1)

  const move = await begin()
  // Until it knows of the move, the holder goes on with what comes
  await postel.holdsRenewed()
  const others = await Promise.all(Array.from({ length: 5 }, submit))
  expect(await arrive(move)).toBe(false)
  expect(await heldBy()).toBe('n1')
  answer()
  expect(await postel.finalStates(first)).toEqual(['reader@dest.test delivered'])
  // Nobody has it, though both could: it has not arrived
  await waitUntilEqual(heldBy, null)
  expect(mx.messages).toHaveLength(1)

  expect(await arrive(move)).toBe(true)
  for (const id of others) expect(await postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
  expect(await heldBy()).toBe('n2')
  expect(mx.messages).toHaveLength(6)
  for (const id of [first, ...others]) expect(await postel.attempts(id)).toMatchObject([{ inDoubt: false }])
})

test('what has not come to its final dot is given back at once, and that is no try', async () => {
  const { postel, mx } = system
  mx.script = { data: [{ reply: '354 go', until: new Promise(() => {}) }, '354 go'] }
  const id = await submit()
  await waitFor(() => mx.sessions.some(({ commands }) => commands.includes('DATA')))
  const move = await begin()
  await waitUntilEqual(heldBy, null)
  expect(await postel.attempts(id)).toEqual([])
  expect(await arrive(move)).toBe(true)
  expect(await postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
  expect(await postel.attempts(id)).toMatchObject([{ attempt: 1, inDoubt: false }])
  expect(mx.messages).toHaveLength(1)
})

test('a move that is given up leaves everything as it was', async () => {
  const { postel, mx } = system
  let answer = () => {}
  const until = new Promise<void>((resolve) => (answer = resolve))
  mx.script = { dot: [{ reply: '250 2.0.0 late', until }, '250 2.0.0 ok'] }
  await submit()
  await waitFor(() => mx.messages.length === 1)
  const move = await begin()
  const waiting = await submit()
  await postel.sql`select postel.cancel_ip_move(${move}, 'not now')`
  expect(await postel.finalStates(waiting)).toEqual(['reader@dest.test delivered'])
  expect(await heldBy()).toBe('n1')
  answer()
})
