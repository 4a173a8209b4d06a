/** Moving a source IP between nodes: its holder lets go first, nobody takes it meanwhile, and what people see and steer of it. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { FleetQueries, reportAddresses, triesMax } from './queries/fleet.ts'
import { OutboundQueries } from './queries/outbound.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import {
  inconsistencies,
  makeTenant,
  queueRow,
  stateOf,
  submitBatch,
  submitOne,
  type Tenant,
} from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let queries: OutboundQueries
let fleet: FleetQueries
let tenant: Tenant
const one = randomUUID()
const two = randomUUID()

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
  queries = new OutboundQueries(database.url)
  fleet = new FleetQueries((text, values) => sql.unsafe(text, values as never[]) as never)
})
afterAll(async () => {
  await queries.stop()
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  tenant = await makeTenant(sql, { ips: 2 })
  await queries.acquire(one, 'n1', [...addresses(), '192.0.2.250'])
  await queries.acquire(two, 'n2', ['192.0.2.251'])
})
afterEach(async () => {
  expect(await inconsistencies(sql)).toEqual([])
  await sql`truncate postel.ip_moves, postel.ip_holders, postel.outbound_processes, postel.nodes`
  await sql`update postel.ip_addresses set state = 'retired', moving_to = null`
})

const addresses = () => tenant.ips.map(({ address }) => address)
const ip = () => tenant.ips[0]!
const begin = (to = 'n2', expected: string | null = null) =>
  fleet.begin({ id: ip().id, node: expected }, 'n1', to, 'node draining')
const acquire = async (process: string, node: string) =>
  (await queries.acquire(process, node, addresses())).map(({ ipId }) => ipId)
const renewed = async (process: string) =>
  Object.fromEntries((await queries.renew(process)).map(({ ipId, state }) => [ipId, state]))

async function assignment(): Promise<unknown> {
  const [row] = await sql`
    select node_name as node, pinned, moving_to as "movingTo" from postel.ip_addresses where id = ${ip().id}`
  return { ...row }
}

/** Its node from now on. */
async function adopted(): Promise<string> {
  await fleet.adopt(ip().id, 'n1')
  return 'n1'
}

async function age(process: string, seconds: number): Promise<void> {
  await sql`
    update postel.ip_holders set expires_at = expires_at - ${seconds} * interval '1 s' where process_id = ${process}`
  await sql`
    update postel.outbound_processes set heartbeat_at = heartbeat_at - ${seconds} * interval '1 s' where id = ${process}`
}

describe('a planned move', () => {
  test('asks the holder to let go, keeps all others away until the IP has arrived, and then gives it to its node', async () => {
    const id = (await begin())!
    expect(await renewed(one)).toEqual({ [ip().id]: 'moving', [tenant.ips[1]!.id]: 'active' })
    expect(await acquire(two, 'n2')).toEqual([])
    expect(await fleet.attempt(id, 'n2')).toBe(false)

    await queries.release(one, [ip().id])
    expect(await acquire(one, 'n1')).toEqual([])
    expect(await acquire(two, 'n2')).toEqual([])
    expect(await fleet.attempt(id, 'n2')).toBe(true)
    expect(await fleet.finish(id, 'n2')).toBe(true)
    expect(await assignment()).toEqual({ node: 'n2', pinned: false, movingTo: null })
    expect(await acquire(one, 'n1')).toEqual([])
    expect(await acquire(two, 'n2')).toEqual([ip().id])
    expect(await fleet.finish(id, 'n2')).toBe(false)
  })

  test('is one at a time for an IP, and none for one that is not as it was, or has been retired', async () => {
    expect(await begin('n2', 'elsewhere')).toBeUndefined()
    const id = await begin()
    expect(await begin('n3')).toBeUndefined()
    await fleet.cancel(id!, 'no')
    await sql`update postel.ip_addresses set state = 'retired' where id = ${ip().id}`
    expect(await begin()).toBeUndefined()
  })

  test('an expired hold of an IP that is on its way is not renewed any more', async () => {
    await begin()
    await age(one, 31)
    expect(await renewed(one)).toEqual({ [tenant.ips[1]!.id]: 'active' })
  })

  test('goes elsewhere when it is redirected: what was meant for the former target counts no more', async () => {
    const id = (await begin())!
    await queries.release(one, [ip().id])
    expect(await fleet.attempt(id, 'n2')).toBe(true)
    expect(await fleet.redirect(id, 'n3', 'n2 is gone')).toBe(true)
    expect(await fleet.finish(id, 'n2')).toBe(false)
    expect(await fleet.attempt(id, 'n2')).toBe(false)
    expect(await fleet.attempt(id, 'n3')).toBe(true)
    expect(await fleet.finish(id, 'n3')).toBe(true)
    expect(await assignment()).toMatchObject({ node: 'n3' })
  })

  test('that is given up leaves the IP with its node', async () => {
    const id = (await begin())!
    expect(await fleet.cancel(id, 'not now')).toBe(true)
    expect(await renewed(one)).toMatchObject({ [ip().id]: 'active' })
    expect(await assignment()).toEqual({ node: null, pinned: true, movingTo: null })
  })

  test('is withdrawn only while the provider has surely not been asked', async () => {
    const id = (await begin('n2', await adopted()))!
    await queries.release(one, [ip().id])
    await fleet.attempt(id, 'n2')
    // It is being asked now
    expect(await fleet.withdraw(id, 'away')).toBe(false)
    await fleet.postpone(id, 'gave no answer in time', 600_000)
    expect((await fleet.observe()).moves).toMatchObject([
      { state: 'releasing', attempts: 1, error: 'gave no answer in time' },
    ])
    const [shown] = await sql`select state from postel.ip_moves_now`
    expect(shown!.state).toMatch(/^releasing, again in 00:(?:10:00|09:\d\d)$/)
    expect(await fleet.withdraw(id, 'away')).toBe(true)
    expect(await fleet.attempt(id, 'n2')).toBe(false)
    expect(await fleet.withdraw(id, 'away')).toBe(false)
    expect(await acquire(two, 'n2')).toEqual([])
    expect(await acquire(one, 'n1')).toEqual([ip().id])
    const again = (await begin('n2', 'n1'))!
    await queries.release(one, [ip().id])
    await fleet.attempt(again, 'n2')
    await fleet.retry(again, 'the end was not seen', 5_000)
    expect(await fleet.withdraw(again, 'away')).toBe(false)
  })

  test('that was given up after tries in vain is known for an hour, or until the IP has moved', async () => {
    const gaveUp = async () => (await fleet.observe()).ips.find(({ id }) => id === ip().id)!.gaveUp
    const giveUp = async (tries: number) => {
      const id = (await begin('n2', await adopted()))!
      for (let done = 0; done < tries; done++) await fleet.attempt(id, 'n2')
      await fleet.cancel(id, 'it is still on n1')
    }
    await queries.release(one, [ip().id])
    await giveUp(triesMax - 1)
    expect(await gaveUp()).toBe(null)
    await giveUp(triesMax)
    expect(await gaveUp()).toBe('it is still on n1')
    await sql`update postel.ip_moves set ended_at = ended_at - interval '61 minutes'`
    expect(await gaveUp()).toBe(null)
    await giveUp(triesMax)
    const id = (await begin('n2', 'n1'))!
    await fleet.attempt(id, 'n2')
    await fleet.finish(id, 'n2')
    expect(await gaveUp()).toBe(null)
  })

  test('keeps what a person pinned meanwhile', async () => {
    const id = (await begin())!
    await sql`select postel.pin_ip(${ip().address}::inet, 'n1')`
    await fleet.finish(id, 'n2')
    expect(await assignment()).toEqual({ node: 'n1', pinned: true, movingTo: null })
  })

  test('an IP that is moving gets no new mail while its pool has another, and keeps what is queued on it', async () => {
    await sql`update postel.ip_addresses set weight = 10000 where id = ${ip().id}`
    const before = await submitOne(sql, tenant)
    await begin()
    const { messageIds } = await submitBatch(
      sql,
      tenant,
      Array.from({ length: 10 }, () => ({})),
    )
    for (const id of messageIds) expect((await queueRow(sql, id)).ipId).toBe(tenant.ips[1]!.id)
    expect(await stateOf(sql, before)).toMatchObject({ deliveries: ['1 queued'], queue: ['dest.test 1'] })
  })
})

describe('the mail of an IP that moves', () => {
  test('goes with it, unless that takes minutes: then another IP of the pool takes it', async () => {
    await sql`update postel.ip_addresses set weight = 0 where id = ${tenant.ips[1]!.id}`
    const id = await submitOne(sql, tenant)
    await sql`update postel.ip_addresses set weight = 100 where id = ${tenant.ips[1]!.id}`
    await sql`update postel.queue set queued_at = queued_at - interval '1 hour'`
    await begin()
    await queries.release(one, [ip().id])
    const requeue = async () => {
      const [row] = await sql<{ rows: number }[]>`select postel.requeue_orphans() as rows`
      return row!.rows
    }
    expect(await requeue()).toBe(0)
    await sql`update postel.ip_moves set started_at = started_at - interval '6 minutes'`
    expect(await requeue()).toBe(1)
    expect(await stateOf(sql, id)).toMatchObject({ waiting: ['deferred dest.test 1'] })
  })
})

describe('an assignment', () => {
  test('to another node makes the holder let go, and is for that node alone', async () => {
    await sql`update postel.ip_addresses set node_name = 'n2' where id = ${ip().id}`
    expect(await renewed(one)).toMatchObject({ [ip().id]: 'moving' })
    await queries.release(one, [ip().id])
    expect(await acquire(one, 'n1')).toEqual([])
    expect(await acquire(two, 'n2')).toEqual([ip().id])
  })

  test('by the manager is none where somebody was faster', async () => {
    expect(await fleet.adopt(ip().id, 'n1')).toBe(true)
    expect(await assignment()).toEqual({ node: 'n1', pinned: false, movingTo: null })
    expect(await fleet.adopt(ip().id, 'n2')).toBe(false)
  })

  test('through the API is a pin', async () => {
    await fleet.adopt(ip().id, 'n1')
    await sql`select * from postel.change_ip(${ip().id}, '{"weight": 5}', null)`
    expect(await assignment()).toMatchObject({ node: 'n1', pinned: false })
    await sql`select * from postel.change_ip(${ip().id}, '{"node_name": "n1"}', null)`
    expect(await assignment()).toMatchObject({ node: 'n1', pinned: true })
  })
})

describe('observe', () => {
  test('nodes by the age of their heartbeats, IPs with who holds them, and open moves', async () => {
    await begin()
    await sql`update postel.nodes set last_seen_at = now() - interval '40 s', alive_since = null where name = 'n2'`
    await sql`select postel.drain_node('n2', 'kernel')`
    const seen = await fleet.observe()
    expect(seen.nodes).toEqual([
      {
        name: 'n1',
        state: 'ready',
        silentMs: expect.any(Number),
        aliveMs: expect.any(Number),
        addresses: expect.arrayContaining([...addresses(), '192.0.2.250']),
        agentSilentMs: null,
      },
      expect.objectContaining({ name: 'n2', state: 'draining' }),
    ])
    expect(seen.nodes[0]!.silentMs).toBeLessThan(30_000)
    expect(seen.nodes[1]!.silentMs).toBeGreaterThanOrEqual(40_000)
    expect(seen.ips.map(({ id }) => id).sort()).toEqual(tenant.ips.map(({ id }) => id).sort())
    expect(seen.ips.find(({ id }) => id === ip().id)).toEqual({
      id: ip().id,
      address: ip().address,
      poolId: tenant.poolId,
      state: 'active',
      node: null,
      pinned: false,
      heldBy: 'n1',
      gaveUp: null,
    })
    expect(seen.moves).toEqual([
      {
        id: expect.any(Number),
        ipId: ip().id,
        from: 'n1',
        to: 'n2',
        reason: 'node draining',
        state: 'releasing',
        attempts: 0,
        error: null,
        retryInMs: 0,
        startedMs: expect.any(Number),
      },
    ])
    await age(one, 31)
    expect((await fleet.observe()).ips.map(({ heldBy }) => heldBy)).toEqual([null, null])
  })

  test('a node that was away counts as new from the moment that it is back', async () => {
    const aliveMs = async () => (await fleet.observe()).nodes.find(({ name }) => name === 'n1')!.aliveMs
    await sql`update postel.nodes set alive_since = now() - interval '1 hour' where name = 'n1'`
    await sql`update postel.nodes set last_seen_at = now() - interval '20 s' where name = 'n1'`
    await queries.renew(one)
    expect(await aliveMs()).toBeGreaterThan(3_500_000)
    await sql`update postel.nodes set last_seen_at = now() - interval '31 s' where name = 'n1'`
    await queries.renew(one)
    expect(await aliveMs()).toBeLessThan(60_000)
  })

  test('a call that failed is tried again in its time', async () => {
    const id = (await begin())!
    await queries.release(one, [ip().id])
    await fleet.attempt(id, 'n2')
    await fleet.retry(id, 'answered 503', 600_000)
    const [move] = (await fleet.observe()).moves
    expect(move).toMatchObject({ state: 'attaching', attempts: 1, error: 'answered 503' })
    expect(move!.retryInMs).toBeGreaterThan(500_000)
    expect(move!.retryInMs).toBeLessThanOrEqual(600_000)
  })
})

describe('the interface agent', () => {
  const report = async (node: string, present: readonly string[]) =>
    Object.fromEntries(
      (await reportAddresses(sql, node, present)).map(({ address, wanted }) => [address, wanted]),
    )

  test('is told of nothing that nobody has assigned', async () => {
    expect(await report('n1', addresses())).toEqual({})
  })

  test('keeps an address while its sender holds it, removes it then, and the other adds it once it has arrived', async () => {
    await fleet.adopt(ip().id, 'n1')
    expect(await report('n1', [])).toEqual({ [ip().address]: true })
    expect(await report('n2', [ip().address])).toEqual({ [ip().address]: false })
    const id = (await begin('n2', 'n1'))!
    expect(await report('n1', [ip().address])).toEqual({ [ip().address]: true })
    await queries.release(one, [ip().id])
    expect(await report('n1', [ip().address])).toEqual({ [ip().address]: false })
    expect(await report('n2', [])).toEqual({})
    await fleet.finish(id, 'n2')
    expect(await report('n2', [])).toEqual({ [ip().address]: true })
    expect(await report('n1', [])).toEqual({})
  })

  test('does not add what another node still holds', async () => {
    await sql`update postel.ip_addresses set node_name = 'n2' where id = ${ip().id}`
    expect(await report('n2', [])).toEqual({})
    await queries.release(one, [ip().id])
    expect(await report('n2', [])).toEqual({ [ip().address]: true })
  })

  test('is seen: when it spoke last, and what it found', async () => {
    await report('n1', ['192.0.2.77'])
    const [node] = (await fleet.observe()).nodes
    expect(node).toMatchObject({ name: 'n1', addresses: ['192.0.2.77'] })
    expect(node!.agentSilentMs).toBeLessThan(30_000)
  })

  test('is believed for 30 s, and longer only where the sender has not spoken since', async () => {
    const seen = async () => (await fleet.observe()).nodes[0]!.addresses
    await report('n1', ['192.0.2.77'])
    await sql`update postel.nodes set agent_seen_at = now() - interval '20 s' where name = 'n1'`
    expect(await seen()).toEqual(['192.0.2.77'])
    await sql`update postel.nodes set agent_seen_at = now() - interval '31 s' where name = 'n1'`
    expect(await seen()).toEqual(expect.arrayContaining([...addresses(), '192.0.2.250']))
    await sql`update postel.nodes set last_seen_at = now() - interval '32 s' where name = 'n1'`
    expect(await seen()).toEqual(['192.0.2.77'])
  })
})

describe('for people', () => {
  const drain = async () => {
    const [row] = await sql`select drain from postel.nodes_now where node = 'n1'`
    return row!.drain
  }

  test('drain_node says how many IPs leave, nodes_now when the node is free, resume_node ends it', async () => {
    const [drained] = await sql`select postel.drain_node('n1', 'new kernel') as ips`
    expect(Number(drained!.ips)).toBe(2)
    expect(await drain()).toMatch(/^draining, 2 source IPs still here: new kernel \(by /)
    await queries.release(one, null)
    expect(await drain()).toMatch(/^free: new kernel/)
    await sql`select postel.resume_node('n1')`
    expect(await drain()).toBe(null)
    await expect(sql`select postel.drain_node('n9')`).rejects.toMatchObject({
      message: 'n9 is not one of our nodes',
      hint: expect.stringContaining('n1'),
    })
  })

  test('ip_moves_now and ips_now say where an IP goes, why, and what is in the way', async () => {
    const id = (await begin())!
    const shown = async () => {
      const [move] =
        await sql`select host(address) as address, "from", "to", reason, state, error from postel.ip_moves_now`
      const [placed] =
        await sql`select assigned_to, placement from postel.ips_now where address = ${ip().address}`
      return { ...move, ...placed }
    }
    const move = { address: ip().address, from: 'n1', to: 'n2', reason: 'node draining', assigned_to: null }
    expect(await shown()).toEqual({
      ...move,
      state: 'waits for n1 to let go',
      error: null,
      placement: 'moving to n2: node draining',
    })
    await queries.release(one, [ip().id])
    await fleet.attempt(id, 'n2')
    await fleet.retry(id, 'answered 503', 600_000)
    expect(await shown()).toEqual({
      ...move,
      state: expect.stringMatching(/^attaching, again in 00:(?:10:00|09:\d\d)$/),
      error: 'answered 503',
      placement: 'moving to n2: node draining; answered 503',
    })
    const [explained] = await sql`select postel.ip_trouble(${ip().id}) as trouble`
    expect(explained!.trouble).toBe('is moving to node n2')
    await fleet.finish(id, 'n2')
    expect(await shown()).toEqual({
      ...move,
      state: 'done',
      error: null,
      assigned_to: 'n2',
      placement: expect.stringMatching(/^no process there holds it/),
    })
    await acquire(two, 'n2')
    expect(await shown()).toMatchObject({ assigned_to: 'n2', placement: null })
  })

  test('what the manager found is shown, and a pin', async () => {
    await fleet.note({
      ips: [{ id: ip().id, provider_id: 'fip-1', note: 'cannot be moved: locked' }],
      nodes: [{ name: 'n1', server_id: '4711' }],
    })
    const [node] = await sql`select server from postel.nodes_now where node = 'n1'`
    expect(node!.server).toBe('4711')
    const placement = async () => {
      const [row] = await sql`select placement from postel.ips_now where address = ${ip().address}`
      return row!.placement
    }
    expect(await placement()).toBe('cannot be moved: locked')
    await fleet.note({ ips: [{ id: ip().id, provider_id: null, note: null }], nodes: [] })
    expect(await placement()).toBe(null)
    await sql`select postel.pin_ip(${ip().address}::inet, 'n2')`
    expect(await placement()).toBe('pinned')
    await sql`select postel.unpin_ip(${ip().address}::inet)`
    expect(await placement()).toBe(null)
  })

  test('nodes that have been gone for a month are forgotten, unless an IP belongs there', async () => {
    await sql`
      insert into postel.nodes (name, last_seen_at)
      values ('old', now() - interval '31 days'), ('owner', now() - interval '31 days'), ('late', now() - interval '29 days')`
    await sql`update postel.ip_addresses set node_name = 'owner' where id = ${ip().id}`
    await age(two, 90_000)
    expect(await fleet.forgetNodes()).toBe(1)
    const left = await sql`select name from postel.nodes order by name`
    expect(left.map(({ name }) => name)).toEqual(['late', 'n1', 'n2', 'owner'])
    // What it holds, somebody takes over
    await age(one, 90_000)
    await fleet.forgetNodes()
    const processes = await sql`select id from postel.outbound_processes`
    expect(processes.map(({ id }) => id)).toEqual([one])
  })
})
