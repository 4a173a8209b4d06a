/** What an operator writes in psql in plain text is sealed by the next sweep. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { MaintenanceQueries } from '@postel/db/queries/maintenance'
import { OperationQueries } from '@postel/db/queries/operations'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { until } from '@postel/db/testing/factories'
import { createLogger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import { openSmarthost, sealSmarthost } from '@postel/runtime/sealed-smarthost'
import { createSecretBox } from '@postel/runtime/secret-box'
import { WorkerEvents } from '../events.ts'
import { sweep } from './sweep.ts'
import type { TaskContext } from './task.ts'

const secretBox = createSecretBox(randomBytes(32).toString('base64'))
const plain = 'smtp://us:hunter2@relay.test:587'

let database: TestDatabase
let sql: Sql
let context: TaskContext

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 4 })
  context = {
    queries: new MaintenanceQueries(sql),
    operations: new OperationQueries(sql),
    publisher: { work: () => {} },
    secretBox,
    events: new WorkerEvents(createLogger('worker', 'silent'), createRegistry('worker')),
    signal: new AbortController().signal,
  } as unknown as TaskContext
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(() => sql`delete from postel.destination_rules where origin = 'operator'`)

async function smarthostOf(name: string): Promise<string> {
  const [row] = await sql<{ smarthost: string }[]>`
    select r.smarthost from postel.destination_rules r where r.name = ${name} and r.origin = 'operator'`
  return row!.smarthost
}

test('a plain password of a smarthost is sealed, once, and the others are left as they are', async () => {
  const sealed = sealSmarthost('smtp://them:secret@relay.test', secretBox)
  await sql`
    insert into postel.destination_rules (name, smarthost)
    values ('plain', ${plain}), ('sealed', ${sealed}), ('open', 'smtp://relay.test'), ('wrong', 'smtp://[')`
  await sweep(context)
  const first = await smarthostOf('plain')
  expect(first).not.toContain('hunter2')
  expect(openSmarthost(first, secretBox)).toBe(plain)
  await sweep(context)
  expect(await smarthostOf('plain')).toBe(first)
  expect(await smarthostOf('sealed')).toBe(sealed)
  expect(await smarthostOf('open')).toBe('smtp://relay.test')
  expect(await smarthostOf('wrong')).toBe('smtp://[')
})

test('an edit that commits while it seals stands', async () => {
  await sql`insert into postel.destination_rules (name, smarthost) values ('edited', ${plain})`
  const edited = 'smtp://us:changed@other.test'
  let sealing: Promise<number> | undefined
  await sql.begin(async (tx) => {
    await tx`update postel.destination_rules set smarthost = ${edited} where name = 'edited'`
    sealing = context.queries.sealSmarthosts(secretBox)
    await until(async () => {
      const waiting = await sql`
        select from pg_stat_activity a
        where a.datname = current_database() and a.wait_event_type = 'Lock' and a.query like '%destination_rules%'`
      return waiting.length > 0
    })
  })
  expect(await sealing).toBe(0)
  expect(await smarthostOf('edited')).toBe(edited)
})
