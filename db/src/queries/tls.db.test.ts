import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from '../client.ts'
import { createTestDatabase } from '../testing/create-test-database.ts'
import { type StoredPolicy, TlsQueries, type TlsResultCount } from './tls.ts'

let sql: Sql
let queries: TlsQueries
let drop: () => Promise<void>

beforeAll(async () => {
  const database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 4 })
  queries = new TlsQueries(sql)
  drop = () => database.drop()
})

afterAll(async () => {
  await sql.end({ timeout: 1 })
  await drop()
})

const hour = 3_600_000
const today = new Date().toISOString().slice(0, 10)

function policy(domain: string, fetchedHoursAgo: number, bindsForHours: number): StoredPolicy {
  return {
    domain,
    policyId: `id${fetchedHoursAgo}`,
    policy: `the file of ${fetchedHoursAgo}`,
    fetchedAt: new Date(Date.now() - fetchedHoursAgo * hour),
    expiresAt: new Date(Date.now() + bindsForHours * hour),
  }
}

test('of a domain the policy that was fetched last is kept, in whatever order they come', async () => {
  for (const fetched of [3, 1, 2]) await queries.savePolicy(policy('order.test', fetched, 5))
  const kept = await queries.policies(new Date(0))
  expect(kept.map(({ domain, policyId }) => [domain, policyId])).toEqual([['order.test', 'id1']])
})

test('only what was fetched since, and binds still, is read; what has expired is forgotten', async () => {
  await queries.savePolicy(policy('gone.test', 9, -1))
  await queries.savePolicy(policy('old.test', 8, 5))
  await queries.savePolicy(policy('new.test', 0, 5))
  const since = await queries.policies(new Date(Date.now() - 4 * hour))
  expect(since.map(({ domain }) => domain)).toEqual(['order.test', 'new.test'])
  const rows = await sql`select domain from postel.mta_sts_policies where domain = 'gone.test'`
  expect(rows).toHaveLength(0)
})

function count(sessions: number, more: Partial<TlsResultCount> = {}): TlsResultCount {
  return {
    day: today,
    policyDomain: 'dest.test',
    policyType: 'sts',
    mxHost: 'mx.dest.test',
    ipId: 1,
    result: 'success',
    sessions,
    ...more,
  }
}

test('counts of several processes add up, whatever the order of their rows', async () => {
  const rows = Array.from({ length: 50 }, (_, n) => count(1, { mxHost: `mx${n}.dest.test` }))
  await Promise.all(
    [rows, [...rows].reverse(), rows, [...rows].reverse()].map((part) => queries.addResults(part)),
  )
  const [row] = await sql`
    select count(*)::int as rows, min(sessions)::int as least, max(sessions)::int as most from postel.tls_results`
  expect({ ...row }).toEqual({ rows: 50, least: 4, most: 4 })
})

test('days that are too old for a report are forgotten', async () => {
  await queries.addResults([count(1, { day: '2020-01-01' })])
  await queries.addResults([count(1)])
  expect(await sql`select from postel.tls_results where day < '2021-01-01'`).toHaveLength(0)
})
