/** Holds as outbound asks for them. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from '../client.ts'
import { createTestDatabase, type TestDatabase } from '../testing/create-test-database.ts'
import { makeTenant } from '../testing/factories.ts'
import { OutboundQueries } from './outbound.ts'

let database: TestDatabase
let sql: Sql
let queries: OutboundQueries

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 1 })
  queries = new OutboundQueries(database.url)
})
afterAll(async () => {
  await queries.stop()
  await sql.end({ timeout: 1 })
  await database.drop()
})

test('whether a hold was taken over from one that had run out is said with it', async () => {
  const { ips } = await makeTenant(sql, { ips: 1 })
  const { id, address } = ips[0]!
  const acquire = async (process: string) =>
    (await queries.acquire(process, 'node', [address])).map(({ ipId, takenOver }) => ({ ipId, takenOver }))
  const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()]
  expect(await acquire(first)).toEqual([{ ipId: id, takenOver: false }])
  expect(await acquire(second)).toEqual([])
  await sql`update postel.ip_holders set expires_at = now() where ip_id = ${id}`
  expect(await acquire(second)).toEqual([{ ipId: id, takenOver: true }])
  await queries.release(second, null)
  expect(await acquire(third)).toEqual([{ ipId: id, takenOver: false }])
})
