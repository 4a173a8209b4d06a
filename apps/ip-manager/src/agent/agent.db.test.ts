/**
 * The interface agent as a process of its own on machines that are network namespaces, with a real database: what it adds, what it
 * takes away, and what it never touches. Without root the machines cannot be had, and this is skipped.
 */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect as connectTcp, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { unique, until } from '@postel/db/testing/factories'
import { type Machine, makeNetwork, whyNoMachines } from '../testing/machines.ts'
import { mark } from './addresses.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))
const whyNot = whyNoMachines()
if (whyNot) console.log(`The interface agent is not tested: ${whyNot}.`)

type Line = { event?: string; address?: string; problems?: string[] }
type Agent = { lines: Line[]; stop(signal?: NodeJS.Signals): Promise<void>; told(event: string): Line[] }

let database: TestDatabase
let sql: Sql
/** A login that may do what the agent does, and no more. */
const login = unique('agent').replace('-', '_')
let directory: string
let bridge: Server
let network: ReturnType<typeof makeNetwork>
let running: Agent[] = []

;(whyNot ? describe.skip : describe)('the interface agent', () => {
  beforeAll(async () => {
    database = await createTestDatabase()
    sql = connect(database.url, { name: 'test', max: 2 })
    await sql`insert into postel.ip_pools (name) values ('agent')`
    await sql.unsafe(`create role ${login} login password 'x' in role postel_agent`)
    directory = await mkdtemp(join(tmpdir(), 'postel-agent-'))
    bridge = await bridgeTo(database.url, directory)
  })
  afterAll(async () => {
    bridge.close()
    await sql.unsafe(`drop role ${login}`)
    await sql.end({ timeout: 1 })
    await database.drop()
    await rm(directory, { recursive: true })
  })
  beforeEach(() => {
    network = makeNetwork(2)
  })
  afterEach(async () => {
    await Promise.all(running.map((agent) => agent.stop()))
    running = []
    network.remove()
    await sql`delete from postel.ip_holders`
    await sql`delete from postel.ip_addresses`
  })

  const [a, b] = ['node-a', 'node-b']
  const v4 = '203.0.113.5'
  const v6 = '2001:db8:1::5'

  test('its login reads nothing of the mail, nor any secret', async () => {
    const url = new URL(database.url)
    url.username = login
    url.password = 'x'
    const own = connect(url.href, { name: 'test', max: 1 })
    for (const table of ['messages', 'message_bodies', 'queue', 'dkim_keys', 'smtp_credentials'])
      await expect(own.unsafe(`select from postel.${table}`)).rejects.toThrow('permission denied')
    await own.end({ timeout: 1 })
  })

  test('adds what is assigned to its node, so that only who binds to it sends from it', async () => {
    const [machine] = network.nodes
    await assign(v4, a)
    await assign(v6, a)
    await assign('203.0.113.6', b)
    await start(machine!, a)
    await until(async () => machine!.has('eth0').length === 4)
    expect(machine!.addresses('eth0').filter(({ metric }) => metric === mark)).toMatchObject([
      { local: v4, scope: 'global' },
      { local: v6, deprecated: true },
    ])
    // The node itself goes on as before, and so do programs that take its first address
    expect(machine!.has('eth0')[0]).toBe('10.9.0.2')
    expect([machine!.sourceTo('198.51.100.1'), machine!.sourceTo('2001:db8:ffff::1')]).toEqual([
      '10.9.0.2',
      'fd09::2',
    ])
    expect(await connectFrom(machine!, v4, '198.51.100.1')).toBe(v4)
    expect(await connectFrom(machine!, v6, '2001:db8:ffff::1')).toBe(v6)
    // The manager hears what the node has now
    await until(async () => {
      const [node] = await sql<{ has: string[] }[]>`
        select array(select host(i) from unnest(agent_addresses) as i) as has from postel.nodes where name = ${a}`
      return [v4, v6, '10.9.0.2', 'fd09::2'].every((address) => node?.has.includes(address))
    })
  })

  test('the router learns at once that an address has come from another node', async () => {
    const [left, right] = network.nodes
    const { router } = network
    for (const address of [v4, v6])
      router.ip(`neighbour replace ${address} lladdr ${right!.linkAddress} dev br0 nud reachable`)
    await assign(v4, a)
    await assign(v6, a)
    await start(left!, a)
    await until(async () => [v4, v6].every((address) => router.linkAddressOf(address) === left!.linkAddress))
  })

  test('takes away what it added once it is assigned elsewhere and nobody on its node sends from it', async () => {
    const [left, right] = network.nodes
    await assign(v4, a)
    await assign(v6, a)
    const held = await hold(v4, a)
    await start(left!, a)
    await start(right!, b)
    await until(async () => left!.has('eth0').length === 4)
    await assign(v4, b)
    await assign(v6, b)
    await until(async () => right!.has('eth0').includes(v6) && !left!.has('eth0').includes(v6))
    // Still in use: here it stays, and there it does not appear
    expect([left!.has('eth0').includes(v4), right!.has('eth0').includes(v4)]).toEqual([true, false])
    await sql`delete from postel.ip_holders where ip_id = ${held}`
    await sql`select pg_notify('postel_control', 'ips')`
    await until(async () => right!.has('eth0').includes(v4) && !left!.has('eth0').includes(v4))
  })

  test('takes a retired address away', async () => {
    const [machine] = network.nodes
    await assign(v4, a)
    await start(machine!, a)
    await until(async () => machine!.has('eth0').includes(v4))
    await sql`update postel.ip_addresses set state = 'retired' where address = ${v4}::text::inet`
    await until(async () => !machine!.has('eth0').includes(v4))
  })

  test('never touches an address that it did not add, or that is no source IP', async () => {
    const [machine] = network.nodes
    machine!.ip(`address add ${v4}/32 dev eth0`)
    machine!.ip(`address add 203.0.113.7/32 dev eth0 metric ${mark}`)
    await assign(v4, b)
    await assign('203.0.113.8', b)
    await assign(v6, a)
    const agent = await start(machine!, a)
    await until(async () => machine!.has('eth0').includes(v6))
    // By hand: somebody takes the assignment back, and nobody else gets it
    await sql`update postel.ip_addresses set node_name = null where address = ${v6}::text::inet`
    await sql`select pg_notify('postel_control', 'ips')`
    await until(async () => agent.told('address_foreign').length > 0)
    await round(a)
    expect(machine!.has('eth0').sort()).toEqual(['10.9.0.2', v6, v4, '203.0.113.7', 'fd09::2'].sort())
    expect(agent.told('address_foreign').map(({ address }) => address)).toEqual([v4])
  })

  test('leaves the addresses when it stops or is killed, and knows its own when it is back', async () => {
    const [machine] = network.nodes
    await assign(v4, a)
    const first = await start(machine!, a)
    await until(async () => machine!.has('eth0').includes(v4))
    await first.stop()
    expect(machine!.has('eth0')).toContain(v4)
    const second = await start(machine!, a)
    await second.stop('SIGKILL')
    expect(machine!.has('eth0')).toContain(v4)
    await assign(v4, b)
    await start(machine!, a)
    await until(async () => !machine!.has('eth0').includes(v4))
  })

  test('an interface that is down gets nothing, and everything once it is up', async () => {
    const [machine] = network.nodes
    machine!.ip('link add mail0 type veth peer name mail1')
    machine!.ip('link set mail1 up')
    await assign(v4, a)
    const agent = await start(machine!, a, { IP_AGENT_INTERFACE: 'mail0' })
    await until(async () => agent.told('round_failed').length > 0)
    expect(agent.told('round_failed')[0]!.problems).toEqual([
      'IP_AGENT_INTERFACE: the interface mail0 is down',
      `cannot add ${v4}: the interface mail0 is down`,
    ])
    machine!.ip('link set mail0 up')
    await until(async () => machine!.has('mail0').includes(v4))
    // Somebody takes it down and up again: the kernel drops what IPv6 had, the agent puts it back
    await assign(v6, a)
    await until(async () => machine!.has('mail0').includes(v6))
    machine!.ip('link set mail0 down')
    expect(machine!.has('mail0')).not.toContain(v6)
    await until(async () =>
      agent.told('round_failed').at(-1)!.problems!.includes(`${v4} is on mail0, which is down`),
    )
    machine!.ip('link set mail0 up')
    await until(async () => machine!.has('mail0').includes(v6) && machine!.has('mail0').includes(v4))
  })

  test.each([
    [
      'an interface that is not there',
      { IP_AGENT_INTERFACE: 'eth7' },
      'IP_AGENT_INTERFACE: there is no interface eth7 here, but lo, eth0',
    ],
    [
      'no default route',
      {},
      `cannot add ${v4}: no default route of IPv4 says on which interface; set IP_AGENT_INTERFACE`,
    ],
  ])('%s is said, and /readyz fails', async (_name, env, problem) => {
    const [machine] = network.nodes
    machine!.ip('route delete default')
    await assign(v4, a)
    const agent = await start(machine!, a, { ...env, METRICS_PORT: '9466' })
    await until(async () => agent.told('round_failed').length > 0)
    expect(agent.told('round_failed')[0]!.problems).toContain(problem)
    const seen = await machine!.node(
      `fetch('http://127.0.0.1:9466/readyz').then(async (r) => console.log(r.status, await r.text()))`,
    )
    expect(seen).toMatch(/^503 /)
    expect(seen).toContain(problem)
  })
})

async function assign(address: string, node: string): Promise<void> {
  await sql`
    insert into postel.ip_addresses (pool_id, address, node_name)
    select (select min(id) from postel.ip_pools), ${address}::text::inet, ${node}
    on conflict (address) do update set node_name = excluded.node_name`
  await sql`select pg_notify('postel_control', 'ips')`
}

/** Has an outbound process of the node hold it; gives the IP's id. */
async function hold(address: string, node: string): Promise<number> {
  const [held] = await sql<{ id: number }[]>`
    with process as (
      insert into postel.outbound_processes (id, node_name, heartbeat_at) values (gen_random_uuid(), ${node}, now())
      returning id
    )
    insert into postel.ip_holders (ip_id, process_id, epoch, acquired_at, expires_at)
    select a.id, process.id, 1, now(), now() + interval '1 hour'
    from process
    join postel.ip_addresses a on a.address = ${address}::text::inet
    returning ip_id as id`
  return held!.id
}

/** Two reports of the node's agent from now on: a whole round lies between. */
async function round(node: string): Promise<void> {
  for (let times = 0; times < 2; times++) {
    const [{ at } = { at: '' }] = await sql<{ at: string }[]>`
      select agent_seen_at::text as at from postel.nodes where name = ${node}`
    await until(async () => {
      const [row] = await sql<{ at: string }[]>`
        select agent_seen_at::text as at from postel.nodes where name = ${node}`
      return row!.at !== at
    })
  }
}

/** Starts it, and waits until it has done a round. */
async function start(machine: Machine, node: string, env: NodeJS.ProcessEnv = {}): Promise<Agent> {
  await sql`
    insert into postel.nodes (name, last_seen_at) values (${node}, now()) on conflict do nothing`
  const url = new URL(database.url)
  const child = machine.spawn(process.execPath, [main], {
    DATABASE_URL: `postgres://${url.pathname}`,
    PGHOST: directory,
    PGUSER: login,
    PGPASSWORD: 'x',
    NODE_NAME: node,
    IP_AGENT_POLL_SECONDS: '1',
    METRICS_HOST: '127.0.0.1',
    METRICS_PORT: '0',
    LOG_LEVEL: 'debug',
    ...env,
  })
  const lines: Line[] = []
  let rest = ''
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  child.stdout.on('data', (chunk) => {
    const complete = (rest + chunk).split('\n')
    rest = complete.pop()!
    lines.push(...complete.map((line) => JSON.parse(line) as Line))
  })
  const agent: Agent = {
    lines,
    told: (event) => lines.filter((line) => line.event === event),
    stop: async (signal = 'SIGTERM') => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill(signal)
      await exited
    },
  }
  running.push(agent)
  const started = () => {
    if (child.exitCode !== null) throw new Error(`the agent has ended: ${errors}`)
    return agent.told('started').length > 0
  }
  await until(started, 20, () => `started: ${JSON.stringify(lines)} ${errors}`)
  return agent
}

/** A socket of Unix leads to the database from every network namespace. */
async function bridgeTo(url: string, directory: string): Promise<Server> {
  const { hostname, port } = new URL(url)
  const server = createServer((near) => {
    const far = connectTcp(Number(port || 5432), hostname)
    near.pipe(far).pipe(near)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
  })
  server.listen(join(directory, '.s.PGSQL.5432'))
  await once(server, 'listening')
  return server
}

/** Who the router says that it is, when the machine connects to it from the address. */
async function connectFrom(machine: Machine, from: string, to: string): Promise<string> {
  const served = network.router.node(
    `const server = require('node:net').createServer((socket) => {
       console.log(socket.remoteAddress); socket.end(); server.close()
     }).listen(2525, '${to}')`,
  )
  const asking = machine.node(
    `const ask = () => require('node:net').connect({ host: '${to}', port: 2525, localAddress: '${from}' })
       .on('error', () => setTimeout(ask, 50)).resume()
     ask()`,
  )
  const [seen] = await Promise.all([served, asking])
  return seen
}
