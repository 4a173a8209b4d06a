/** Leadership lives as long as its connection, and a proof is the server's word. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { LeaderSession, LeadershipLost } from './leader-session.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { until } from './testing/factories.ts'
import { FaultyLink } from './testing/faulty-link.ts'

let database: TestDatabase
let sql: Sql
const sessions: LeaderSession[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.end()))
})

async function lead(url = database.url, role = 7): Promise<LeaderSession | undefined> {
  const session = await LeaderSession.tryLead({ url, name: 'postel-test-lead', role })
  if (session) sessions.push(session)
  return session
}

test('one of several leads, and when it gives that back another does', async () => {
  const first = await waitToLead()
  await first.prove()
  expect(await lead()).toBeUndefined()
  expect(await lead(database.url, 8)).toBeDefined()
  await first.end()
  expect(first.signal.aborted).toBe(true)
  const second = await waitToLead()
  await second.prove()
  await expect(first.prove()).rejects.toThrow(LeadershipLost)
})

test('whose connection is cut leads no more, and is told so', async () => {
  const first = await waitToLead()
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'postel-test-lead' and datname = current_database()`
  await until(() => first.signal.aborted)
  // Why is what the server said, not that nothing can be asked any more
  await expect(first.query('select 1')).rejects.toMatchObject({
    name: 'LeadershipLost',
    cause: { code: '57P01' },
  })
  const second = await waitToLead()
  await expect(first.prove()).rejects.toThrow(LeadershipLost)
  await second.prove()
})

test('whose lock is gone while its connection lives proves nothing', async () => {
  const first = await waitToLead()
  await first.query('select pg_advisory_unlock_all()')
  await expect(first.prove()).rejects.toThrow(LeadershipLost)
  expect(first.signal.aborted).toBe(true)
})

test('who gets no answer leads no more', async () => {
  const link = await FaultyLink.start(database.url)
  const first = await waitToLead(link.url)
  await first.prove()
  link.swallow()
  await expect(first.prove()).rejects.toThrow(LeadershipLost)
  expect(first.signal.aborted).toBe(true)
  await link.stop()
})

test('a statement that the server refuses does not end leadership', async () => {
  const first = await waitToLead()
  await expect(first.query('select 1 / 0')).rejects.toThrow('division by zero')
  await first.prove()
})

/** The server notices the end of a session, of an earlier test too, a moment later. */
async function waitToLead(url = database.url): Promise<LeaderSession> {
  let session: LeaderSession | undefined
  await until(async () => {
    session = await lead(url)
    return session !== undefined
  })
  return session!
}
