/** When source IPs are looked at in DNS, what stands in the database and in the metrics afterwards, and what a fault changes. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { dueIpChecks } from '@postel/db/queries/ip-checks'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { createLogger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import type { Dns } from './check-ip.ts'
import { IpCheckEvents } from './events.ts'
import { IpChecks } from './ip-checks.ts'

let database: TestDatabase
let sql: Sql
/** By address and by name; a missing one does not exist. */
let names: Record<string, string[]> = {}
let fails = false
let asked: string[] = []

const ask = async (key: string) => {
  asked.push(key)
  if (fails) throw Object.assign(new Error('queryPtr ETIMEOUT'), { code: 'ETIMEOUT' })
  return names[key] ?? []
}
const dns: Dns = { ptr: ask, addresses: ask }
const registry = createRegistry('test')
const { signal } = new AbortController()
let checks: IpChecks

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
  await sql`insert into postel.ip_pools (name) values ('checks')`
  const events = new IpCheckEvents(createLogger('test', 'silent'), registry)
  checks = new IpChecks({ sql, dns, ehloName: 'mail.test', events })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
afterEach(async () => {
  await sql`delete from postel.ip_addresses`
  names = {}
  fails = false
  asked = []
})

async function add(address: string, ehloName: string | null = null, state = 'active'): Promise<void> {
  await sql`
    insert into postel.ip_addresses (pool_id, address, ehlo_name, state)
    select min(id), ${address}::text::inet, ${ehloName}, ${state} from postel.ip_pools`
}

async function dnsOf(address: string): Promise<string | null> {
  const [row] = await sql<{ dns: string | null }[]>`
    select dns from postel.ips_now where address = ${address}::text::inet`
  return row!.dns
}

async function gauges(): Promise<Record<string, number>> {
  const { values } = await registry.getSingleMetric('postel_ip_dns_ok')!.get()
  return Object.fromEntries(values.map(({ labels, value }) => [`${labels.ip} ${labels.check}`, value]))
}

/** As if the time until the next look had passed. */
function wait(minutes: number): Promise<unknown> {
  return sql`update postel.ip_checks set due_at = due_at - make_interval(mins => ${minutes})`
}

test('a new IP is looked at at once, and shown with what is wrong', async () => {
  names = { '192.0.2.1': ['mail.test'], 'mail.test': ['192.0.2.1'], '2001:db8::5': ['six.test'] }
  await add('192.0.2.1')
  await add('2001:db8::5', 'six.test')
  await add('192.0.2.9', null, 'retired')
  await checks.look(signal)
  expect(await dnsOf('192.0.2.1')).toBe('ok')
  expect(await dnsOf('2001:db8::5')).toMatch(/^The reverse name six\.test of 2001:db8::5 does not lead back/)
  expect(await dnsOf('192.0.2.9')).toBeNull()
  expect(await gauges()).toEqual({
    '192.0.2.1 ptr': 1,
    '192.0.2.1 forward': 1,
    '192.0.2.1 ehlo': 1,
    '2001:db8::5 ptr': 1,
    '2001:db8::5 forward': 0,
    '2001:db8::5 ehlo': 1,
  })
})

test('what is right is looked at each hour, what is wrong sooner, and what has another name at once', async () => {
  names = { '192.0.2.1': ['mail.test'], 'mail.test': ['192.0.2.1'] }
  await add('192.0.2.1')
  await add('192.0.2.2')
  await checks.look(signal)
  const due = async () => (await dueIpChecks(sql, 'mail.test', 10)).map(({ address }) => address)
  expect(await due()).toEqual([])
  await wait(11)
  expect(await due()).toEqual(['192.0.2.2'])
  await wait(50)
  expect(await due()).toEqual(['192.0.2.2', '192.0.2.1'])
  await checks.look(signal)
  await sql`update postel.ip_addresses set ehlo_name = 'other.test' where address = '192.0.2.1'`
  expect(await due()).toEqual(['192.0.2.1'])
  await checks.look(signal)
  expect(await dnsOf('192.0.2.1')).toMatch(
    /^In EHLO 192\.0\.2\.1 says other\.test, but its reverse name is mail\.test/,
  )
})

test('where DNS does not answer, what was known stands, and it is looked at soon again', async () => {
  names = { '192.0.2.1': ['mail.test'], 'mail.test': ['192.0.2.1'] }
  await add('192.0.2.1')
  await checks.look(signal)
  fails = true
  await add('192.0.2.2')
  await wait(61)
  await checks.look(signal)
  expect(await dnsOf('192.0.2.1')).toBe('ok')
  expect(await dnsOf('192.0.2.2')).toBe('DNS could not tell: ETIMEOUT')
  expect(Object.keys(await gauges())).toEqual(['192.0.2.1 ptr', '192.0.2.1 forward', '192.0.2.1 ehlo'])
  fails = false
  asked = []
  await checks.look(signal)
  expect(asked).toEqual([])
  await wait(6)
  await checks.look(signal)
  expect(await dnsOf('192.0.2.2')).toMatch(/has no reverse name/)
})

test('an abort does not wait for a DNS that is silent, and takes the metrics away', async () => {
  await add('192.0.2.1')
  const stop = new AbortController()
  const silent: Dns = {
    ptr: () => {
      stop.abort()
      return new Promise(() => {})
    },
    addresses: ask,
  }
  const events = new IpCheckEvents(createLogger('test', 'silent'), createRegistry('silent'))
  await new IpChecks({ sql, dns: silent, ehloName: null, events }).run(stop.signal)
  const rows = await sql`select ip_id from postel.ip_checks`
  expect(rows.length).toBe(0)
})

test('more IPs than are looked at at once are all looked at', async () => {
  for (let last = 1; last <= 25; last++) await add(`192.0.2.${last}`)
  await checks.look(signal)
  expect(await dueIpChecks(sql, 'mail.test', 10)).toEqual([])
  expect(Object.keys(await gauges())).toHaveLength(75)
})
