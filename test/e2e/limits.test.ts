// The worker's part of limits: it counts usage, warns, stops who sends badly, and keeps each project's own retention.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Postel, startPostel } from '../support/postel.ts'
import { waitFor } from '../support/wait-for.ts'

let postel: Postel
let id: string

beforeAll(async () => {
  postel = await startPostel({ worker: { MODERATION_MIN_RECIPIENTS: '1', MODERATION_INVALID_PERCENT: '50' } })
  await postel.sql`update postel.organizations set monthly_recipients = 1`
  await postel.sql`update postel.projects set body_retention_days = 0`
  // From where moderation counts
  await run('moderation')
  await waitFor(() =>
    postel.sql`select 1 from postel.event_cursors where name = 'moderation'`.then((rows) => rows.length),
  )
  id = await postel.submit({ to: 'nobody@dest.test', data: 'From: sender@example.test\r\n\r\nbody\r\n' })
  await postel.sql`
    with gone as (delete from postel.queue where message_id = ${id}),
    tried as (
      insert into postel.attempts (message_id, number, attempt, at, duration_ms, outcome, in_doubt, category)
      values (${id}, 1, 1, now(), 1, 'bounced', false, 'invalid_recipient')
    ),
    settled as (update postel.deliveries set state = 'bounced' where message_id = ${id})
    insert into postel.events (organization_id, message_id, number, type)
    select organization_id, id, 1, 'bounced' from postel.messages where id = ${id}`
})
afterAll(() => postel.stop())

const run = (task: string) => postel.sql`select graphile_worker.add_job(${task})`

test('usage is counted, and the used quota is warned of', async () => {
  await run('quota')
  const [row] = await waitFor(async () => {
    const rows = await postel.sql`select messages::int, recipients::int from postel.usage`
    const warned = await postel.sql`select from postel.events where type = 'quota.warning'`
    return rows.length > 0 && warned.length > 0 && rows
  })
  expect(row).toEqual({ messages: 1, recipients: 1 })
})

test('an organization whose mail ends badly may send no more', async () => {
  await run('moderation')
  const [row] = await waitFor(async () => {
    const rows =
      await postel.sql`select status, status_reason as reason from postel.organizations where status <> 'active'`
    return rows.length > 0 && rows
  })
  expect(row).toEqual({
    status: 'no_sending',
    reason: 'poor delivery rate: of 1 recipients in 6 hours 1 do not exist',
  })
})

test('a body goes once its message is done, where the project keeps none', async () => {
  await run('retention')
  await waitFor(async () => {
    const rows = await postel.sql`select from postel.message_bodies where message_id = ${id}`
    return rows.length === 0
  })
  expect(await postel.states(id)).toEqual(['nobody@dest.test bounced'])
})
