/** When DNS is looked at again, and what looks say that come late. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { makeTenant, type Tenant, unique } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let tenant: Tenant

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
  tenant = await makeTenant(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})

type Options = {
  status?: string
  ageDays?: number
  failingDays?: number
  keyDays?: number
  vouched?: boolean
}

async function makeDomain({ status = 'pending', ageDays = 0, failingDays, keyDays, vouched }: Options = {}) {
  const [domain] = await sql<{ id: string }[]>`
    insert into postel.domains (organization_id, name, status, verification_token, created_at, failing_since)
    values (
      ${tenant.organizationId}, ${`${unique('d')}.test`}, ${status}, ${vouched ? null : 'token'},
      now() - make_interval(days => ${ageDays}), now() - make_interval(days => ${failingDays ?? null}::int)
    )
    returning id`
  if (keyDays !== undefined)
    await sql`
      insert into postel.dkim_keys (domain_id, selector, algorithm, private_key, public_key, active, created_at)
      values (${domain!.id}, 'new', 'rsa-sha256', '', '', false, now() - make_interval(days => ${keyDays}))`
  return domain!.id
}

test.each<[string, Options, boolean, number | null]>([
  ['a new domain', {}, false, 5],
  ['a domain of yesterday', { ageDays: 2 }, false, 60],
  ['a domain that nobody sets up', { ageDays: 40 }, false, 1440],
  ['a domain that is verified', { status: 'verified', ageDays: 40 }, false, 1440],
  ['a domain that is verified, after no answer', { status: 'verified', ageDays: 40 }, true, 60],
  ['a domain whose proof is gone', { status: 'verified', ageDays: 40, failingDays: 0 }, false, 60],
  ['a domain with new keys', { status: 'verified', ageDays: 40, keyDays: 0 }, false, 5],
  ['a domain whose new keys are not set', { status: 'verified', ageDays: 40, keyDays: 3 }, false, 1440],
  ['a lost domain', { status: 'failed', ageDays: 90, failingDays: 2 }, false, 60],
  ['a domain that is lost for long', { status: 'failed', ageDays: 90, failingDays: 40 }, false, 1440],
  ['a domain that an operator vouches for', { status: 'verified', vouched: true }, false, null],
  ['the same with new keys', { status: 'verified', vouched: true, keyDays: 0 }, false, 5],
])('%s is looked at again in time', async (_name, options, unsure, minutes) => {
  const id = await makeDomain(options)
  const [row] = await sql<{ minutes: number | null }[]>`
    select extract(epoch from postel.next_domain_check(d, ${unsure}) - now())::float8 / 60 as minutes
    from postel.domains d where d.id = ${id}`
  if (minutes === null) return expect(row!.minutes).toBeNull()
  expect(row!.minutes! / minutes).toBeGreaterThan(0.89)
  expect(row!.minutes! / minutes).toBeLessThan(1.11)
})

async function record(id: string, proof: string, { token = 'token', ago = 0 } = {}): Promise<string | null> {
  const check = {
    proof,
    records: [],
    shown: [],
    absent: [],
    returnPath: null,
    receiving: null,
    tracking: null,
  }
  const [row] = await sql<{ status: string | null }[]>`
    select postel.record_domain_check(
      ${id}, ${token}, clock_timestamp() - make_interval(secs => ${ago}), ${JSON.stringify(check)}::text::jsonb
    ) as status`
  return row!.status
}

test('a look at a token that is no longer the one says nothing', async () => {
  const id = await makeDomain()
  expect(await record(id, 'proved', { token: 'former' })).toBeNull()
  const [row] = await sql`select status from postel.domains where id = ${id}`
  expect(row!.status).toBe('pending')
})

test('a look that began before a later one ended does not overrule it', async () => {
  const id = await makeDomain()
  expect(await record(id, 'proved')).toBe('verified')
  expect(await record(id, 'missing', { ago: 60 })).toBeNull()
  expect(await record(id, 'missing')).toBe('partially_failed')
})

test('three looks within a day do not lose a domain, nor do two over a longer time, nor many without an answer', async () => {
  const id = await makeDomain()
  await record(id, 'proved')
  for (let look = 0; look < 5; look++) expect(await record(id, 'missing')).toBe('partially_failed')
  expect(await record(id, 'proved')).toBe('verified')
  await record(id, 'missing')
  await sql`update postel.domains set failing_since = now() - interval '3 days' where id = ${id}`
  for (let look = 0; look < 5; look++) expect(await record(id, 'unknown')).toBe('partially_failed')
  expect(await record(id, 'missing')).toBe('partially_failed')
  expect(await record(id, 'missing')).toBe('failed')
})

test('a domain that an operator vouches for is not lost', async () => {
  const id = await makeDomain({ status: 'verified', vouched: true })
  for (let look = 0; look < 4; look++) {
    const [row] = await sql<{ status: string }[]>`
      select postel.record_domain_check(
        ${id}, null, clock_timestamp(), '{"proof": "missing", "records": [], "shown": [], "absent": []}'
      ) as status`
    expect(row!.status).toBe('verified')
  }
})
