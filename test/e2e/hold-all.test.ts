// While hold_all is under way nothing at all is sent, new mail neither; when it is through, new mail leaves and the rest waits for release_all.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

const many = 10_500
let system: System

beforeAll(async () => {
  // It reads when it hears to: a poll may come between the commit below and the word of it
  system = await startSystem({ outbound: { OUTBOUND_POLL_SECONDS: '60' } })
})
afterAll(() => system.stop())

test('a running sender stops at once and for all, and goes on with what is new', async () => {
  const { postel, mx } = system
  const { sql } = postel
  const first = await postel.submit({ to: 'first@dest.test', data: message() })
  expect(await postel.finalStates(first)).toEqual(['first@dest.test delivered'])

  // Many copies of it are there, and held, in one transaction: no sender has seen them before
  await sql.begin(async (tx) => {
    await tx`
      with ids as materialized (select postel.uuid_v7() as id from generate_series(1, ${many})),
      m as (
        insert into postel.messages (
          id, expires_at, organization_id, project_id, size_bytes, recipient_count, source, envelope_from,
          message_id_header, header_from, subject
        )
        select i.id, now() + interval '1 day', m.organization_id, m.project_id, m.size_bytes, 1, m.source, m.envelope_from,
          '<x>', m.header_from, m.subject
        from ids i cross join postel.messages m where m.id = ${first}
      ),
      b as (
        insert into postel.message_bodies (message_id, encoding, body)
        select i.id, b.encoding, b.body from ids i cross join postel.message_bodies b where b.message_id = ${first}
      ),
      d as (
        insert into postel.deliveries (message_id, number, state, updated_at, recipient, domain)
        select i.id, 1, 'queued', now(), 'old@dest.test', 'dest.test' from ids i
      )
      insert into postel.queue (
        ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id, queued_at,
        domain, numbers, recipients
      )
      select a.id, 50, 0, 0, m.size_bytes, now() + interval '1 day', i.id, m.organization_id, m.project_id, now(),
        'dest.test', '{1}', '{old@dest.test}'
      from ids i cross join postel.messages m cross join (select min(id) as id from postel.ip_addresses) as a
      where m.id = ${first}`
    await tx`select postel.hold_all('a test')`
  })
  await sql`select pg_notify('postel_outbound', string_agg(id::text, ',')) from postel.ip_addresses`
  const fresh = await postel.submit({ to: 'new@dest.test', data: message() })
  const [why] = await sql`select e.blocked_by from postel.explain(${fresh}) as e`
  expect(why!.blocked_by).toMatch(/^all mail is being held by /)

  await sql`call postel.run_operations()`
  expect(await postel.finalStates(fresh)).toEqual(['new@dest.test delivered'])
  const [order] = await sql`
    select bool_and(a.at >= o.finished_at) as after from postel.attempts a cross join postel.operations o
    where a.message_id = ${fresh}`
  expect(order).toEqual({ after: true })
  const [held] = await sql`select recipients::int as n from postel.queue_now where state = 'held by hold_all'`
  expect(held).toEqual({ n: many })
  expect(mx.messages.map(({ to }) => to)).toEqual([['first@dest.test'], ['new@dest.test']])
})
