/** The manager and the providers together, over HTTP: nodes are found on their servers, IPs reach them, and faults on the way only delay. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { until } from '@postel/db/testing/factories'
import { createLogger } from '@postel/runtime/logger'
import { readConfig } from '../config.ts'
import { IpManagerService } from '../service.ts'
import type { CloudServer } from '../testing/cloud-server.ts'
import { FakeHetzner } from '../testing/fake-hetzner.ts'
import { FakeUpCloud } from '../testing/fake-upcloud.ts'

let database: TestDatabase
let sql: Sql
let cloud: CloudServer | undefined
let manager: IpManagerService | undefined

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 1 })
  await sql`insert into postel.ip_pools (name) values ('clouds')`
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
afterEach(async () => {
  await manager?.stop()
  cloud?.stop()
  await sql`truncate postel.ip_addresses, postel.ip_moves, postel.nodes, postel.ip_checks cascade`
})

const addresses = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']

/** Two nodes that live, and four IPs that nobody has; the manager with these settings. */
async function manage(env: NodeJS.ProcessEnv): Promise<void> {
  for (const [name, address] of [
    ['node-a', '10.0.0.1'],
    ['node-b.mail.test', '10.0.0.2'],
  ] as const)
    await sql`
      insert into postel.nodes (name, last_seen_at, alive_since, addresses)
      values (${name}, now() + interval '1 hour', now() - interval '1 hour', array[${address}::text::inet])`
  for (const address of addresses)
    await sql`
      insert into postel.ip_addresses (pool_id, address)
      select min(id), ${address}::text::inet from postel.ip_pools`
  const config = readConfig({
    DATABASE_URL: database.url,
    DNS_SERVERS: '127.0.0.1:1',
    DNS_TIMEOUT_MS: '50',
    METRICS_PORT: '0',
    IP_MANAGER_LIST_SECONDS: '1',
    ...env,
  })
  manager = new IpManagerService(config, createLogger('test', 'silent'), { graceMs: 0, lookEveryMs: 100 })
  await manager.start()
}

const assigned = () => sql<{ address: string; node: string }[]>`
  select host(address) as address, node_name as node from postel.ip_addresses
  where node_name is not null and moving_to is null
  order by 1`

test('Hetzner Cloud', async () => {
  const hetzner = await new FakeHetzner().start()
  cloud = hetzner
  hetzner.servers = [
    { id: 1, name: 'node-a' },
    { id: 2, name: 'node-b' },
    { id: 3, name: 'database' },
  ]
  hetzner.floatingIps = addresses.map((ip, id) => ({ id, ip, type: 'ipv4', server: null }))
  hetzner.troubles = [
    { when: /GET \/servers/, does: { status: 503 } },
    { when: /assign/, does: 'reset after' },
    { when: /assign/, does: { status: 423, body: { error: { code: 'locked', message: 'x' } } } },
    { when: /GET \/actions/, does: { status: 502 } },
  ]
  await manage({ IP_PROVIDER: 'hetzner', HETZNER_TOKEN: hetzner.token, IP_PROVIDER_URL: hetzner.url })
  await until(async () => (await assigned()).length === 4, 30)
  const names = { 1: 'node-a', 2: 'node-b.mail.test' }
  expect(await assigned()).toEqual(
    hetzner.floatingIps.map(({ ip, server }) => ({ address: ip, node: names[server as 1 | 2] })),
  )
  expect(hetzner.floatingIps.filter(({ server }) => server === 1)).toHaveLength(2)
  expect(hetzner.troubles).toEqual([])
})

test('UpCloud', async () => {
  const upcloud = await new FakeUpCloud().start()
  cloud = upcloud
  upcloud.servers = ['a', 'b'].map((letter) => ({
    uuid: `00000000-0000-4000-8000-00000000000${letter}`,
    // One is found by its address
    hostname: letter === 'a' ? 'node-a' : 'mail-2',
    interfaces: [
      { index: 1, mac: `de:ff:ff:ff:00:0${letter}`, type: 'public', families: ['IPv4'] },
      { index: 2, mac: `de:ff:ff:ff:01:0${letter}`, type: 'private', families: ['IPv4'] },
    ],
  }))
  upcloud.addresses = [
    ...addresses.map((address) => ({ address, floating: true })),
    { address: '10.0.0.2', access: 'private', mac: 'de:ff:ff:ff:01:0b' },
  ]
  upcloud.troubles = [
    { when: /GET \/ip_address$/, does: 'garbage' },
    { when: /PATCH/, does: 'reset after' },
    { when: /PATCH/, does: { status: 429, headers: { 'retry-after': '1' } } },
  ]
  await manage({ IP_PROVIDER: 'upcloud', UPCLOUD_TOKEN: upcloud.token, IP_PROVIDER_URL: upcloud.url })
  await until(async () => (await assigned()).length === 4, 30)
  const names = { 'de:ff:ff:ff:00:0a': 'node-a', 'de:ff:ff:ff:00:0b': 'node-b.mail.test' } as Record<
    string,
    string
  >
  expect(await assigned()).toEqual(
    upcloud.addresses.slice(0, 4).map(({ address, mac }) => ({ address, node: names[mac!] })),
  )
  expect(upcloud.addresses.filter(({ mac }) => mac === 'de:ff:ff:ff:00:0a')).toHaveLength(2)
  expect(upcloud.troubles).toEqual([])
})
