/** A failover: the server that all are connected to takes no more writes, and its successor is reached only by new connections. */

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { inconsistencies } from '@postel/db/testing/factories'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({ worker: {}, retryScheduleSeconds: [1] })
})

afterAll(() => system.stop())

async function setReadOnly(on: boolean): Promise<void> {
  const { postel } = system
  const [row] = await postel.sql`select current_database() as name`
  await postel.sql.unsafe(
    `alter database "${row!.name}" ${on ? 'set default_transaction_read_only = on' : 'reset default_transaction_read_only'}`,
  )
}

async function submit(to: string): Promise<string> {
  const client = await system.postel.session()
  await client.startData(to)
  client.write(`${message()}.\r\n`)
  return client.expect(/./)
}

test('a server that has become read-only: 451, nothing lost, and all find its successor by themselves (C-21)', async () => {
  const { postel, mx } = system
  mx.script = { rcpt: { 'later@dest.test': ['451 4.7.1 greylisted', '250 ok'] } }
  expect(await submit('before@dest.test')).toMatch(/^250 /)
  expect(await submit('later@dest.test')).toMatch(/^250 /)
  await waitFor(() => mx.envelopes.length >= 1)

  // The old primary answers as a standby: whoever was connected is cut off, and whoever connects is read-only
  await setReadOnly(true)
  await postel.sql`
    select pg_terminate_backend(pid, 10000) from pg_stat_activity
    where datname = current_database() and application_name like 'postel-%'`
  expect(await submit('meanwhile@dest.test')).toMatch(/^451 4\.3\.0 /)
  expect(await submit('meanwhile@dest.test')).toMatch(/^451 4\.3\.0 /)

  // New connections reach the new primary; nobody cuts the old ones
  await setReadOnly(false)
  await waitFor(async () => (await submit('after@dest.test')).startsWith('250 '), 20)
  await waitFor(async () => {
    const [row] = await postel.sql<{ open: number }[]>`
      select count(*)::int as open from postel.deliveries where state <> 'delivered'`
    return row!.open === 0
  }, 40)
  expect(mx.envelopes.filter((line) => line.includes('later@'))).toHaveLength(1)
  expect(mx.envelopes.filter((line) => line.includes('before@'))).toHaveLength(1)
  expect(await inconsistencies(postel.sql)).toEqual([])
})
