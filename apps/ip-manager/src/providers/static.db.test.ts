/** The manager where interface agents move addresses: one that a person has put on, and that no agent takes off, stays there. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { reportAddresses } from '@postel/db/queries/fleet'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { makeTenant, until } from '@postel/db/testing/factories'
import { createLogger } from '@postel/runtime/logger'
import { readConfig } from '../config.ts'
import { IpManagerService } from '../service.ts'
import { FakeCloud, FakeNode } from '../testing/fake-cloud.ts'
import { Static } from './static.ts'

let database: TestDatabase
let sql: Sql
const started: { stop(): Promise<void> }[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 3 })
})
afterAll(async () => {
  for (const each of started.reverse()) await each.stop()
  await sql.end({ timeout: 1 })
  await database.drop()
})

test('a planned move of it is given up, its node sends again, and people see why', async () => {
  const { ips } = await makeTenant(sql, { ips: 2 })
  const [byHand, byAgent] = ips.map(({ address }) => address) as [string, string]
  // What is on which interface
  const network = new FakeCloud()
  for (const address of [byHand, byAgent]) network.attached.set(address, 'id-n1')
  const nodes = ['n1', 'n2'].map((name) => new FakeNode(name, network, database.url))
  for (const node of nodes) {
    await node.start()
    started.push(node, startAgent(node.name, network, byHand))
  }
  const manager = new IpManagerService(
    readConfig({
      DATABASE_URL: database.url,
      METRICS_PORT: '0',
      METRICS_HOST: '127.0.0.1',
      IP_MANAGER_SETTLE_SECONDS: '3600',
    }),
    createLogger('ip-manager', 'silent'),
    {
      createProvider: (_config, readFleet) => new Static({ readFleet, waitMs: 10 }),
      graceMs: 0,
      lookEveryMs: 100,
    },
  )
  started.push(manager)
  await manager.start()
  const held = () => Object.fromEntries(nodes.map((node) => [node.name, node.held]))
  await until(() => held().n1!.length === 2, 10)

  await sql`select postel.drain_node('n1')`
  // One after the other: half of a pool stays
  await until(() => held().n2!.includes(byAgent) && held().n1!.includes(byHand), 45)
  const why = `${byHand} is still on an interface of n1, whose agent takes off only what it has put on`
  // Whichever of the two was begun first
  await until(async () => {
    const [row] = await sql`select state from postel.ip_moves_now where address = ${byHand}`
    return row?.state === 'cancelled'
  }, 45)
  const [move] = await sql`select state, "to", error from postel.ip_moves_now where address = ${byHand}`
  expect(move).toEqual({ state: 'cancelled', to: 'n2', error: why })
  const placement = async () => {
    const [placed] = await sql`select placement from postel.ips_now where address = ${byHand}`
    return placed!.placement
  }
  await until(async () => (await placement()) === `node draining: given up for now: ${why}`, 10)
  // Its node takes it again at its next look
  await until(() => held().n1!.length > 0, 10)
  expect(held()).toEqual({ n1: [byHand], n2: [byAgent] })
})

/** The interface agent of a node; one address is not its own. */
function startAgent(name: string, network: FakeCloud, foreign: string): { stop(): Promise<void> } {
  const stopped = new AbortController()
  const running = (async () => {
    while (!stopped.signal.aborted) {
      for (const { address, wanted } of await reportAddresses(sql, name, network.of(name)))
        if (address !== foreign) network.attached.set(address, wanted ? `id-${name}` : null)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })()
  return {
    stop: async () => {
      stopped.abort()
      await running
    },
  }
}
