/** The destination rules that are shipped: renewed by each migration, beside the operator's own. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { migrate } from './migrate.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'

let database: TestDatabase
let sql: Sql

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 1 })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})

const rules = async () => [
  ...(await sql`
    select name, origin, domains, mx, connections_max, messages_per_connection, recipients_per_transaction, smarthost, note
    from postel.destination_rules order by name, origin`),
]

test('each names where its figures come from, and no domain or mail exchanger stands in two', async () => {
  const shipped = await rules()
  expect(shipped.map((rule) => rule.name)).toEqual([
    ...[
      'apple',
      'comcast',
      'default',
      'gmx',
      'google',
      'mailru',
      'microsoft',
      'microsoft365',
      'orange',
      'yahoo',
    ],
  ])
  for (const rule of shipped) {
    expect(rule.note).toMatch(/\w/)
    for (const name of [...rule.domains, ...rule.mx]) expect(name).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/)
  }
  for (const column of ['domains', 'mx'] as const) {
    const all = shipped.flatMap((rule) => rule[column])
    expect(all).toHaveLength(new Set(all).size)
  }
})

test('a migration makes them what they are in this version, and leaves the operator’s rules', async () => {
  const before = await rules()
  await sql`update postel.destination_rules set connections_max = 999, domains = '{}' where name = 'google'`
  await sql`insert into postel.destination_rules (name, origin) values ('of yesterday', 'shipped')`
  await sql`
    insert into postel.destination_rules (name, domains, connections_max)
    values ('google', '{gmail.com}', 3), ('partner', '{partner.test}', 7)`
  await migrate(database.url)
  expect(await rules()).toEqual(
    [
      ...before,
      { ...empty, name: 'google', domains: ['gmail.com'], connections_max: 3 },
      { ...empty, name: 'partner', domains: ['partner.test'], connections_max: 7 },
    ].sort((a, b) => `${a.name} ${a.origin}`.localeCompare(`${b.name} ${b.origin}`)),
  )
})

const empty = {
  origin: 'operator',
  mx: [],
  messages_per_connection: null,
  recipients_per_transaction: null,
  smarthost: null,
  note: null,
}
