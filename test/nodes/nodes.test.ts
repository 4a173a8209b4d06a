// Three nodes with their own addresses: every message leaves from its IP on the node that holds it, whatever node goes away.
import { connect as dial, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { makeNetwork, whyNoMachines } from '@postel/ip-manager/testing/machines'
import type { AppProcess } from '../ledger/app-process.ts'
import { Harness, kept } from '../ledger/harness.ts'
import { listenOn } from '../support/listen-on.ts'
import { waitFor } from '../support/wait-for.ts'

const whyNot = whyNoMachines()
if (whyNot) console.log(`Nodes are not tested: ${whyNot}.`)

const router = '10.9.0.1'
const addresses = Array.from({ length: 6 }, (_, index) => `203.0.113.${11 + index}`)
type Node = { name: string; outbound: AppProcess; agent: AppProcess; cut(): void }

let network: ReturnType<typeof makeNetwork>
let harness: Harness
let remote: Server
let database: Server
let nodes: Node[]
/** From the nodes to the database: who is cut off does not close them. */
const lines = new Set<Socket>()

;(whyNot ? describe.skip : describe)('three nodes', () => {
  beforeAll(async () => {
    network = makeNetwork(3)
    remote = await listenOn(network.router, router)
    database = await listenOn(network.router, router)
    harness = await Harness.start('nodes', { remote, addresses, apps: ['inbound', 'worker'] })
    const url = new URL(harness.cluster.url)
    const { hostname, port } = url
    database.on('connection', (near) => {
      const far = dial(Number(port), hostname)
      lines.add(near)
      near.pipe(far).pipe(near)
      near.on('error', () => far.destroy())
      far.on('error', () => near.destroy())
    })
    url.host = `${router}:${portOf(database)}`
    nodes = network.nodes.map((machine, index) => {
      const name = `node${index + 1}`
      const env = {
        DATABASE_URL: url.href,
        DELIVERY_RELAY_URL: `smtp://${router}:${portOf(remote)}`,
        OUTBOUND_ADDRESSES: '',
        NODE_NAME: name,
      }
      const { namespace } = machine
      return {
        name,
        outbound: harness.makeApp('outbound', name, env, { namespace }),
        agent: harness.makeApp('ip-manager/agent', `${name}-agent`, env, { namespace }),
        cut: () => machine.ip('link set eth0 down'),
      }
    })
    const manager = harness.makeApp('ip-manager')
    await Promise.all(
      [manager, ...nodes.flatMap(({ outbound, agent }) => [outbound, agent])].map((app) => app.start()),
    )
  })
  afterAll(async () => {
    await harness?.stop()
    for (const line of lines) line.destroy()
    database?.close()
    remote?.close()
    network?.remove()
  })

  test('share the IPs evenly, and each sends from those that it holds', async () => {
    await waitFor(async () => (await shares()).join() === '2,2,2', 60)
    const load = harness.load()
    await harness.flows(200)
    await load.stop()
    await harness.drain()
    expect(new Set(harness.sink.received.map(({ from }) => from))).toEqual(new Set(addresses))
    expect(await strays()).toEqual([])
  })

  test('a drained node is free, and nothing was lost or came twice', async () => {
    const load = harness.load()
    await harness.flows(50)
    await harness.sql`select postel.drain_node('node1', 'upgrade')`
    await waitFor(async () => (await shares()).join() === '0,3,3', 60)
    await harness.flows(50)
    await harness.sql`select postel.resume_node('node1')`
    await load.stop()
    await harness.drain()
    expect(await strays()).toEqual([])
    expect(await harness.judge()).toEqual(kept)
  })

  test('a node that dies has its IPs on the others within a minute of its end, and mail is accepted all the while', async () => {
    const load = harness.load()
    await harness.flows(50)
    const [dead] = nodes.slice(1)
    const its = await held(dead!.name)
    expect(its.length).toBeGreaterThan(0)

    dead!.cut()
    await Promise.all([dead!.outbound.end('SIGKILL'), dead!.agent.end('SIGKILL')])
    await harness.noteDoubt()
    const lastBeat = await now()
    let longestGapMs = 0
    let last = { count: harness.ledger.acked.size, at: performance.now() }
    await waitFor(async () => {
      if (harness.ledger.acked.size > last.count)
        last = { count: harness.ledger.acked.size, at: performance.now() }
      longestGapMs = Math.max(longestGapMs, performance.now() - last.at)
      const there = [...(await held('node1')), ...(await held('node3'))]
      return its.every((address) => there.includes(address))
    }, 100)
    // its last heartbeat may be 5 s old when it dies; on a busy machine all of it takes longer
    expect((await now()) - lastBeat).toBeLessThan(90_000)
    expect(longestGapMs).toBeLessThan(30_000)

    const before = harness.sink.received.length
    await waitFor(() => {
      const since = new Set(harness.sink.received.slice(before).map(({ from }) => from))
      return its.every((address) => since.has(address))
    }, 60)
    await load.stop()
    await harness.drain()
    expect(harness.ledger.refusals).toEqual(new Map())
    expect(await strays()).toEqual([])
    expect(await harness.judge()).toEqual(kept)
  })
})

function portOf(server: Server): number {
  return (server.address() as { port: number }).port
}

async function now(): Promise<number> {
  const [row] = await harness.sql<{ at: Date }[]>`select clock_timestamp() as at`
  return row!.at.getTime()
}

async function held(node: string): Promise<string[]> {
  const rows = await harness.sql<{ address: string }[]>`
    select host(a.address) as address
    from postel.ip_holders h
    join postel.outbound_processes p on p.id = h.process_id
    join postel.ip_addresses a on a.id = h.ip_id
    where p.node_name = ${node} and h.expires_at > clock_timestamp()
    order by a.address`
  return rows.map(({ address }) => address)
}

async function shares(): Promise<number[]> {
  return Promise.all(nodes.map(async ({ name }) => (await held(name)).length))
}

/** What arrived from another address than that of its last try. */
async function strays(): Promise<string[]> {
  const rows = await harness.sql<{ recipient: string; addresses: string[] }[]>`
    select d.recipient, array_agg(host(i.address)) as addresses
    from postel.deliveries d
    join postel.attempts a on a.message_id = d.message_id and a.number = d.number
    join postel.ip_addresses i on i.id = a.ip_id
    group by d.recipient`
  const tried = new Map(rows.map((row) => [row.recipient, row.addresses]))
  return harness.sink.received
    .filter(({ recipient, from }) => !tried.get(recipient)?.includes(from))
    .map(({ recipient, from }) => `${recipient} from ${from}`)
}
