/** What waits can be looked at and steered: a tenant its own, an operator anybody's. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import {
  inconsistencies,
  makeTenant,
  submitBatch,
  submitOne,
  type Tenant,
} from '@postel/db/testing/factories'
import { makeKey } from '@postel/db/testing/make-key'
import { startApi, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let operator: string
let tenant: Tenant
let key: string
let other: Tenant
let otherKey: string

beforeAll(async () => {
  api = await startApi()
  operator = await makeKey(api.sql)
})
beforeEach(async () => {
  await api.sql`truncate postel.queue, postel.waiting, postel.operations, postel.deliveries, postel.messages`
  tenant = await makeTenant(api.sql)
  other = await makeTenant(api.sql)
  const { organizationId, projectId } = tenant
  key = await makeKey(api.sql, { organizationId, projectId })
  otherKey = await makeKey(api.sql, { organizationId: other.organizationId, projectId: other.projectId })
})
afterAll(async () => {
  expect(await inconsistencies(api.sql)).toEqual([])
  await api.stop()
})

const get = async (path: string, by = key) => (await api.call('GET', path, { key: by })).body
const steer = (verb: string, body: object, by = key) => api.call('POST', `/queue/${verb}`, { key: by, body })
const states = async (by = key): Promise<Record<string, number>> =>
  Object.fromEntries(
    (await get('/queue', by)).data.map((row: { state: string; recipients: number }) => [
      row.state,
      row.recipients,
    ]),
  )

/** Two recipients at a.test, one at b.test, one scheduled at c.test. */
async function mail(of: Tenant) {
  await submitOne(api.sql, of, { to: ['ann@a.test', 'bob@a.test', 'cat@b.test'] })
  return submitOne(api.sql, of, { to: ['dan@c.test'], sendAt: new Date(Date.now() + 3_600_000) })
}

test('a tenant sees what waits of its own by state, domain, IP and message', async () => {
  const scheduled = await mail(tenant)
  await mail(other)
  const time = expect.stringMatching(/^\d{4}-.*\+00$/)
  expect((await get('/queue')).data).toEqual([
    { state: 'queued', messages: 1, recipients: 3, oldest_at: time, next_due_at: null },
    { state: 'scheduled', messages: 1, recipients: 1, oldest_at: time, next_due_at: time },
  ])
  const domains = await get('/queue/domains?limit=2')
  expect(domains.has_more).toBe(true)
  expect(domains.data[0]).toEqual({
    domain: 'a.test',
    site: null,
    queued: 1,
    deferred: 0,
    scheduled: 0,
    held: 0,
    in_flight: 0,
    oldest_at: time,
    next_due_at: null,
    blocked_by: null,
  })
  expect((await get('/queue/ips')).data).toEqual([
    expect.objectContaining({ ip: tenant.ips[0]!.address, pool: tenant.poolName, queued: 2 }),
  ])
  const messages = await get('/queue/messages')
  expect(messages.data).toHaveLength(2)
  expect(messages.data[0]).toMatchObject({ id: scheduled, project_id: tenant.projectId })
  expect(messages.data[1].parts).toMatchObject([
    {
      domain: 'a.test',
      state: 'queued',
      recipients: ['ann@a.test', 'bob@a.test'],
      ip: tenant.ips[0]!.address,
    },
    { domain: 'b.test', state: 'queued', recipients: ['cat@b.test'] },
  ])
})

test('messages are filtered and paged', async () => {
  const ids = (
    await submitBatch(
      api.sql,
      tenant,
      Array.from({ length: 3 }, () => ({})),
    )
  ).messageIds
    .toSorted()
    .toReversed()
  await mail(tenant)
  const of = async (query: string) =>
    (await get(`/queue/messages?${query}`)).data.map(({ id }: { id: string }) => id)
  expect(await of('domain=dest.test')).toEqual(ids)
  expect(await of(`domain=dest.test&limit=1&after=${ids[0]}`)).toEqual([ids[1]])
  expect(await of(`domain=dest.test&limit=1&before=${ids[2]}`)).toEqual([ids[1]])
  expect(await of('state=scheduled')).toHaveLength(1)
  expect(await of('state=held')).toEqual([])
  expect(await of(`ip=${tenant.ips[0]!.address}&domain=a.test`)).toHaveLength(1)
  expect(await of(`ip=${other.ips[0]!.address}`)).toEqual([])
})

test('an operator sees the mail of everybody, or of whom it names', async () => {
  await mail(tenant)
  await mail(other)
  expect(await states(operator)).toEqual({ queued: 6, scheduled: 2 })
  const headers = { 'postel-organization': tenant.organizationId }
  const named = await api.call('GET', '/queue', { key: operator, headers })
  expect(named.body.data.map(({ recipients }: { recipients: number }) => recipients)).toEqual([3, 1])
})

test('what blocks a domain is said', async () => {
  await mail(tenant)
  await api.sql`select postel.suspend('a.test', 'they asked us to')`
  const [domain] = (await get('/queue/domains')).data
  expect(domain.blocked_by).toMatch(/^mail to a\.test is suspended by .*: they asked us to$/)
  await api.sql`select postel.resume('a.test')`
})

test('hold, release, retry, cancel and bounce do what they say, to the own mail only', async () => {
  await mail(tenant)
  await mail(other)
  const held = await steer('hold', { domain: 'A.test', reason: 'look first' })
  expect(held.status).toBe(202)
  expect(held.body).toMatchObject({
    object: 'queue_operation',
    verb: 'hold',
    state: 'finished',
    matched: 2,
    done: 2,
    requested_by: 'made for a test',
    filter: { domain: 'a.test', project_id: tenant.projectId, ip: null },
  })
  expect(held.body.reason).toMatch(/^look first \(by made for a test, .* UTC\)$/)
  expect(await states()).toEqual({ queued: 1, scheduled: 1, held: 2 })
  expect((await steer('release', { recipient: 'Bob@a.test' })).body).toMatchObject({ done: 1 })
  // Who was sending it in the moment of the hold may still report it, for two seconds
  const { queued, deferred = 0, ...rest } = await states()
  expect([queued! + deferred, rest]).toEqual([2, { scheduled: 1, held: 1 }])
  expect((await steer('retry', { domain: '*.test' })).body).toMatchObject({ matched: 0, state: 'finished' })
  expect((await steer('bounce', { domain: 'b.test', reason: 'no' })).body).toMatchObject({
    done: 1,
    reason: 'no',
  })
  expect((await steer('cancel', { older_than_seconds: 0 })).body).toMatchObject({ done: 3 })
  expect(await states()).toEqual({})
  expect(await states(otherKey)).toEqual({ queued: 3, scheduled: 1 })
})

test('a key of the organization reaches all its projects, one of a project only that', async () => {
  const [second] = await api.sql<{ id: string }[]>`
    insert into postel.projects (organization_id, name, pool_id)
    values (${tenant.organizationId}, 'second', ${tenant.poolId}) returning id`
  await submitOne(api.sql, tenant)
  await submitOne(api.sql, tenant, { projectId: second!.id })
  await submitOne(api.sql, other)
  const admin = await makeKey(api.sql, { organizationId: tenant.organizationId })
  expect((await steer('hold', { project_id: second!.id })).status).toBe(404)
  expect((await steer('hold', { project_id: other.projectId }, admin)).status).toBe(404)
  expect((await steer('hold', { project_id: second!.id }, admin)).body).toMatchObject({ done: 1 })
  expect((await steer('cancel', { domain: 'dest.test' })).body).toMatchObject({ done: 1 })
  expect((await steer('cancel', { domain: 'dest.test' }, admin)).body).toMatchObject({ done: 1 })
  expect((await steer('cancel', { project_id: other.projectId }, operator)).body).toMatchObject({ done: 1 })
})

test("another tenant's message is like one that is not there", async () => {
  const theirs = await mail(other)
  const absent = '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'
  const [one, two] = await Promise.all([theirs, absent].map((id) => steer('cancel', { message_id: id })))
  for (const reply of [one!, two!])
    expect(reply.body).toMatchObject({ matched: 0, done: 0, state: 'finished' })
  expect(await states(otherKey)).toEqual({ queued: 3, scheduled: 1 })
})

test('operations are listed, and only to whose mail they are about', async () => {
  await mail(tenant)
  const { body: operation } = await steer('hold', { domain: 'a.test' })
  const listed = (await get('/queue/operations')).data
  expect(listed).toEqual([expect.objectContaining({ id: operation.id, requested_by: 'made for a test' })])
  expect((await get(`/queue/operations/${operation.id}`)).id).toBe(operation.id)
  expect((await get('/queue/operations', otherKey)).data).toEqual([])
  expect((await api.call('GET', `/queue/operations/${operation.id}`, { key: otherKey })).status).toBe(404)
  const stop = (by: string) => api.call('POST', `/queue/operations/${operation.id}/stop`, { key: by })
  expect((await stop(otherKey)).status).toBe(404)
  expect((await stop(key)).status).toBe(409)
  expect((await get('/queue/operations', operator)).data).toHaveLength(1)
})

test('a large operation goes on in the background and can be stopped', async () => {
  await api.sql`
    insert into postel.operations (verb, filter, requested_by, queue_max, waiting_max, matched, organization_id, project_id)
    values (
      'hold', ${JSON.stringify({ project_id: tenant.projectId })}::text::jsonb, 'x', 0, 0, 20000, ${tenant.organizationId}, ${tenant.projectId}
    )`
  const [operation] = (await get('/queue/operations')).data
  expect(operation).toMatchObject({ state: 'running', finished_at: null, matched: 20_000 })
  const stopped = await api.call('POST', `/queue/operations/${operation.id}/stop`, { key })
  expect(stopped.body).toMatchObject({ state: 'finished', finished_at: expect.any(String) })
})

test('each operation is in the audit log of whose mail it is about', async () => {
  await steer('cancel', { sender: '*@x.test', reason: 'why' })
  const [row] =
    await api.sql`select organization_id, actor_name, action, details from postel.audit_log order by id desc limit 1`
  expect(row).toMatchObject({
    organization_id: tenant.organizationId,
    actor_name: 'made for a test',
    action: 'queue.cancel',
    details: { sender: '*@x.test', reason: 'why' },
  })
})

test.each([
  ['nothing', {}],
  ['a reason alone', { reason: 'x' }],
  ['a domain that is none', { domain: "a'; drop table" }],
  ['an IP that is not ours', { ip: '198.51.100.77' }],
  ['an IP that is none', { ip: '1.2.3' }],
  ['a sender without @', { sender: 'x' }],
  ['a negative age', { older_than_seconds: -1 }],
  ['an age beyond all', { older_than_seconds: 1e300 }],
  ['NUL', { recipient: 'a\0@x.test' }],
  ['half a surrogate pair', { sender: '\ud800@x.test' }],
])('%s as a filter is refused', async (_, filter) => {
  expect((await steer('hold', filter)).status).toBe(422)
})
