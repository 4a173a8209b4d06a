/** What senders read of their mail, also of mail that came without the REST API. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from '../client.ts'
import { createTestDatabase, type TestDatabase } from '../testing/create-test-database.ts'
import { findEmail, listEmails, readStoredMessage, type Tenant } from './emails.ts'

let database: TestDatabase
let sql: Sql
let tenant: Tenant

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
  const [row] = await sql<Tenant[]>`
    with pool as (insert into postel.ip_pools (name) values ('test') returning id),
    ip as (insert into postel.ip_addresses (pool_id, address) select id, '10.0.0.1' from pool),
    organization as (insert into postel.organizations (name) values ('test') returning id),
    domain as (
      insert into postel.domains (organization_id, name, status)
      select id, 'example.test', 'verified' from organization
    )
    insert into postel.projects (organization_id, name, pool_id)
    select o.id, 'test', p.id from organization o, pool p
    returning organization_id as "organizationId", id as "projectId"`
  tenant = row!
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})

async function send(...recipients: string[]): Promise<string> {
  const [row] = await sql<{ id: string }[]>`
    select postel.send('Ann <ann@example.test>', ${recipients}, 'subject', 'text') as id`
  return row!.id
}

test('mail from psql shows its envelope as its recipients', async () => {
  const id = await send('bob@dest.test', 'carol@other.test')
  expect(await findEmail(sql, tenant, id)).toMatchObject({
    id,
    subject: 'subject',
    details: null,
    envelopeTo: ['bob@dest.test', 'carol@other.test'],
    lastEvent: 'queued',
    scheduledAt: null,
    recipients: [
      { email: 'bob@dest.test', state: 'queued', attempts: 0, lastReply: null },
      { email: 'carol@other.test', state: 'queued', attempts: 0, lastReply: null },
    ],
  })
})

test('the stored message is given back, and to its tenant only', async () => {
  const id = await send('bob@dest.test')
  expect((await readStoredMessage(sql, tenant, id))!.toString()).toContain('To: bob@dest.test\r\n')
  for (const field of ['organizationId', 'projectId'] as const) {
    const other = { ...tenant, [field]: '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e' }
    expect(await readStoredMessage(sql, other, id)).toBeUndefined()
    expect(await findEmail(sql, other, id)).toBeUndefined()
    expect(await listEmails(sql, other, { limit: 100 })).toEqual({ rows: [], hasMore: false, lookedTo: null })
  }
})

describe('the last state', () => {
  test.each<[string, [string, string][], string]>([
    [
      'of the recipient that changed last',
      [
        ['delivered', '2 min'],
        ['deferred', '1 min'],
      ],
      'deferred',
    ],
    [
      'whatever the order of the recipients',
      [
        ['bounced', '1 min'],
        ['delivered', '2 min'],
      ],
      'bounced',
    ],
    [
      'a final one of two of one moment',
      [
        ['suppressed', '1 min'],
        ['queued', '1 min'],
      ],
      'suppressed',
    ],
    [
      'the later recipient of two of one moment',
      [
        ['delivered', '1 min'],
        ['bounced', '1 min'],
      ],
      'bounced',
    ],
  ])('%s', async (_, states, expected) => {
    const id = await send(...states.map((_, index) => `r${index}@dest.test`))
    for (const [index, [state, age]] of states.entries())
      await sql`
        update postel.deliveries set state = ${state}, attempts = 1, updated_at = date_trunc('day', now()) - ${age}::interval
        where message_id = ${id} and number = ${index + 1}`
    expect((await findEmail(sql, tenant, id))!.lastEvent).toBe(expected)
  })
})

test('a list comes in order from both sides', async () => {
  const ids: string[] = []
  for (let count = 0; count < 5; count++) ids.unshift(await send('bob@dest.test'))
  const [oldest, newest] = [ids.at(-1)!, ids[0]!]
  const read = async (page: Parameters<typeof listEmails>[2]) => {
    const { rows, hasMore } = await listEmails(sql, tenant, page)
    return { ids: rows.map(({ id }) => id), hasMore }
  }
  expect(await read({ limit: 3 })).toEqual({ ids: ids.slice(0, 3), hasMore: true })
  expect(await read({ limit: 3, after: newest })).toEqual({ ids: ids.slice(1, 4), hasMore: true })
  expect(await read({ limit: 3, before: oldest })).toEqual({ ids: ids.slice(1, 4), hasMore: true })
  expect(await read({ limit: 4, before: oldest })).toEqual({ ids: ids.slice(0, 4), hasMore: false })
  expect(await read({ limit: 3, before: newest })).toEqual({ ids: [], hasMore: false })
})
