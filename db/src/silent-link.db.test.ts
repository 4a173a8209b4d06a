/** A link that goes silent under statements on their way: whoever waits is told in time, those behind them too. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { BodyClient } from './body-client.ts'
import { connect, type Sql } from './client.ts'
import { NoAnswerError } from './errors.ts'
import { Submitter } from './submitter.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { makeTenant, submission, type Tenant, until } from './testing/factories.ts'
import { FaultyLink } from './testing/faulty-link.ts'

let database: TestDatabase
let sql: Sql
let tenant: Tenant
let link: FaultyLink
let submitter: Submitter

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 1 })
  tenant = await makeTenant(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  link = await FaultyLink.start(database.url)
  submitter = new Submitter({ url: link.url, name: 'silent', onStored: () => {}, statementTimeoutMs: 4_000 })
})
afterEach(async () => {
  await link.stop()
  await submitter.stop()
})

async function outcomeOf(work: Promise<unknown>): Promise<{ result: string; seconds: number }> {
  const began = performance.now()
  const result = await work.then(
    () => 'stored',
    (error) => error.fault,
  )
  return { result, seconds: (performance.now() - began) / 1000 }
}

test('on open connections all are refused when the first has waited long enough (C-18)', async () => {
  await submitter.submit(submission(tenant, {}))
  await submitter.submitAll([submission(tenant, {})])
  link.hold()
  const outcomes = await Promise.all([
    ...Array.from({ length: 20 }, () => outcomeOf(submitter.submit(submission(tenant, {})))),
    ...Array.from({ length: 5 }, () => outcomeOf(submitter.submitAll([submission(tenant, {})]))),
  ])
  expect(new Set(outcomes.map(({ result }) => result))).toEqual(new Set(['unavailable']))
  // 4 s for the statement and 5 s for its answer, or 10 s for a writer that has to connect first
  expect(Math.max(...outcomes.map(({ seconds }) => seconds))).toBeLessThan(40)

  link.mend()
  const [once] = await submitter.submitAll([submission(tenant, { subject: 'after' })])
  const single = await submitter.submit(submission(tenant, { subject: 'after' }))
  const rows = await sql<{ id: string }[]>`select id from postel.messages where subject = 'after'`
  expect(rows.map(({ id }) => id).sort()).toEqual([once!, single].sort())
})

test('silence between connecting and the first statement is noticed, too', async () => {
  const client = new BodyClient({
    url: link.url,
    name: 'settings',
    statementTimeoutMs: 4_000,
    settings: { synchronous_commit: 'on' },
  })
  try {
    // The settings are a statement of their own, behind the start-up
    const lost = link.loseReplyTo('set_config', 'settings')
    await expect(client.query({ name: 'one', text: 'select 1' }, [])).rejects.toThrow()
    await lost
    expect(await client.query({ name: 'one', text: 'select 1 as n' }, [])).toEqual([{ n: 1 }])
    link.swallow('settings')
    await expect(client.query({ name: 'two', text: 'select 2' }, [])).rejects.toThrow(NoAnswerError)
  } finally {
    link.mend()
    await client.stop()
  }
})

test('a server that has become read-only is left for the one that new connections reach (C-21)', async () => {
  const pool = connect(link.url, { name: 'pool', max: 2 })
  const write = () => pool`update postel.projects set name = name`
  const states = async () => [
    await write().then(
      () => 'written',
      (error) => error.code,
    ),
    await submitter.submit(submission(tenant, {})).then(
      () => 'stored',
      (error) => error.fault,
    ),
  ]
  try {
    // What is connected meanwhile stays read-only, as on an old primary
    await sql.unsafe(`alter database "${database.name}" set default_transaction_read_only = on`)
    await until(async () => String(await states()) === '25006,unavailable')
    await sql.unsafe(`alter database "${database.name}" reset default_transaction_read_only`)
    await until(async () => String(await states()) === 'written,stored', 10)
  } finally {
    await pool.end({ timeout: 1 })
  }
})
