/** Hints are gathered, and none is left behind at the end. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect, type Sql } from '../client.ts'
import { createTestDatabase, type TestDatabase } from '../testing/create-test-database.ts'
import { until } from '../testing/factories.ts'
import { unpackIds } from './channels.ts'
import { Publisher } from './publisher.ts'

let database: TestDatabase
let listener: Sql
let heard: { channel: string; payload: string }[]
let errors: unknown[]
let publisher: Publisher

beforeAll(async () => {
  database = await createTestDatabase()
  listener = connect(database.url, {
    name: 'listener',
    max: 1,
    onnotify: (channel, payload) => heard.push({ channel, payload }),
  })
  await listener.unsafe('listen postel_outbound; listen postel_events')
})
afterAll(async () => {
  await listener.end({ timeout: 1 })
  await database.drop()
})
beforeEach(() => {
  heard = []
  errors = []
  publisher = new Publisher(database.url, 'publisher', (error) => errors.push(error))
})
afterEach(() => publisher.stop())

const ids = () => heard.flatMap(({ payload }) => unpackIds(payload))

/** What is announced with the transaction of a marker has come when the marker has. */
async function settle(): Promise<void> {
  await listener`select 1`
}

test('a lone hint goes at once', async () => {
  publisher.work([1, 2])
  await until(() => heard.length > 0)
  expect(heard).toEqual([{ channel: 'postel_outbound', payload: '1,2' }])
})

test('many hints become few notifications, and every IP is named', async () => {
  for (let round = 0; round < 1000; round++) publisher.work([round % 10])
  publisher.work([10])
  await until(() => new Set(ids()).size === 10)
  expect(new Set(ids())).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))
  // The first goes at once, the others together
  expect(heard.length).toBeLessThanOrEqual(3)
  await publisher.stop()
  expect([publisher.sent, publisher.lost]).toEqual([heard.length, 0])
})

test('what cannot be sent is counted as lost', async () => {
  const nowhere = new Publisher('postgres://x:y@127.0.0.1:1/z', 'publisher', (error) => errors.push(error))
  nowhere.work([1])
  nowhere.events(['{}'])
  await until(() => nowhere.lost >= 2)
  expect([nowhere.sent, errors.length > 0]).toEqual([0, true])
  await nowhere.stop()
})

test('more IPs than one payload holds are all named', async () => {
  const many = Array.from({ length: 5_000 }, (_, index) => 1_000_000 + index)
  publisher.work(many)
  await until(() => ids().length >= many.length)
  expect(ids().sort()).toEqual(many)
})

test('a stop flushes what is left', async () => {
  publisher.work([1])
  publisher.work([2])
  publisher.events(['{"type":"delivered"}'])
  await publisher.stop()
  await settle()
  expect(new Set(ids())).toEqual(new Set([1, 2]))
  expect(heard).toContainEqual({ channel: 'postel_events', payload: '{"type":"delivered"}' })
})

test('the live tail is capped per second, and work is not', async () => {
  publisher.events(Array.from({ length: 1_000 }, (_, index) => `{"n":${index}}`))
  publisher.work([7])
  await publisher.stop()
  await settle()
  const events = heard.filter(({ channel }) => channel === 'postel_events')
  // A second may end meanwhile
  expect(events.length).toBeGreaterThanOrEqual(100)
  expect(events.length).toBeLessThanOrEqual(200)
  expect(ids()).toEqual([7])
})

test('a broken connection loses hints, says so, and the next ones go', async () => {
  publisher.work([1])
  await until(() => heard.length === 1)
  await listener`
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'publisher' and datname = current_database()`
  await until(async () => {
    publisher.work([2])
    await settle()
    return ids().includes(2)
  })
})
