// A person's hands on the running system: what is held, paused or moved in psql stops and goes on at once, and is sent once.
import { afterEach, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor, waitUntilEqual } from '../support/wait-for.ts'

let system: System

afterEach(() => system.stop())

/** New mail is found by its hint alone, which comes behind the word that it must wait; a poll may come between the two. */
const hintsOnly = { OUTBOUND_POLL_SECONDS: '60' }

const submit = (to: string) => system.postel.submit({ to, data: message() })

async function ask<T>(statement: string): Promise<T> {
  const [row] = await system.postel.sql.unsafe(`select ${statement} as value`)
  return row!.value as T
}

const blockedBy = (id: string) => ask<string>(`(select blocked_by from postel.explain('${id}'))`)

async function delivered(id: string): Promise<void> {
  expect((await system.postel.settled(id)).map(({ state }) => state)).toEqual(['delivered'])
}

test('a suspended domain and a paused project are left alone until they are resumed', async () => {
  system = await startSystem({ worker: {}, outbound: hintsOnly })
  await ask(`postel.suspend('a.test', 'they asked us to')`)
  const suspended = await submit('x@a.test')
  await delivered(await submit('x@b.test'))
  expect(await blockedBy(suspended)).toMatch(/^mail to a\.test is suspended by \w+: they asked us to$/)
  await ask(`postel.pause_project('default', 'hacked')`)
  await ask(`postel.resume('a.test')`)
  // the project still keeps it
  const paused = await submit('y@b.test')
  await waitFor(async () => /^project default is paused/.test(await blockedBy(suspended)))
  expect(system.mx.messages).toHaveLength(1)
  await ask(`postel.resume_project('default')`)
  await delivered(suspended)
  await delivered(paused)
  expect(system.mx.messages).toHaveLength(3)
})

test('mail that is held and released while it is being sent arrives once, and its result counts', async () => {
  let answer = () => {}
  const until = new Promise<void>((resolve) => (answer = resolve))
  system = await startSystem({ worker: {}, mx: { dot: [{ reply: '250 2.0.0 ok', until }] } })
  const id = await submit('x@a.test')
  await waitFor(() =>
    ask<boolean>(`exists (select from postel.outbound_processes where cardinality(in_flight) > 0)`),
  )
  expect(await ask(`postel.hold('${id}')::int`)).toBe(1)
  expect(await ask(`postel.release('${id}')::int`)).toBe(1)
  await waitFor(() =>
    ask<boolean>(`exists (select from postel.waiting where not_before > now() + interval '5 s')`),
  )
  expect(await blockedBy(id)).toBe(
    'released; waits for who was sending it; waits for the sender that has it in flight',
  )
  answer()
  await waitUntilEqual(() => system.postel.states(id), ['x@a.test delivered'])
  expect(await ask(`(select count(*)::int from postel.waiting)`)).toBe(0)
  expect(system.mx.messages).toHaveLength(1)
})

test('the queue of a paused IP leaves from another of its pool, which says why', async () => {
  system = await startSystem({
    worker: {},
    outbound: false,
    addresses: ['127.0.0.11', '127.0.0.12'],
  })
  const { sql } = system.postel
  await sql`update postel.ip_addresses set weight = 0 where address = '127.0.0.12'`
  const id = await submit('x@a.test')
  await sql`update postel.ip_addresses set weight = 100, node_name = null`
  await ask(`postel.suspend('a.test', 'for this test')`)
  await system.postel.startOutbound({ ...system.outboundEnv, OUTBOUND_ADDRESSES: '127.0.0.11,127.0.0.12' })
  expect(await ask(`postel.pause_ip('127.0.0.11', 'listed')::int`)).toBe(1)
  // Until it knows of the pause, the holder may send
  await system.postel.holdsRenewed()
  await ask(`postel.resume('a.test')`)
  await waitUntilEqual(() => system.postel.states(id), ['x@a.test delivered'], 20)
  expect(system.mx.messages.map(({ source }) => source)).toEqual(['127.0.0.12'])
  expect(await ask(`(select ip_reason from postel.deliveries)`)).toMatch(
    /^drawn by weight from 1 held IPs of pool default; moved from 127\.0\.0\.11: paused: listed/,
  )
})

test('a bulk operation is done by the worker, and nothing of it is sent', async () => {
  system = await startSystem({ worker: {}, outbound: hintsOnly })
  const { sql } = system.postel
  await ask(`postel.pause_project('default', 'hacked')`)
  const first = await submit('x@a.test')
  await sql`
    with ids as materialized (select postel.uuid_v7() as id, n from generate_series(1, 10500) as n),
    m as (
      insert into postel.messages
      select i.id, t.created_at, t.expires_at, t.organization_id, t.project_id, t.size_bytes, t.recipient_count, t.source,
        t.envelope_from, t.signing_domain, t.message_id_header, t.header_from, t.subject, t.details
      from ids i, postel.messages t
    ),
    d as (
      insert into postel.deliveries (message_id, number, state, updated_at, recipient, domain)
      select id, 1, 'queued', now(), 'r' || n || '@a.test', 'a.test' from ids
    )
    insert into postel.queue (
      ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id, queued_at,
      domain, numbers, recipients
    )
    select q.ip_id, 50, 0, 0, 100, q.expires_at, i.id, q.organization_id, q.project_id, now(), 'a.test', '{1}',
      array['r' || i.n || '@a.test']
    from ids i, postel.queue q`
  expect(await ask(`postel.bounce(project => 'default', reason => 'this account was taken over')::int`)).toBe(
    10_501,
  )
  await waitFor(() => ask<boolean>(`(select state = 'finished' from postel.operations_now)`), 30)
  await ask(`postel.resume_project('default')`)
  expect(await system.postel.deliveries(first)).toMatchObject([
    { state: 'bounced', reply: 'this account was taken over' },
  ])
  expect(await ask(`(select count(*)::int from postel.deliveries where state <> 'bounced')`)).toBe(0)
  await delivered(await submit('y@b.test'))
  expect(system.mx.messages).toHaveLength(1)
})
