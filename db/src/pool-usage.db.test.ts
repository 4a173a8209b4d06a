/** How busy pools are, as seen from inside the process. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { BodyClient } from './body-client.ts'
import { connect, type Sql } from './client.ts'
import { poolStates } from './pool-usage.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { unique, until } from './testing/factories.ts'

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

const lock = 4711

test('statements in progress and those that wait are told apart, and failures are counted', async () => {
  const app = unique('app')
  const pool = connect(database.url, { name: `${app}-pool`, max: 2 })
  const bodies = new BodyClient({ url: database.url, name: `${app}-bodies`, statementTimeoutMs: 10_000 })
  const other = connect(database.url, { name: `${app}2`, max: 7 })
  const states = () =>
    Object.fromEntries(poolStates(app).map(({ name, ...state }) => [name.slice(app.length), state]))
  try {
    expect(states()).toEqual({
      '-pool': { max: 2, busy: 0, waiting: 0, failures: 0 },
      '-bodies': { max: 1, busy: 0, waiting: 0, failures: 0 },
    })
    await sql`select pg_advisory_lock(${lock})`
    const waitForLock = { name: 'lock', text: `select pg_advisory_xact_lock(${lock})` }
    const work = [1, 2, 3].map(async () => pool`select pg_advisory_xact_lock(${lock})`)
    const bodyWork = [1, 2].map(() => bodies.query(waitForLock, []))
    await until(() => states()['-pool']!.busy === 2)
    expect(states()).toMatchObject({ '-pool': { busy: 2, waiting: 1 }, '-bodies': { busy: 1, waiting: 1 } })
    await sql`select pg_advisory_unlock(${lock})`
    await Promise.all([...work, ...bodyWork])
    await expect(pool`select 1 / 0`).rejects.toThrow('division by zero')
    await expect(bodies.query({ name: 'zero', text: 'select 1 / 0' }, [])).rejects.toThrow('division by zero')
    const idle = { busy: 0, waiting: 0, failures: 1 }
    expect(states()).toEqual({ '-pool': { max: 2, ...idle }, '-bodies': { max: 1, ...idle } })
    // Its failures stay counted when it is opened anew under its name
    await pool.end({ timeout: 1 })
    expect(states()['-pool']).toBeUndefined()
    const again = connect(database.url, { name: `${app}-pool`, max: 2 })
    expect(states()['-pool']).toEqual({ max: 2, ...idle })
    await again.end({ timeout: 1 })
  } finally {
    await pool.end({ timeout: 1 })
    await bodies.stop()
    await other.end({ timeout: 1 })
  }
})
