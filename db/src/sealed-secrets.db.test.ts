/** Passwords of smarthosts under POSTEL_SECRET: they come under a new one, and tell a wrong one. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { openSmarthost, sealSmarthost } from '@postel/runtime/sealed-smarthost'
import { createSecretBox, type SecretBox } from '@postel/runtime/secret-box'
import { connect, type Sql } from './client.ts'
import { requireSecret, resealSecrets } from './sealed-secrets.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'

const [old, next] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]
const before = createSecretBox(old)
const both = createSecretBox(next, old)
const after = createSecretBox(next)

let database: TestDatabase
let sql: Sql

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(() => sql`delete from postel.destination_rules where origin = 'operator'`)

const addRule = (name: string, smarthost: string) =>
  sql`insert into postel.destination_rules (name, smarthost) values (${name}, ${smarthost})`

async function smarthosts(): Promise<string[]> {
  const rows = await sql<{ smarthost: string }[]>`
    select r.smarthost from postel.destination_rules r where r.smarthost is not null order by r.name`
  return rows.map(({ smarthost }) => smarthost)
}

const sealedFor = (user: string, box: SecretBox) => sealSmarthost(`smtp://${user}:secret@relay.test:587`, box)

test('those under the previous secret come under the new one; a plain one, and one that nothing opens, stay', async () => {
  const moved = sealedFor('d', before).replace('relay.test', 'evil.test')
  const current = sealedFor('e', both)
  await addRule('a', sealedFor('a', before))
  await addRule('b', 'smtp://us:plain@relay.test')
  await addRule('c', sealedFor('c', before))
  await addRule('d', moved)
  await addRule('e', current)
  await addRule('f', 'smtp://relay.test')
  expect(await resealSecrets(sql, both)).toEqual({ resealed: 2, lost: 1 })
  expect(await resealSecrets(sql, both)).toEqual({ resealed: 0, lost: 1 })
  const [a, b, c, ...others] = await smarthosts()
  expect(openSmarthost(a!, after)).toBe('smtp://a:secret@relay.test:587')
  expect(b).toBe('smtp://us:plain@relay.test')
  expect(openSmarthost(c!, after)).toBe('smtp://c:secret@relay.test:587')
  expect(others).toEqual([moved, current, 'smtp://relay.test'])
})

test('a secret that opens none is refused; plain ones tell nothing', async () => {
  await addRule('plain', 'smtp://us:plain@relay.test')
  await requireSecret(sql, after)
  await addRule('sealed', sealedFor('us', before))
  await expect(requireSecret(sql, after)).rejects.toThrow('passwords of smarthosts')
  await requireSecret(sql, both)
})

test('the right secret is not refused because a rule was moved to another host', async () => {
  await addRule('moved', sealedFor('us', after).replace('relay.test', 'other.test'))
  await requireSecret(sql, after)
})
