/** Nobody reads or sends as another, and "not yours" looks like "not there". */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startApi, type Tenant, type TestApi } from './testing/start-api.ts'

let api: TestApi
let a: Tenant
let b: Tenant
let idOfB: string

beforeAll(async () => {
  api = await startApi()
  a = await api.tenant('example.test')
  b = await api.tenant('other.test')
  const sent = await api.call('POST', '/emails', {
    key: b.key,
    body: { from: 'b@other.test', to: 'x@dest.test', subject: 'secret', text: 't' },
  })
  idOfB = sent.body.id
})
afterAll(() => api.stop())

const sendAs = (from: string) =>
  api.call('POST', '/emails', { key: a.key, body: { from, to: 'x@dest.test', subject: 's', text: 't' } })

test("another organization's message is not found, in the words for one that does not exist", async () => {
  const theirs = await api.call('GET', `/emails/${idOfB}`, { key: a.key })
  const absent = await api.call('GET', '/emails/0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e', { key: a.key })
  expect(theirs.status).toBe(404)
  expect(theirs.body).toEqual(absent.body)
  expect((await api.call('GET', `/emails/${idOfB}`, { key: b.key })).status).toBe(200)
})

test("another organization's messages are in no list, whatever the cursor", async () => {
  for (const query of [
    '',
    `?after=${idOfB}`,
    `?before=${idOfB}`,
    '?before=00000000-0000-0000-0000-000000000000',
  ])
    expect((await api.call('GET', `/emails${query}`, { key: a.key })).body.data).toEqual([])
})

test("another project's message of the same organization is not found", async () => {
  const [project] = await api.sql<{ id: string }[]>`
    insert into postel.projects (organization_id, name, pool_id)
    select organization_id, 'second', pool_id from postel.projects where id = ${b.projectId}
    returning id`
  await api.sql`update postel.api_keys set project_id = ${project!.id} where organization_id = ${b.organizationId} and permission = 'sending_access'`
  await api.sql`update postel.api_keys set permission = 'full_access' where project_id = ${project!.id}`
  expect((await api.call('GET', `/emails/${idOfB}`, { key: b.sendingKey })).status).toBe(404)
  expect((await api.call('GET', '/emails', { key: b.sendingKey })).body.data).toEqual([])
})

test.each([
  'x@other.test',
  'x@evilexample.test',
  'x@example.test.evil.test',
  'x@example.test@evil.test',
  '"x@example.test" <x@evil.test>',
  '=?utf-8?q?x=40example.test?= <x@evil.test>',
  'x@evil.test (x@example.test)',
  'x@example.test.',
  'x@ex\u0430mple.test',
  'x@xn--exmple-4nf.test',
  '<>',
  '',
])('a sender who is %j is refused', async (from) => {
  expect([403, 422]).toContain((await sendAs(from)).status)
})

test.each([
  'x@example.test',
  'X@EXAMPLE.TEST',
  'Name <x@sub.example.test>',
  '"x@example.test" <x@example.test>',
])('a sender who is %j is accepted', async (from) => {
  expect((await sendAs(from)).status).toBe(200)
})

test('a domain that is not verified yet sends nothing', async () => {
  const c = await api.tenant('pending.test')
  await api.sql`update postel.domains set status = 'pending' where name = 'pending.test'`
  const reply = await api.call('POST', '/emails', {
    key: c.key,
    body: { from: 'x@pending.test', to: 'x@dest.test', subject: 's', text: 't' },
  })
  expect(reply).toMatchObject({ status: 403, body: { name: 'validation_error' } })
})

test('a revoked key is refused', async () => {
  const c = await api.tenant()
  await api.sql`update postel.api_keys set revoked_at = now() where organization_id = ${c.organizationId}`
  expect((await api.call('GET', '/emails', { key: c.key })).body.name).toBe('invalid_api_key')
})
