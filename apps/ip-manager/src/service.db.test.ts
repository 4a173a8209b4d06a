/** The manager against Postgres and a cloud that goes wrong: what moves, what does not, and who may ask. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { makeTenant, never, queueRow, submitOne, type Tenant, until } from '@postel/db/testing/factories'
import { createLogger } from '@postel/runtime/logger'
import { readConfig } from './config.ts'
import { ProviderError } from './provider.ts'
import { IpManagerService } from './service.ts'
import { FakeCloud, FakeNode } from './testing/fake-cloud.ts'

let database: TestDatabase
let sql: Sql
let cloud: FakeCloud
let tenant: Tenant
let nodes: FakeNode[]
const managers: IpManagerService[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(() => {
  cloud = new FakeCloud()
  nodes = []
})
afterEach(async () => {
  await Promise.all(managers.splice(0).map((manager) => manager.stop()))
  await Promise.all(nodes.map((node) => node.stop()))
  await sql`
    truncate postel.queue, postel.deliveries, postel.ip_moves, postel.ip_holders, postel.outbound_processes, postel.nodes`
  await sql`update postel.ip_addresses set state = 'retired', moving_to = null`
})

/** Nodes with servers, and a pool of IPs that the cloud knows, attached to nothing yet. */
async function fleet(names: readonly string[], ips: number): Promise<void> {
  tenant = await makeTenant(sql, { ips })
  for (const { address } of tenant.ips) cloud.attached.set(address, null)
  for (const name of names) nodes.push(new FakeNode(name, cloud, database.url))
  await Promise.all(nodes.map((node) => node.start()))
}

async function manage(name = 'one', env: Record<string, string> = {}): Promise<IpManagerService> {
  const config = readConfig({
    DATABASE_URL: database.url,
    METRICS_PORT: '0',
    METRICS_HOST: '127.0.0.1',
    LOG_LEVEL: 'silent',
    IP_MANAGER_LIST_SECONDS: '1',
    ...env,
  })
  const manager = new IpManagerService(config, createLogger('ip-manager', 'silent'), {
    createProvider: () => cloud.provider(name),
    graceMs: 0,
    lookEveryMs: 100,
    patienceMs: 2_000,
  })
  managers.push(manager)
  await manager.start()
  return manager
}

const held = () => Object.fromEntries(nodes.map((node) => [node.name, node.held.length]))
const node = (name: string) => nodes.find((each) => each.name === name)!
const allHeld = (count: number) =>
  until(() => nodes.reduce((sum, { held: ips }) => sum + ips.length, 0) === count, 20)
const moves = () => sql<
  { state: string; reason: string; error: string | null; attempts: number; to: string }[]
>`
  select state, reason, error, attempts, to_node as "to" from postel.ip_moves order by id`

/** The node stops, and what it wrote last is so many seconds old. */
async function kill(name: string, seconds = 31): Promise<void> {
  const dead = node(name)
  await dead.stop()
  nodes.splice(nodes.indexOf(dead), 1)
  await sql`update postel.nodes set last_seen_at = last_seen_at - ${seconds} * interval '1 s' where name = ${name}`
  await sql`
    update postel.ip_holders set expires_at = expires_at - ${seconds} * interval '1 s' where process_id = ${dead.processId}`
}

describe('moves', () => {
  test('IPs are spread over the nodes; when one dies, and when one is drained, they follow, and their mail stays on them', async () => {
    await fleet(['n1', 'n2', 'n3'], 6)
    await manage()
    await allHeld(6)
    expect(held()).toEqual({ n1: 2, n2: 2, n3: 2 })

    const message = await submitOne(sql, tenant)
    const { ipId } = await queueRow(sql, message)
    const address = tenant.ips.find(({ id }) => id === ipId)!.address
    await kill(nodes.find(({ held: ips }) => ips.includes(address))!.name)
    await allHeld(6)
    expect(Object.values(held())).toEqual([3, 3])
    expect(await queueRow(sql, message)).toMatchObject({ ipId })

    const [drained, other] = nodes
    drained!.busy = true
    await sql`select postel.drain_node(${drained!.name}, 'new kernel')`
    await until(async () => (await moves()).filter(({ state }) => state === 'releasing').length === 3, 10)
    // What is in flight ends first
    expect(held()).toMatchObject({ [drained!.name]: 3 })
    drained!.busy = false
    await until(() => other!.held.length === 6, 20)
    const [shown] = await sql`select drain, server from postel.nodes_now where node = ${drained!.name}`
    expect(shown).toEqual({
      drain: expect.stringMatching(/^free: new kernel/),
      server: `id-${drained!.name}`,
    })
    const reasons = (await moves()).map(({ state, reason }) => `${reason}: ${state}`)
    expect([...new Set(reasons)]).toEqual(['unassigned: done', 'node gone: done', 'node draining: done'])
  })

  test('what is where it should be is left there, whoever put it there', async () => {
    await fleet(['n1', 'n2'], 2)
    const [first, second] = tenant.ips.map(({ address }) => address)
    cloud.attached.set(first!, 'id-n1')
    cloud.attached.set(second!, 'id-n2')
    await manage()
    await allHeld(2)
    const assigned = () => sql`
      select node_name as node, pinned from postel.ip_addresses where pool_id = ${tenant.poolId} order by id`
    await until(async () => (await assigned()).every((row) => row.node !== null))
    expect(await assigned()).toEqual([
      { node: 'n1', pinned: false },
      { node: 'n2', pinned: false },
    ])
    expect(await moves()).toEqual([])
  })

  test('a node that is late loses nothing', async () => {
    await fleet(['n1', 'n2'], 2)
    await manage('one', { IP_MANAGER_NODE_DEAD_SECONDS: '600' })
    await allHeld(2)
    const calls = cloud.calls.filter(({ call }) => call.startsWith('attach')).length
    // Late from 300 s on, dead from 600 s on
    await kill('n1', 301)
    const asked = cloud.calls.length
    await until(() => cloud.calls.length >= asked + 4, 20)
    expect(cloud.calls.filter(({ call }) => call.startsWith('attach')).length).toBe(calls)
  })

  test('a dry run says what it would do and does nothing', async () => {
    await fleet(['n1'], 2)
    await manage('one', { IP_MANAGER_DRY_RUN: 'true' })
    await until(() => cloud.calls.length >= 4, 20)
    expect(await moves()).toEqual([])
    expect([...cloud.attached.values()]).toEqual([null, null])
  })
})

describe('a provider that goes wrong', () => {
  test('what it refuses, forgets halfway or cannot do now is done in the end, and does not hold the others up', async () => {
    await fleet(['n1', 'n2'], 5)
    const [halfway, down, refused, lost, fine] = tenant.ips.map(({ address }) => address)
    cloud.fail(halfway!, { moves: true, error: new ProviderError('unfinished', 'the end was not seen') })
    cloud.fail(down!, { error: new ProviderError('retry', 'answered 503', { status: 503 }) })
    cloud.fail(
      refused!,
      ...Array(9).fill({ error: new ProviderError('refused', 'answered 403: read-only token') }),
    )
    cloud.fail(lost!, { error: new ProviderError('retry', 'connection broken') })
    await manage()
    await allHeld(4)
    expect(cloud.attached.get(refused!)).toBe(null)
    expect(cloud.attachesOf(fine!).length).toBe(1)
    expect(cloud.attachesOf(halfway!).length).toBe(2)
    const [stuck] = await sql`
      select error, state from postel.ip_moves_now where address = ${refused!}`
    expect(stuck).toEqual({
      error: 'answered 403: read-only token',
      state: expect.stringMatching(/^attaching, again in 00:00:\d\d$/),
    })
    expect(nodes.flatMap(({ held: ips }) => ips).sort()).toEqual([halfway, down, lost, fine].sort())
  })

  test('that asks for a pause is left alone for so long, by every move', async () => {
    await fleet(['n1'], 3)
    // All are asked for in the same breath, and cannot be called back: it answers when it has heard the last
    const heard = Promise.withResolvers<void>()
    cloud.fail('*', {
      until: heard.promise,
      error: new ProviderError('retry', 'answered 429', { status: 429, retryAfterMs: 3_000 }),
    })
    const times: number[] = []
    cloud.onAttach = async () => {
      if (times.push(performance.now()) === 3) heard.resolve()
    }
    await manage()
    await allHeld(3)
    const later = times.slice(3).map((at) => at - times[2]!)
    expect(later.length).toBeGreaterThan(0)
    expect(Math.min(...later)).toBeGreaterThanOrEqual(2_900)
  })

  test('whose lists are empty or fail moves nothing, and what it said before serves on', async () => {
    await fleet(['n1', 'n2'], 2)
    await manage()
    await allHeld(2)
    cloud.listFault = 'empty'
    const asked = cloud.calls.length
    await until(() => cloud.calls.length >= asked + 4, 20)
    expect(held()).toEqual({ n1: 1, n2: 1 })
    expect((await moves()).every(({ state }) => state === 'done')).toBe(true)
    cloud.listFault = undefined
    const seen = cloud.calls.length
    await until(() => cloud.calls.length >= seen + 4, 20)
    cloud.listFault = new ProviderError('retry', 'answered 500')
    await kill('n1')
    await until(() => node('n2').held.length === 2, 20)
  })
})

describe('a provider that is away while a node is drained', () => {
  /** Both nodes hold an IP, n1 has let go of its own, and from now on no list is answered, and each call to attach with this. */
  async function drainWithout(error: () => ProviderError): Promise<string> {
    await fleet(['n1', 'n2'], 2)
    await manage()
    await allHeld(2)
    const [address] = node('n1').held
    node('n1').busy = true
    await sql`select postel.drain_node('n1')`
    await until(async () => (await moves()).some(({ state }) => state === 'releasing'), 10)
    cloud.fail(address!, ...Array.from({ length: 100 }, () => ({ error: error() })))
    node('n1').busy = false
    await until(() => cloud.attachesOf(address!).length > 1 && !node('n1').held.includes(address!), 10)
    // Not before: a manager that had no list for long enough would not ask to attach at all
    cloud.listFault = new ProviderError('retry', 'answered 503')
    const asked = cloud.calls.length
    await until(() => cloud.calls.slice(asked).some(({ call }) => call === 'listAddresses'), 10)
    return address!
  }
  const drained = async () => (await moves()).filter(({ reason }) => reason === 'node draining')

  test('the node sends again from what surely never left it, and is drained once the provider is back', async () => {
    const address = await drainWithout(
      () => new ProviderError('retry', 'gave no answer in time', { changedNothing: true }),
    )
    await until(() => node('n1').held.includes(address), 10)
    expect(await drained()).toEqual([
      {
        state: 'cancelled',
        reason: 'node draining',
        error: 'the provider does not answer',
        attempts: expect.any(Number),
        to: 'n2',
      },
    ])
    const placement = async () =>
      (await sql`select placement from postel.ips_now where address = ${address}`)[0]!.placement
    // Written at the manager's next look
    await until(async () => (await placement()) === 'node draining: waits until the provider answers', 10)
    cloud.heal(address)
    cloud.listFault = undefined
    await until(() => node('n2').held.includes(address), 20)
  })

  test('what it may have been asked for stays on its way', async () => {
    const address = await drainWithout(() => new ProviderError('unfinished', 'the end was not seen'))
    await never(() => node('n1').held.includes(address), 4)
    expect(await drained()).toMatchObject([{ state: 'attaching' }])
    cloud.heal(address)
    cloud.listFault = undefined
    await until(() => node('n2').held.includes(address), 20)
  })
})

describe('two managers', () => {
  test('one leads and both are ready; the leader stops and the other goes on', async () => {
    await fleet(['n1', 'n2'], 2)
    const first = await manage('one')
    await until(() => first.leading)
    const second = await manage('two')
    await allHeld(2)
    const leaders = async () => {
      const texts = await Promise.all(
        managers.map(async ({ healthPort }) => {
          const base = `http://127.0.0.1:${healthPort}`
          expect((await fetch(`${base}/readyz`)).status).toBe(200)
          return (await fetch(`${base}/metrics`)).text()
        }),
      )
      return texts.map((text) => /^postel_ip_manager_leader\{.*\} (\d)$/m.exec(text)?.[1])
    }
    expect(await leaders()).toEqual(['1', '0'])
    expect(cloud.calls.every(({ manager }) => manager === 'one')).toBe(true)
    await first.stop()
    managers.shift()
    await until(() => second.leading)
    await kill('n1')
    await until(() => node('n2').held.length === 2, 20)
    expect(await leaders()).toEqual(['1'])
  })

  test('who has lost its connection asks for nothing more, and the next one ends the move that it began', async () => {
    await fleet(['n1', 'n2'], 4)
    const first = await manage('one')
    await until(() => first.leading)
    await allHeld(4)
    const second = await manage('two')

    let cut = 0
    cloud.onAttach = async (manager) => {
      if (cut > 0 || manager !== 'one') return
      await sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'postel-ip-manager-lead' and datname = current_database()`
      // What the server said before it ended may be read after that
      await until(() => !first.leading)
      cut = cloud.calls.length
    }
    // The first call hangs, and so does what it began
    cloud.fail('*', {
      moves: true,
      error: new ProviderError('unfinished', 'cut'),
      until: new Promise(() => {}),
    })
    await kill('n1')
    await until(() => node('n2').held.length === 4, 20)
    expect(cut).toBeGreaterThan(0)
    // Two moves were to be made at once: what was on its way to the provider when the connection was cut is all that it got
    const after = cloud.calls.slice(cut)
    const leaderAgain = after.findIndex(({ call }) => call === 'listAddresses')
    expect(after.slice(0, leaderAgain).filter(({ manager }) => manager === 'one')).toEqual([])
    expect((await moves()).filter(({ reason }) => reason === 'node gone')).toEqual(
      Array(2).fill({
        state: 'done',
        reason: 'node gone',
        error: null,
        attempts: expect.any(Number),
        to: 'n2',
      }),
    )
    expect([first.leading, second.leading].filter(Boolean).length).toBe(1)
  })

  test('who has lost the lock between two calls makes none', async () => {
    await fleet(['n1'], 1)
    const first = await manage('one')
    await allHeld(1)
    const [backend] = await sql<{ pid: number }[]>`
      select pid from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`
    const taken = connect(database.url, { name: 'rival', max: 1 })
    try {
      // The next in the queue for the lock: the manager cannot have it back in between
      const mine = taken`select pg_advisory_lock(1886352244, 1)`.execute()
      await until(async () => {
        const waiting = await sql`
          select from pg_locks l join pg_database d on d.oid = l.database
          where l.locktype = 'advisory' and not l.granted and d.datname = current_database()`
        return waiting.length > 0
      })
      const asked = cloud.calls.length
      await until(() => cloud.calls.length > asked)
      await sql`select pg_terminate_backend(${backend!.pid})`
      await mine
      const calls = cloud.calls.length
      await kill('n1')
      await until(() => !first.leading)
      await never(() => cloud.calls.length > calls, 3)
    } finally {
      await taken.end()
    }
  })
})
