/** The operator's views: what each shows of a small system. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { makeIp, makeTenant, queueRow, submitBatch, submitOne, type Tenant } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let tenant: Tenant
let holder: string

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  holder = randomUUID()
  tenant = await makeTenant(sql, { ips: [{ heldBy: holder }] })
})
afterEach(async () => {
  await sql`
    truncate postel.waiting, postel.queue, postel.deliveries, postel.events, postel.operations, postel.outbound_processes,
      postel.ip_holders, postel.nodes, postel.suspensions, postel.messages`
})

test('queue_by_domain: the domain with the most mail first, with what waits, flies and blocks', async () => {
  const ids = (await submitBatch(sql, tenant, [{}, {}, {}, { to: ['b@else.test'] }])).messageIds
  await submitOne(sql, tenant, { to: ['c@later.test'], sendAt: new Date(Date.now() + 60_000) })
  await sql`select postel.hold(${ids[0]!}::uuid)`
  const { id } = await queueRow(sql, ids[1]!)
  await sql`update postel.outbound_processes set in_flight = array[${id}]::bigint[] where id = ${holder}`
  await sql`select postel.suspend('else.test', 'asked to')`
  const rows = await sql`
    select domain, queued::int, deferred::int, scheduled::int, held::int, in_flight::int, oldest is not null as aged,
      next_due is not null as due, blocked_by
    from postel.queue_by_domain`
  expect([...rows]).toEqual([
    {
      domain: 'dest.test',
      queued: 2,
      deferred: 0,
      scheduled: 0,
      held: 1,
      in_flight: 1,
      aged: true,
      due: false,
      blocked_by: null,
    },
    {
      domain: 'else.test',
      queued: 1,
      deferred: 0,
      scheduled: 0,
      held: 0,
      in_flight: 0,
      aged: true,
      due: false,
      blocked_by: expect.stringMatching(/^mail to else\.test is suspended by \w+: asked to$/),
    },
    {
      domain: 'later.test',
      queued: 0,
      deferred: 0,
      scheduled: 1,
      held: 0,
      in_flight: 0,
      aged: false,
      due: true,
      blocked_by: null,
    },
  ])
})

test('queue_by_domain shows a paused project where its mail waits', async () => {
  await submitOne(sql, tenant)
  await sql`select postel.pause_project(${tenant.projectId}, 'hacked')`
  const [row] = await sql`select blocked_by from postel.queue_by_domain`
  expect(row!.blocked_by).toMatch(/^project .* is paused by \w+: hacked$/)
})

test('throughput counts by the age of the event', async () => {
  const id = await submitOne(sql, tenant)
  await sql`truncate postel.events`
  for (const [type, minutes, times] of [
    ['accepted', 0.5, 3],
    ['delivered', 0.5, 30],
    ['deferred', 4, 2],
    ['bounced', 14, 1],
    ['delivered', 59, 10],
    ['expired', 59, 1],
    ['delivered', 70, 99],
  ] as const)
    await sql`
      insert into postel.events (id, created_at, organization_id, message_id, number, type)
      select
        overlay(postel.uuid_v7()::text placing left(postel.uuid_v7_floor(at)::text, 13) from 1 for 13)::uuid,
        at, ${tenant.organizationId}, ${id}, 1, ${type}
      from generate_series(1, ${times}::int), (select now() - ${minutes} * interval '1 minute' as at) as a`
  const rows = await sql`
    select extract(epoch from span)::int / 60 as minutes, accepted::int, delivered::int, deferred::int, bounced::int, expired::int,
      delivered_per_s::float8 as rate
    from postel.throughput`
  expect([...rows]).toEqual([
    { minutes: 1, accepted: 3, delivered: 30, deferred: 0, bounced: 0, expired: 0, rate: 0.5 },
    { minutes: 5, accepted: 3, delivered: 30, deferred: 2, bounced: 0, expired: 0, rate: 0.1 },
    { minutes: 15, accepted: 3, delivered: 30, deferred: 2, bounced: 1, expired: 0, rate: 0.03 },
    { minutes: 60, accepted: 3, delivered: 40, deferred: 2, bounced: 1, expired: 1, rate: 0.01 },
  ])
})

test('nodes_now: who is alive, who went silent, and which node has nobody', async () => {
  const silent = randomUUID()
  await sql`
    insert into postel.nodes (name, last_seen_at)
    values ('node', now()), ('gone', now() - interval '3 minutes'), ('empty', now() - interval '1 day')`
  await sql`update postel.outbound_processes set in_flight = '{1,2}' where id = ${holder}`
  await sql`
    insert into postel.outbound_processes (id, node_name, heartbeat_at)
    values (${silent}, 'gone', now() - interval '3 minutes')`
  const rows = await sql`select node, state, holds, in_flight, process_id from postel.nodes_now`
  expect([...rows]).toEqual([
    { node: 'empty', state: 'no outbound process', holds: [], in_flight: 0, process_id: null },
    {
      node: 'gone',
      state: expect.stringMatching(/^silent since 00:03:\d\d$/),
      holds: [],
      in_flight: 0,
      process_id: silent,
    },
    { node: 'node', state: 'alive', holds: [tenant.ips[0]!.address], in_flight: 2, process_id: holder },
  ])
})

test('ips_now: each IP of the pool, who holds it and since when, and what is on it', async () => {
  const other = await makeIp(sql, tenant.poolId)
  await sql`select postel.pause_ip(${other.address}::inet, 'listed')`
  const id = await submitOne(sql, tenant)
  await submitOne(sql, tenant)
  const { id: row } = await queueRow(sql, id)
  await sql`update postel.outbound_processes set in_flight = array[${row}]::bigint[] where id = ${holder}`
  await sql`update postel.ip_holders set acquired_at = now() - interval '90 s'`
  const rows = await sql`
    select host(address) as address, state, reason, node, held_for::text, queued::int, in_flight::int, sites
    from postel.ips_now where pool = ${tenant.poolName}`
  expect(rows.find((each) => each.address === tenant.ips[0]!.address)).toEqual({
    address: tenant.ips[0]!.address,
    state: 'active',
    reason: null,
    node: 'node',
    held_for: expect.stringMatching(/^00:01:[345]\d$/),
    queued: 2,
    in_flight: 1,
    sites: null,
  })
  expect(rows.find((each) => each.address === other.address)).toMatchObject({
    state: 'paused',
    reason: expect.stringMatching(/^listed \(by/),
    node: null,
    held_for: null,
    queued: 0,
  })
})

test('listeners_now: the connections of our processes that listen, and no others', async () => {
  const listener = connect(database.url, { name: 'postel-outbound-listen', max: 1 })
  const worker = connect(database.url, { name: 'postel-outbound-load', max: 1 })
  await listener`listen postel_outbound`
  await worker`select 1`
  const rows = await sql`
    select application_name, connected_for < '1 minute' as fresh, notification_queue_percent::float8 < 1 as roomy, pid
    from postel.listeners_now`
  const [backend] = await listener`select pg_backend_pid() as pid`
  expect([...rows]).toEqual([
    { application_name: 'postel-outbound-listen', fresh: true, roomy: true, pid: backend!.pid },
  ])
  await listener.end({ timeout: 1 })
  await worker.end({ timeout: 1 })
})

test('sent_to: what was sent to an address since a moment, in any spelling of it, and to nobody else', async () => {
  const send = async (to: string[], subject: string) => {
    const from = `ann@${tenant.domain}`
    return (await sql<{ id: string }[]>`select postel.send(${from}, ${to}, ${subject}, 't') as id`)[0]!.id
  }
  const first = await send(['Bob@Dest.test', 'carol@dest.test'], 'One')
  await send(['carol@dest.test', 'bob@dest.test.example.test'], 'Not to him')
  const second = await send(['bob@dest.test'], 'Two')
  await sql`select postel.cancel(${second}::uuid)`
  const rows = await sql`
    select message_id, project, header_from, subject, state, attempts, source_ip from postel.sent_to(' BOB@dest.test ')`
  const row = {
    project: tenant.projectName,
    header_from: `ann@${tenant.domain}`,
    attempts: 0,
    source_ip: tenant.ips[0]!.address,
  }
  expect([...rows]).toEqual([
    { ...row, message_id: second, subject: 'Two', state: 'cancelled' },
    { ...row, message_id: first, subject: 'One', state: 'queued' },
  ])
  expect([
    ...(await sql`select * from postel.sent_to('bob@dest.test', now() + interval '1 second')`),
  ]).toEqual([])
})

test('suspensions_now leaves out what has run out', async () => {
  await sql`select postel.suspend('dest.test', 'r', now() + interval '1 hour')`
  expect(await sql`table postel.suspensions_now`).toHaveLength(1)
  await sql`update postel.suspensions set until = now() - interval '1 s'`
  expect(await sql`table postel.suspensions_now`).toHaveLength(0)
})
