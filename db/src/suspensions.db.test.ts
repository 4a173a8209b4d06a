/** suspend, resume, pause_project, resume_project: what they write, whom they tell, and what explain says of it. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { MaintenanceQueries } from './queries/maintenance.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { makeTenant, submitOne, type Tenant, until } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let tenant: Tenant
let heard: string[] = []
let listener: Sql

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
  listener = connect(database.url, {
    name: 'listener',
    max: 1,
    onnotify: (channel, payload) => heard.push(`${channel} ${payload}`),
  })
  await listener.unsafe('listen postel_control')
})
afterAll(async () => {
  await listener.end({ timeout: 1 })
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  // With its answer comes all that earlier tests have notified
  await listener`select 1`
  heard = []
  tenant = await makeTenant(sql, { ips: [{ heldBy: randomUUID() }] })
})
afterEach(async () => {
  await sql`truncate postel.suspensions, postel.queue, postel.ip_sites, postel.destinations, postel.outbound_processes`
})

const count = async (call: postgresCall) => (await call)[0]!.count as number
type postgresCall = Promise<readonly Record<string, unknown>[]>
const suspend = (domain: string, reason = 'asked to', until: Date | null = null) =>
  count(sql`select postel.suspend(${domain}, ${reason}, ${until})::int as count` as unknown as postgresCall)
const resume = (domain: string) =>
  count(sql`select postel.resume(${domain})::int as count` as unknown as postgresCall)
const blockedBy = async (id: string) =>
  (await sql`select blocked_by from postel.explain(${id})`)[0]!.blocked_by as string
const told = (times: number) => until(() => heard.length >= times)

describe('a domain', () => {
  test('is suspended, with everything below it only where that was said', async () => {
    await submitOne(sql, tenant, { to: ['a@dest.test', 'b@dest.test'] })
    await submitOne(sql, tenant, { to: ['a@mx.dest.test'] })
    await submitOne(sql, tenant, { to: ['a@notdest.test'] })
    expect(await suspend(' Dest.TEST. ')).toBe(2)
    expect(await suspend('*.dest.test')).toBe(1)
    await told(2)
    expect(new Set(heard)).toEqual(new Set(['postel_control suspensions']))
    const rows = await sql`
      select domain, reason, until, requested_by = session_user as me from postel.suspensions order by domain`
    expect([...rows]).toEqual([
      { domain: '*.dest.test', reason: 'asked to', until: null, me: true },
      { domain: 'dest.test', reason: 'asked to', until: null, me: true },
    ])
    const now = await sql`select what, reason, queued::int from postel.suspensions_now order by what`
    expect([...now]).toEqual([
      { what: 'domain *.dest.test', reason: 'asked to', queued: 1 },
      { what: 'domain dest.test', reason: 'asked to', queued: 2 },
    ])
  })

  test('asked for again takes the new reason and time', async () => {
    const later = new Date(Date.now() + 3_600_000)
    await suspend('dest.test', 'first')
    await suspend('dest.test', 'second', later)
    const rows = await sql`select reason, until from postel.suspensions`
    expect([...rows]).toEqual([{ reason: 'second', until: later }])
  })

  test('is resumed by the name it was suspended by; another is an error', async () => {
    await submitOne(sql, tenant)
    await suspend('*.dest.test')
    await suspend('dest.test')
    expect(await resume('DEST.test')).toBe(1)
    expect([...(await sql`select domain from postel.suspensions`)]).toEqual([{ domain: '*.dest.test' }])
    await told(3)
    await expect(resume('dest.test')).rejects.toThrow('dest.test is not suspended')
  })

  test.each([
    ['an address', 'ann@dest.test', null, /not a domain/],
    ['everything', '*', null, /not a domain/],
    ['two domains', 'a.test b.test', null, /not a domain/],
    ['a time gone by', 'dest.test', new Date(0), /until is in the past/],
  ])('%s is refused', async (_, domain, until, message) => {
    await expect(suspend(domain, 'r', until)).rejects.toThrow(message)
    expect([...(await sql`select from postel.suspensions`)]).toEqual([])
  })

  test('is resumed by the sweep when its time has come, and outbound is told', async () => {
    await suspend('dest.test', 'r', new Date(Date.now() + 3_600_000))
    await suspend('other.test', 'r')
    await told(2)
    await sql`update postel.suspensions set until = now() - interval '1 s' where until is not null`
    const queries = new MaintenanceQueries(sql)
    await queries.rescueStranded()
    expect([...(await sql`select domain from postel.suspensions`)]).toEqual([{ domain: 'other.test' }])
    await told(3)
    heard = []
    await queries.rescueStranded()
    await sql`select pg_notify('postel_control', 'end of test')`
    await told(1)
    expect(heard).toEqual(['postel_control end of test'])
  })
})

describe('a project', () => {
  test('is paused and resumed by name or id', async () => {
    await submitOne(sql, tenant, { to: ['a@dest.test', 'b@other.test'] })
    const other = await makeTenant(sql)
    await submitOne(sql, other)
    const [paused] = await sql`select postel.pause_project(${tenant.projectName}, 'hacked')::int as count`
    expect(paused!.count).toBe(2)
    const now = await sql`select what, reason, queued::int from postel.suspensions_now`
    expect([...now]).toEqual([{ what: `project ${tenant.projectName}`, reason: 'hacked', queued: 2 }])
    const [resumed] = await sql`select postel.resume_project(${tenant.projectId})::int as count`
    expect(resumed!.count).toBe(2)
    await told(2)
    expect(new Set(heard)).toEqual(new Set(['postel_control suspensions']))
    await expect(sql`select postel.resume_project(${tenant.projectName})`).rejects.toThrow('is not paused')
    await expect(sql`select postel.pause_project('nowhere')`).rejects.toThrow("there is no project 'nowhere'")
  })
})

describe('explain', () => {
  const site = (fields: {
    state: string
    factor?: number
    until?: number
    reason?: string
    refusals?: number
  }) => sql`
    insert into postel.ip_sites (ip_id, site, state, factor, connections_max, messages_per_minute, until, reason, refusals, updated_at)
    values (
      ${tenant.ips[0]!.id}, 'google', ${fields.state}, ${fields.factor ?? 1}, 5, 60,
      now() + make_interval(secs => ${fields.until ?? null}), ${fields.reason ?? null}, ${fields.refusals ?? 0}, now()
    )`
  const destination = () => sql`
    insert into postel.destinations (domain, site, mx_hosts, seen_at) values ('dest.test', 'google', '{mx.google.test}', now())`

  test('names who suspended the domain, why and until when', async () => {
    const id = await submitOne(sql, tenant)
    await suspend('dest.test', 'they asked us to', new Date('2099-01-02T03:04:00Z'))
    expect(await blockedBy(id)).toMatch(
      /^mail to dest\.test is suspended until 2099-01-02 03:04 UTC by \w+: they asked us to$/,
    )
  })

  test('names a suspension of all below the parent domain', async () => {
    const id = await submitOne(sql, tenant, { to: ['a@mx.dest.test'] })
    await suspend('*.dest.test')
    expect(await blockedBy(id)).toMatch(/^mail to \*\.dest\.test is suspended by/)
  })

  test('says that the project is paused', async () => {
    const id = await submitOne(sql, tenant)
    await sql`select postel.pause_project(${tenant.projectId}, 'hacked')`
    expect(await blockedBy(id)).toMatch(
      new RegExp(`^project ${tenant.projectName} is paused by \\w+: hacked$`),
    )
  })

  test.each<[Parameters<typeof site>[0], RegExp]>([
    [
      { state: 'slowed', factor: 0.25, reason: '421 4.7.28 slow down' },
      /^google has asked us to slow down: at 25% of its limits from 10\.[\d.]+, 5 connections and 60 messages a minute: 421 4\.7\.28 slow down; in line behind 0 others for dest\.test$/,
    ],
    [
      { state: 'backing_off', until: 3_595, reason: 'connect ECONNREFUSED' },
      /^cannot connect to google, next try in 00:59:\d\d: connect ECONNREFUSED; in line/,
    ],
    [
      { state: 'suspended', until: 1_800, reason: '550 5.7.1 blocked', refusals: 5 },
      /^10\.[\d.]+ is suspended at google until \d\d:\d\d:\d\d UTC after 5 refusals: 550 5\.7\.1 blocked; in line/,
    ],
    [{ state: 'backing_off', until: -5, reason: 'old news' }, /^in line behind 0 others for dest\.test$/],
    [{ state: 'open' }, /^in line behind/],
  ])('says what outbound has learned of the site: %j', async (fields, expected) => {
    const id = await submitOne(sql, tenant)
    await destination()
    await site(fields)
    expect(await blockedBy(id)).toMatch(expected)
    const [row] = await sql`select sites from postel.ips_now where address = ${tenant.ips[0]!.address}::inet`
    if (fields.state === 'open' || (fields.until ?? 1) < 0) expect(row!.sites).toBeNull()
    else expect(row!.sites).toContain('google')
    const [domain] = await sql`select site, blocked_by from postel.queue_by_domain where domain = 'dest.test'`
    expect(domain!.site).toBe('google')
    expect(domain!.blocked_by === null).toBe(row!.sites === null)
  })

  test('says of mail with a priority where it stands among its like', async () => {
    const [high, , id] = [
      await submitOne(sql, tenant, { priority: 10 }),
      await submitOne(sql, tenant, { priority: 90 }),
      await submitOne(sql, tenant, { priority: 90 }),
    ]
    expect(await blockedBy(high!)).toBe('in line behind 0 others for dest.test, priority 10')
    expect(await blockedBy(id!)).toBe('in line behind 1 others for dest.test, priority 90')
  })

  test('says that the process which was sending it has gone silent', async () => {
    const id = await submitOne(sql, tenant)
    await sql`
      insert into postel.outbound_processes (id, node_name, heartbeat_at, in_flight)
      select ${randomUUID()}::uuid, 'n', now() - interval '35 s', array[id] from postel.queue where message_id = ${id}`
    expect([...(await sql`select state, blocked_by from postel.explain(${id})`)]).toEqual([
      {
        state: 'sending',
        blocked_by: expect.stringMatching(
          /^the process that was sending it has been silent for 00:00:(3[5-9]|[45]\d)$/,
        ),
      },
    ])
  })

  test('says that no worker seems to run when what is due stays', async () => {
    const id = await submitOne(sql, tenant, { sendAt: new Date(Date.now() + 60_000) })
    await sql`update postel.waiting set state = 'deferred', not_before = now() - interval '6 minutes' where message_id = ${id}`
    expect(await blockedBy(id)).toMatch(/^due since 00:06:\d\d: no worker seems to run$/)
  })

  test('says of held mail that its sending was under way', async () => {
    const id = await submitOne(sql, tenant)
    await sql`
      insert into postel.outbound_processes (id, node_name, heartbeat_at, in_flight)
      select ${randomUUID()}::uuid, 'n', now(), array[id] from postel.queue where message_id = ${id}`
    await sql`select postel.hold(${id}::uuid, reason => 'stop')`
    expect(await blockedBy(id)).toMatch(
      /^held: stop \(by .*\); it was being sent then, and that result still counts$/,
    )
  })
})
