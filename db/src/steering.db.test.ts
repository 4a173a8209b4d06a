/** hold, release, cancel, bounce and retry: which mail they mean, and that its state is told alike everywhere. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { MaintenanceQueries } from './queries/maintenance.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import {
  inconsistencies,
  type MessageOptions,
  makeIp,
  makeTenant,
  queueRow,
  stateOf,
  submitBatch,
  submitOne,
  type Tenant,
} from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let queries: MaintenanceQueries
let tenant: Tenant

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 3 })
  queries = new MaintenanceQueries(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  tenant = await makeTenant(sql)
})
afterEach(async () => {
  expect(await inconsistencies(sql)).toEqual([])
  await sql`
    truncate postel.waiting, postel.queue, postel.deliveries, postel.operations, postel.outbound_processes, postel.ip_holders`
})

const verbs = ['hold', 'release', 'cancel', 'bounce', 'retry_mail'] as const
type Verb = (typeof verbs)[number]
type Filter = {
  message_id?: string
  project?: string
  domain?: string
  ip?: string
  sender?: string
  recipient?: string
  older_than?: string
  reason?: string
}

/** Calls a steering function with its arguments by name; how many recipients it says. */
async function steer(verb: Verb, filter: Filter): Promise<number> {
  const types: Record<string, string> = { message_id: 'uuid', ip: 'inet', older_than: 'interval' }
  const names = Object.keys(filter)
  const args = names.map((name, index) => `${name} => $${index + 1}::text::${types[name] ?? 'text'}`)
  const [row] = await sql.unsafe(
    `select postel.${verb}(${args.join(', ')})::int as count`,
    Object.values(filter),
  )
  return row!.count as number
}

const inAnHour = () => new Date(Date.now() + 3_600_000)

/** A message whose queue rows were tried once and wait for an hour. */
async function deferredMessage(options: MessageOptions = {}): Promise<string> {
  const id = await submitOne(sql, tenant, options)
  await sql`
    with gone as (delete from postel.queue where message_id = ${id} returning *)
    insert into postel.waiting (
      state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id,
      organization_id, project_id, domain, numbers, recipients
    )
    select 'deferred', now() + interval '1 hour', '451 later', ip_id, priority, 1, lost_holders, size_bytes, expires_at,
      message_id, organization_id, project_id, domain, numbers, recipients
    from gone`
  await sql`update postel.deliveries set state = 'deferred', last_reply = '451 later' where message_id = ${id}`
  return id
}

/** A living process that says that it is sending these queue rows. */
async function sending(...ids: number[]): Promise<void> {
  await sql`
    insert into postel.outbound_processes (id, node_name, heartbeat_at, in_flight)
    values (${randomUUID()}, 'node', now(), ${ids}::bigint[])`
}

describe('the states that a verb leads to', () => {
  const messages: [string, () => Promise<string>][] = [
    ['queued', () => submitOne(sql, tenant)],
    ['deferred', () => deferredMessage()],
    ['scheduled', () => submitOne(sql, tenant, { sendAt: inAnHour() })],
    [
      'held',
      async () => {
        const id = await submitOne(sql, tenant)
        await steer('hold', { message_id: id })
        return id
      },
    ],
  ]
  test.each(messages)('%s mail is held, and an event says so', async (state, make) => {
    const id = await make()
    expect(await steer('hold', { message_id: id, reason: 'phishing?' })).toBe(state === 'held' ? 0 : 1)
    expect(await stateOf(sql, id)).toEqual({
      deliveries: ['1 held'],
      queue: [],
      waiting: ['held dest.test 1'],
      events: ['accepted', '1 held'],
    })
    if (state === 'held') return
    const [row] = await sql`select reason, held_from from postel.waiting where message_id = ${id}`
    expect(row!.held_from).toBe(state)
    expect(row!.reason).toMatch(/^phishing\? \(by \w+, \d{4}-\d\d-\d\d \d\d:\d\d UTC\)$/)
  })

  test.each(messages)('%s mail is cancelled, and an event says so', async (state, make) => {
    const id = await make()
    expect(await steer('cancel', { message_id: id })).toBe(1)
    expect(await stateOf(sql, id)).toEqual({
      deliveries: ['1 cancelled'],
      queue: [],
      waiting: [],
      events: ['accepted', ...(state === 'held' ? ['1 held'] : []), '1 cancelled'],
    })
  })

  test.each(messages)(
    '%s mail bounces with the reason as its reply, and an event says so',
    async (state, make) => {
      const id = await make()
      expect(await steer('bounce', { message_id: id, reason: 'not from this server' })).toBe(1)
      expect(await stateOf(sql, id)).toEqual({
        deliveries: ['1 bounced'],
        queue: [],
        waiting: [],
        events: ['accepted', ...(state === 'held' ? ['1 held'] : []), '1 bounced'],
      })
      const [row] = await sql`select last_reply from postel.deliveries where message_id = ${id}`
      expect(row).toEqual({ last_reply: 'not from this server' })
    },
  )

  test.each(verbs)('%s leaves final mail alone', async (verb) => {
    const ids = await Promise.all(
      ['delivered', 'bounced', 'expired'].map(async (state) => {
        const id = await submitOne(sql, tenant)
        await sql`delete from postel.queue where message_id = ${id}`
        await sql`update postel.deliveries set state = ${state} where message_id = ${id}`
        await sql`
        insert into postel.events (organization_id, message_id, number, type)
        values (${tenant.organizationId}, ${id}, 1, ${state})`
        return id
      }),
    )
    for (const id of ids) {
      const before = await stateOf(sql, id)
      expect(
        await steer(verb, verb === 'retry_mail' ? { recipient: 'ann@dest.test' } : { message_id: id }),
      ).toBe(0)
      expect(await stateOf(sql, id)).toEqual(before)
    }
  })
})

describe('release', () => {
  test('lets mail go where it was: scheduled for its time, the rest now', async () => {
    const sendAt = inAnHour()
    const ids = {
      deferred: await deferredMessage(),
      scheduled: await submitOne(sql, tenant, { sendAt }),
      queued: await submitOne(sql, tenant),
    }
    for (const id of Object.values(ids)) await steer('hold', { message_id: id })
    await sql`update postel.waiting set not_before = not_before - interval '3 s' where held_from = 'queued'`
    for (const id of Object.values(ids)) expect(await steer('release', { message_id: id })).toBe(1)
    expect(await stateOf(sql, ids.deferred)).toMatchObject({
      deliveries: ['1 queued'],
      queue: ['dest.test 1'],
    })
    expect(await stateOf(sql, ids.queued)).toMatchObject({ deliveries: ['1 queued'], queue: ['dest.test 1'] })
    expect(await stateOf(sql, ids.scheduled)).toEqual({
      deliveries: ['1 scheduled'],
      queue: [],
      waiting: ['scheduled dest.test 1'],
      events: ['accepted', '1 held', '1 released'],
    })
    const [row] = await sql`select not_before from postel.waiting where message_id = ${ids.scheduled}`
    expect(row!.not_before).toEqual(sendAt)
  })

  test('of mail that was scheduled for a time gone by sends it now, with all its time to live', async () => {
    const id = await submitOne(sql, tenant, { sendAt: inAnHour() })
    await steer('hold', { message_id: id })
    await sql`
      update postel.waiting set not_before = now() - interval '5 days', expires_at = now() - interval '2 days'
      where message_id = ${id}`
    await steer('release', { message_id: id })
    const [row] = await sql`
      select extract(epoch from expires_at - now())::int as seconds from postel.queue where message_id = ${id}`
    expect(row!.seconds).toBeGreaterThan(3 * 86_400 - 60)
  })

  test('gives back the time that mail was held', async () => {
    const id = await submitOne(sql, tenant)
    const [before] = await sql`select expires_at from postel.queue where message_id = ${id}`
    await steer('hold', { message_id: id })
    await sql`update postel.waiting set not_before = not_before - interval '2 days' where message_id = ${id}`
    await steer('release', { message_id: id })
    const [after] = await sql`select expires_at from postel.queue where message_id = ${id}`
    const given = (after!.expires_at.getTime() - before!.expires_at.getTime()) / 1000
    expect(given).toBeGreaterThan(2 * 86_400 - 5)
    expect(given).toBeLessThan(2 * 86_400 + 60)
  })

  test('right after the hold waits until a sender that had it loaded would have said so', async () => {
    const id = await submitOne(sql, tenant)
    await steer('hold', { message_id: id })
    // However long this test takes, the hold is as if it were of this moment
    const [held] = await sql<{ at: Date }[]>`
      update postel.waiting set not_before = now() + interval '1 minute' where message_id = ${id} returning now() as at`
    expect(await steer('release', { message_id: id })).toBe(1)
    expect(await stateOf(sql, id)).toMatchObject({
      deliveries: ['1 deferred'],
      queue: [],
      waiting: ['deferred dest.test 1'],
    })
    const [row] = await sql`
      select not_before > ${held!.at} as waits, not_before <= now() + interval '2 s' as briefly
      from postel.waiting where message_id = ${id}`
    expect(row).toEqual({ waits: true, briefly: true })
    const [job] =
      await sql`select count(*)::int as jobs from graphile_worker.jobs where task_identifier = 'release_due'`
    expect(job!.jobs).toBeGreaterThan(0)
  })

  test('gives mail of an IP that no longer sends another one of its pool', async () => {
    const id = await submitOne(sql, tenant)
    await steer('hold', { message_id: id })
    await sql`update postel.waiting set not_before = not_before - interval '3 s'`
    await sql`update postel.ip_addresses set state = 'quarantined', state_reason = 'listed' where id = ${tenant.ips[0]!.id}`
    const other = await makeIp(sql, tenant.poolId)
    await steer('release', { message_id: id })
    const [row] = await sql`select ip_id, ip_reason from postel.deliveries where message_id = ${id}`
    expect(row!.ip_id).toBe(other.id)
    expect(row!.ip_reason).toMatch(
      new RegExp(`was on ${tenant.ips[0]!.address}, which is quarantined: listed$`),
    )
  })
})

describe('mail that is being sent', () => {
  test.each(['cancel', 'bounce'] as const)('is left out by %s, queued or held', async (verb) => {
    const [queued, held, other] = [
      await submitOne(sql, tenant),
      await submitOne(sql, tenant),
      await submitOne(sql, tenant),
    ]
    await sending((await queueRow(sql, queued)).id, (await queueRow(sql, held)).id)
    expect(await steer('hold', { message_id: held })).toBe(1)
    expect(await steer(verb, { project: tenant.projectId })).toBe(1)
    expect((await stateOf(sql, queued)).deliveries).toEqual(['1 queued'])
    expect((await stateOf(sql, held)).deliveries).toEqual(['1 held'])
    expect((await stateOf(sql, other)).deliveries).toEqual([verb === 'cancel' ? '1 cancelled' : '1 bounced'])
  })

  test('is not left out for a process that has been silent for a minute', async () => {
    const id = await submitOne(sql, tenant)
    await sending((await queueRow(sql, id)).id)
    await sql`update postel.outbound_processes set heartbeat_at = now() - interval '61 s'`
    expect(await steer('cancel', { message_id: id })).toBe(1)
  })

  test('is not sent again when it was held and released meanwhile, until its sender is done', async () => {
    const id = await submitOne(sql, tenant)
    await sending((await queueRow(sql, id)).id)
    await steer('hold', { message_id: id })
    await steer('release', { message_id: id })
    for (const seconds of [0, 12]) {
      await sql`update postel.waiting set not_before = now() - interval '1 s' where ${seconds >= 0}`
      expect((await queries.releaseDue(100)).moved).toBe(1)
      expect(await stateOf(sql, id)).toMatchObject({ queue: [], waiting: ['deferred dest.test 1'] })
      const [row] = await sql`
        select extract(epoch from not_before - now())::float8 as seconds from postel.waiting where message_id = ${id}`
      expect(row!.seconds).toBeGreaterThan(8)
    }
    await sql`update postel.outbound_processes set in_flight = '{}'`
    await sql`update postel.waiting set not_before = now() - interval '1 s'`
    await queries.releaseDue(100)
    expect(await stateOf(sql, id)).toMatchObject({ queue: ['dest.test 1'], waiting: [] })
  })
})

describe('which mail is meant', () => {
  /** What each filter finds, of seven messages. */
  async function mailbag(): Promise<Record<string, string>> {
    const other = await makeTenant(sql)
    await sql`update postel.projects set name = 'shared' where id in (${tenant.projectId}, ${other.projectId})`
    const [old] = (
      await submitBatch(sql, tenant, [{ to: ['old@dest.test'] }], new Date(Date.now() - 7_200_000))
    ).messageIds
    // ids are made by the clock of now, so an old message has an old id
    const floor = await sql<{ id: string }[]>`select postel.uuid_v7_floor(now() - interval '2 hours') as id`
    for (const table of ['messages', 'deliveries', 'queue'] as const)
      await sql`
        update postel.${sql(table)} set ${sql(table === 'messages' ? 'id' : 'message_id')} = ${floor[0]!.id}
        where ${sql(table === 'messages' ? 'id' : 'message_id')} = ${old!}`
    await sql`update postel.events set message_id = ${floor[0]!.id} where message_id = ${old!}`
    return {
      old: floor[0]!.id,
      plain: await submitOne(sql, tenant, { to: ['ann@dest.test'] }),
      deferred: await deferredMessage({ to: ['bob@dest.test'] }),
      below: await submitOne(sql, tenant, { to: ['ann@mx.sub.dest.test'] }),
      scheduled: await submitOne(sql, tenant, { to: ['ann@else.test'], sendAt: inAnHour() }),
      foreign: await submitOne(sql, other, { to: ['ann@dest.test'] }),
    }
  }

  const all = ['old', 'plain', 'deferred', 'below', 'scheduled']
  test.each<[string, (bag: Record<string, string>) => Filter, string[]]>([
    ['a project', () => ({ project: tenant.projectId }), all],
    ['a domain', () => ({ domain: 'Dest.Test.' }), ['old', 'plain', 'deferred', 'foreign']],
    ['all below a domain', () => ({ domain: '*.dest.test' }), ['below']],
    ['an IP', () => ({ ip: tenant.ips[0]!.address }), all],
    ['a sender', () => ({ sender: `A@${tenant.domain}` }), all],
    ['all senders of a domain', () => ({ sender: `*@${tenant.domain}` }), all],
    ['a recipient', () => ({ recipient: 'ANN@dest.test' }), ['plain', 'foreign']],
    ['an age', () => ({ older_than: '1 hour' }), ['old']],
    [
      'a domain in a project',
      () => ({ project: tenant.projectId, domain: 'dest.test' }),
      ['old', 'plain', 'deferred'],
    ],
    [
      'all of it',
      () => ({
        project: tenant.projectId,
        domain: 'dest.test',
        ip: tenant.ips[0]!.address,
        sender: `a@${tenant.domain}`,
        recipient: 'old@dest.test',
        older_than: '90 minutes',
      }),
      ['old'],
    ],
    [
      'a message that is not of the project',
      (bag) => ({ message_id: bag.foreign!, project: tenant.projectId }),
      [],
    ],
    ['a sender that nobody is', () => ({ sender: 'b@else.test' }), []],
  ])('%s', async (_, filter, expected) => {
    const bag = await mailbag()
    expect(await steer('hold', filter(bag))).toBe(expected.length)
    const rows = await sql<
      { id: string }[]
    >`select message_id as id from postel.deliveries where state = 'held'`
    const names = Object.entries(bag)
      .filter(([, id]) => rows.some((row) => row.id === id))
      .map(([name]) => name)
    expect(names).toEqual(Object.keys(bag).filter((name) => expected.includes(name)))
    expect(await steer('release', filter(bag))).toBe(expected.length)
    expect(await steer('cancel', filter(bag))).toBe(expected.length)
    const [left] = await sql`select count(*)::int as left from postel.deliveries where state <> 'cancelled'`
    expect(left!.left).toBe(6 - expected.length)
  })

  test('of several recipients only the one that is named, and the others go on', async () => {
    const to = ['ann@dest.test', 'bob@dest.test', 'carol@dest.test', 'bob@else.test']
    const [queued, deferred, scheduled] = [
      await submitOne(sql, tenant, { to }),
      await deferredMessage({ to }),
      await submitOne(sql, tenant, { to, sendAt: inAnHour() }),
    ]
    const [before] = await sql<{ now: Date }[]>`select now()`
    expect(await steer('hold', { recipient: 'bob@dest.test' })).toBe(3)
    expect(await stateOf(sql, queued)).toMatchObject({
      deliveries: ['1 deferred', '2 held', '3 deferred', '4 queued'],
      queue: ['else.test 4'],
      waiting: ['deferred dest.test 1,3', 'held dest.test 2'],
    })
    expect((await stateOf(sql, deferred)).waiting).toEqual([
      'deferred dest.test 1,3',
      'held dest.test 2',
      'deferred else.test 4',
    ])
    expect((await stateOf(sql, scheduled)).deliveries).toEqual([
      '1 scheduled',
      '2 held',
      '3 scheduled',
      '4 scheduled',
    ])
    // What was parted is on its way again in two seconds, and a result of who had it loaded would count
    const [row] = await sql`
      select count(*)::int as rows from postel.waiting
      where former_id is not null and message_id = ${queued}
        and not_before between ${before!.now}::timestamptz + interval '1 s' and now() + interval '2 s'`
    expect(row!.rows).toBe(1)

    expect(await steer('release', { message_id: scheduled, recipient: 'bob@dest.test' })).toBe(1)
    expect((await stateOf(sql, scheduled)).deliveries).toEqual([
      '1 scheduled',
      '2 scheduled',
      '3 scheduled',
      '4 scheduled',
    ])
    expect(await steer('bounce', { recipient: 'bob@dest.test', reason: 'no' })).toBe(3)
    expect((await stateOf(sql, deferred)).deliveries).toEqual([
      '1 deferred',
      '2 bounced',
      '3 deferred',
      '4 deferred',
    ])
  })

  test('a row in flight is not parted by cancel', async () => {
    const id = await submitOne(sql, tenant, { to: ['ann@dest.test', 'bob@dest.test'] })
    await sending((await queueRow(sql, id)).id)
    expect(await steer('cancel', { recipient: 'bob@dest.test' })).toBe(0)
    expect((await stateOf(sql, id)).queue).toEqual(['dest.test 1,2'])
  })

  test.each<[string, Filter, RegExp]>([
    ['nothing named', {}, /which mail\? Nothing was named/],
    ['only a reason', { reason: 'x' }, /which mail/],
    ['an unknown project', { project: 'nowhere' }, /there is no project 'nowhere'/],
    ['an address as domain', { domain: 'ann@dest.test' }, /not a domain/],
    ['a pattern inside a domain', { domain: 'dest*.test' }, /not a domain/],
    ['an IP of others', { ip: '203.0.113.9' }, /203\.0\.113\.9 is not one of our source IPs/],
    ['a sender without a domain', { sender: 'ann' }, /not an envelope sender/],
    ['a recipient without a domain', { recipient: 'dest.test' }, /not an address/],
    ['a negative age', { older_than: '-1 hour' }, /must not be negative/],
  ])('%s is an error that says what to do', async (_, filter, message) => {
    for (const verb of verbs) {
      if (verb === 'retry_mail' && 'reason' in filter) continue
      if (verb === 'release' && 'reason' in filter) continue
      const error = await steer(verb, filter).catch((caught) => caught)
      expect(error.message).toMatch(message)
      expect(error.hint).toMatch(/\S/)
    }
  })

  test('a name that two projects have is an error that lists their ids', async () => {
    const other = await makeTenant(sql)
    await sql`update postel.projects set name = 'twice' where id in (${tenant.projectId}, ${other.projectId})`
    const error = await steer('hold', { project: 'twice' }).catch((caught) => caught)
    expect(error.message).toBe("2 projects are called 'twice'")
    expect(error.hint).toContain(tenant.projectId)
    expect(error.hint).toContain(other.projectId)
  })
})

test('retry_domain and retry_mail try deferred mail now, and nothing else', async () => {
  const [here, there] = [await deferredMessage(), await deferredMessage({ to: ['ann@else.test'] })]
  const held = await deferredMessage()
  await steer('hold', { message_id: held })
  const [row] = await sql`select postel.retry_domain('dest.test')::int as count`
  expect(row!.count).toBe(1)
  expect((await stateOf(sql, here)).queue).toEqual(['dest.test 1'])
  expect((await stateOf(sql, there)).queue).toEqual([])
  expect((await stateOf(sql, held)).deliveries).toEqual(['1 held'])
  expect(await steer('retry_mail', { project: tenant.projectName })).toBe(1)
  expect((await stateOf(sql, there)).queue).toEqual(['else.test 1'])
})

test('who asked for what is written down, and nothing where nothing was found', async () => {
  await submitOne(sql, tenant)
  await steer('hold', { project: tenant.projectName, reason: 'hacked' })
  await steer('hold', { project: tenant.projectName })
  const rows = await sql`
    select verb, matched::int, done::int, what, reason, requested_by = session_user as me
    from postel.operations_now`
  expect([...rows]).toEqual([
    {
      verb: 'hold',
      matched: 1,
      done: 1,
      what: `project ${tenant.projectName}`,
      reason: expect.stringMatching(/^hacked \(by /),
      me: true,
    },
  ])
})
