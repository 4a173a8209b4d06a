/** The running IP manager looks source IPs up in DNS, over the wire, and says what receivers of mail would find wrong. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { AppProcess } from '../ledger/app-process.ts'
import { FakeDns } from '../support/fake-dns.ts'
import { waitUntilEqual } from '../support/wait-for.ts'

let database: TestDatabase
let sql: Sql
let dns: FakeDns
let manager: AppProcess
let directory: string

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 1 })
  dns = await FakeDns.start({
    '1.2.0.192.in-addr.arpa': { PTR: ['out1.test'] },
    'out1.test': { A: ['192.0.2.1'] },
    '2.2.0.192.in-addr.arpa': { PTR: ['out2.test'] },
    'out2.test': { A: ['198.51.100.2'] },
    '5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa': { PTR: ['mail.test'] },
    'mail.test': { AAAA: ['2001:db8::25'] },
    '4.2.0.192.in-addr.arpa': { fails: 'SERVFAIL' },
  })
  directory = await mkdtemp(join(tmpdir(), 'postel-ip-dns-'))
  await sql`insert into postel.ip_pools (name) values ('dns')`
  for (const [address, ehloName] of [
    ['192.0.2.1', 'out1.test'],
    ['192.0.2.2', 'out2.test'],
    ['192.0.2.3', 'out3.test'],
    ['192.0.2.4', 'out4.test'],
    ['2001:db8::25', null],
  ] as const)
    await sql`
      insert into postel.ip_addresses (pool_id, address, ehlo_name)
      select min(id), ${address}::text::inet, ${ehloName} from postel.ip_pools`
  manager = new AppProcess(
    'manager',
    'ip-manager',
    {
      DATABASE_URL: database.url,
      POSTEL_HOSTNAME: 'mail.test',
      DNS_SERVERS: dns.address,
      METRICS_PORT: '0',
    },
    join(directory, 'log'),
  )
  await manager.start()
})
afterAll(async () => {
  await manager.end('SIGTERM')
  await sql.end({ timeout: 1 })
  await database.drop()
  await dns.stop()
  await rm(directory, { recursive: true })
})

test('what is wrong is shown for each IP, in IPv4 and IPv6; what DNS cannot tell is not called wrong', async () => {
  const look = async () => {
    const rows = await sql<{ address: string; ptr: boolean; forward: boolean; ehlo: boolean; dns: string }[]>`
      select
        host(n.address) as address, c.ptr_ok as ptr, c.forward_ok as forward, c.ehlo_ok as ehlo,
        split_part(n.dns, ':', 1) as dns
      from postel.ips_now n
      join postel.ip_addresses a using (address)
      left join postel.ip_checks c on c.ip_id = a.id
      order by n.address`
    return rows.map((row) => [row.address, row.ptr, row.forward, row.ehlo, row.dns])
  }
  await waitUntilEqual(look, [
    ['192.0.2.1', true, true, true, 'ok'],
    [
      '192.0.2.2',
      true,
      false,
      true,
      'The reverse name out2.test of 192.0.2.2 does not lead back to it (it leads to 198.51.100.2)',
    ],
    [
      '192.0.2.3',
      false,
      false,
      false,
      '192.0.2.3 has no reverse name, and many receivers refuse mail from it',
    ],
    ['192.0.2.4', null, null, null, 'DNS could not tell'],
    ['2001:db8::25', true, true, true, 'ok'],
  ])
  expect(dns.questions).toContain('PTR 1.2.0.192.in-addr.arpa')
  // What is found is written down first, and then told
  const told = async () => {
    const lines = (await readFile(join(directory, 'log'), 'utf8')).split('\n').slice(0, -1)
    return lines
      .map((line) => JSON.parse(line) as { event: string; ip: string })
      .filter(({ event }) => event === 'ip_dns_wrong')
      .map(({ ip }) => ip)
      .sort()
  }
  await waitUntilEqual(told, ['192.0.2.2', '192.0.2.3'])
})
