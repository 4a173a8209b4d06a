/** nodes: how fast one, two, four … nodes deliver a backlog, each a network namespace that holds IPs of its own, on one Postgres. */
import type { ParseArgsOptionsConfig } from 'node:util'
import { makeThrowAwayDirectory } from '@postel/db/testing/throw-away-directory'
import { makeNetwork, whyNoMachines } from '@postel/ip-manager/testing/machines'
import type { Child } from './child.ts'
import { Cleanup } from './cleanup.ts'
import { cpuOf } from './cpu.ts'
import { fillQueue } from './fill.ts'
import { count, type Flags } from './flags.ts'
import { countDelivered, now, perMessage, rate } from './measure.ts'
import { figure, machine, printTable, progress, rounded } from './report.ts'
import { startSinkOn } from './sink.ts'
import { startPostel } from './system.ts'
import { CannotRunError, findTool } from './tools.ts'

export const usage = 'nodes [--count 4] [--backlog 40000] [--json]'

export const flags = {
  count: { type: 'string', default: '4' },
  backlog: { type: 'string', default: '40000' },
  json: { type: 'boolean', default: false },
} satisfies ParseArgsOptionsConfig

const router = '10.9.0.1'
const ipsPerNode = 2
const stallSeconds = 90

type Measured = {
  nodes: number
  drain_per_s: number
  cpu_ms_per_message: Record<string, number>
  /** Of all nodes together. */
  connections: number
  /** Tried from an IP that another node had. */
  astray: number
  lost: number
  duplicated: number
}

/** Measures 1, 2, 4 … up to `count` nodes on a fresh system each; resolves with false when mail was lost or left from a wrong IP. */
export async function run(given: Flags, cleanup: Cleanup): Promise<boolean> {
  const most = count(given, 'count', 1, 32)
  const backlog = count(given, 'backlog', 10, 10_000_000)
  findTool('smtp-sink')
  const whyNot = whyNoMachines()
  if (whyNot) throw new CannotRunError(`This benchmark makes its nodes out of network namespaces: ${whyNot}.`)
  const runs: Measured[] = []
  for (let nodes = 1; nodes <= most; nodes = nodes < most ? Math.min(nodes * 2, most) : most + 1) {
    runs.push(await measure(nodes, backlog, cleanup))
    progress(`${nodes} nodes: ${figure(runs.at(-1)!.drain_per_s)}/s`)
  }
  const result = { backlog, runs, last_over_first: runs.at(-1)!.drain_per_s / runs[0]!.drain_per_s }
  console.log(`\nnodes: ${backlog} messages of 4096 bytes, ${ipsPerNode} IPs a node, no DKIM\n${machine()}\n`)
  printTable([
    ['nodes', 'messages/s', 'CPU ms/msg of the nodes', 'of Postgres', 'connections', 'lost', 'dup'],
    ...runs.map(({ nodes, drain_per_s, cpu_ms_per_message: cpu, connections, lost, duplicated }) => [
      `${nodes}`,
      figure(drain_per_s),
      figure(cpu.nodes!),
      figure(cpu.postgres!),
      `${connections}`,
      `${lost}`,
      `${duplicated}`,
    ]),
  ])
  if (given.json) console.log(JSON.stringify(rounded(result)))
  return runs.every(({ lost, astray }) => lost <= 0 && astray === 0)
}

async function measure(count: number, backlog: number, whole: Cleanup): Promise<Measured> {
  const cleanup = new Cleanup()
  const end = whole.defer(() => cleanup.run())
  const directory = makeThrowAwayDirectory('postel-bench-')
  cleanup.defer(async () => directory.remove())
  const network = makeNetwork(count)
  cleanup.defer(async () => network.remove())
  const sink = await startSinkOn(cleanup, directory.path, network.router.namespace, router)
  const postel = await startPostel(cleanup, { directory: directory.path, sinkPort: sink.port, dkim: 'none' })
  const { outbound: _, ...others } = postel.roots()
  await postel.stop('outbound')
  await postel.sql`update postel.ip_addresses set state = 'retired'`
  const names = network.nodes.map((node, index) => {
    const addresses = Array.from(
      { length: ipsPerNode },
      (_, ip) => `203.0.113.${1 + index * ipsPerNode + ip}`,
    )
    for (const address of addresses) node.ip(`address add ${address}/32 dev eth0`)
    return { name: `node${index + 1}`, namespace: node.namespace, addresses }
  })
  for (const { name, addresses } of names)
    await postel.sql`
      insert into postel.ip_addresses (pool_id, address, ehlo_name, node_name)
      select p.id, a, 'out.s.test', ${name}
      from postel.ip_pools p, unnest(${addresses}::inet[]) as a
      where p.is_default`
  const since = await now(postel)
  await fillQueue(postel, backlog)
  await postel.sql`checkpoint`

  const before = cpuOf(others)
  const started: Child[] = []
  let first: { count: number; at: number } | undefined
  const arriving = sink.reach(backlog, stallSeconds, (seen) => (first ??= seen))
  for (const { name, namespace } of names)
    started.push(postel.startNode(name, namespace, `smtp://${router}:${sink.port}`))
  const reached = await arriving
  if (!(await postel.becomesIdle())) progress('the queue is not empty after the run')
  const after = {
    ...cpuOf(postel.rootsBeside()),
    nodes: sum(cpuOf(Object.fromEntries(started.map(({ pid }) => [pid, pid])))),
  }
  const delivered = await countDelivered(postel, since)
  const [row] = await postel.sql<{ connections: number; astray: number }[]>`
    select
      (select count(*)::int from pg_stat_activity s where s.application_name like 'postel-outbound%') as connections,
      (
        select count(*)::int
        from postel.attempts t
        join postel.ip_addresses a on a.id = t.ip_id
        left join postel.ip_holders h on h.ip_id = a.id
        left join postel.outbound_processes p on p.id = h.process_id
        where p.node_name is distinct from a.node_name
      ) as astray`
  if (delivered < backlog) progress(`not everything was delivered:\n${await postel.diagnose()}`)
  const received = sink.count()
  await end()
  return {
    nodes: count,
    drain_per_s: rate(reached.count - first!.count, first!.at, reached.at),
    cpu_ms_per_message: perMessage({ ...before, nodes: 0 }, after, backlog),
    connections: row!.connections,
    astray: row!.astray,
    lost: backlog - delivered,
    duplicated: received - delivered,
  }
}

function sum(values: Record<string, number>): number {
  return Object.values(values).reduce((total, value) => total + value, 0)
}
