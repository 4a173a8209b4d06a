/** Projects: made and deleted by admins, changed by maintainers, seen by nobody else. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { makeKey } from '@postel/db/testing/make-key'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let a: Tenant
let b: Tenant
let admin: string
let operator: string

beforeAll(async () => {
  api = await startApi()
  a = await api.tenant('a.test')
  b = await api.tenant('b.test')
  await api.sql`update postel.ip_pools set is_default = true where id = (select min(id) from postel.ip_pools)`
  admin = await makeKey(api.sql, { organizationId: a.organizationId })
  operator = await makeKey(api.sql)
})
afterAll(() => api.stop())

const create = (body: object, key = admin) => api.call('POST', '/projects', { key, body })
const show = (id: string, key = admin) => api.call('GET', `/projects/${id}`, { key })
const poolOf = async (tenant: Tenant) => {
  const [row] = await api.sql<{ name: string }[]>`
    select l.name from postel.ip_pools l join postel.projects p on p.pool_id = l.id where p.id = ${tenant.projectId}`
  return row!.name
}

const settings = {
  retry_schedule: [60, 300],
  expire_after: 86_400,
  priority: 'low',
  tls: 'enforced',
  reports: 'failures',
  delay_notice_after: 14_400,
  retention_days: 7,
  body_retention_days: 0,
  unsubscribe: true,
  recipients_per_second: 50,
}

test('a project shows what it was made with', async () => {
  const pool = await poolOf(a)
  const made = await create({ name: 'newsletters', pool, ...settings })
  expect(made.status).toBe(201)
  expect((await show(made.body.id)).body).toEqual({
    object: 'project',
    id: made.body.id,
    name: 'newsletters',
    pool,
    created_at: expect.any(String),
    ...settings,
  })
})

test('what is left out is as the installation has it', async () => {
  const { body } = await create({ name: 'plain' })
  expect((await show(body.id)).body).toMatchObject({
    retry_schedule: null,
    expire_after: 259_200,
    priority: 'normal',
    tls: 'opportunistic',
    reports: 'asked',
    delay_notice_after: null,
    retention_days: null,
    body_retention_days: null,
    unsubscribe: false,
    recipients_per_second: null,
  })
})

test('PATCH changes what it names, and nothing else', async () => {
  const { id } = (await create({ name: 'patched', ...settings })).body
  const changes = { name: 'patched anew', retry_schedule: null, priority: 33, retention_days: null }
  expect((await api.call('PATCH', `/projects/${id}`, { key: admin, body: changes })).status).toBe(200)
  expect((await show(id)).body).toMatchObject({ ...settings, ...changes })
})

test('a maintainer changes its own project, and neither makes nor deletes any', async () => {
  const path = `/projects/${a.projectId}`
  const patched = await api.call('PATCH', path, { key: a.key, body: { unsubscribe: true } })
  expect(patched.status).toBe(200)
  expect((await create({ name: 'x' }, a.key)).body.name).toBe('invalid_permission')
  expect((await api.call('DELETE', path, { key: a.key })).body.name).toBe('invalid_permission')
  const other = (await create({ name: 'not of this key' })).body.id
  expect((await api.call('PATCH', `/projects/${other}`, { key: a.key, body: {} })).status).toBe(404)
  expect((await api.call('GET', '/projects', { key: a.key })).body.data).toHaveLength(1)
})

test("another organization's project looks like one that is not there", async () => {
  for (const [method, body] of [['GET'], ['PATCH', { name: 'x' }], ['DELETE']] as [string, object?][]) {
    const ask = (id: string) => api.call(method, `/projects/${id}`, { key: admin, body })
    const theirs = await ask(b.projectId)
    expect(theirs.status).toBe(404)
    expect(theirs.body).toEqual((await ask(crypto.randomUUID())).body)
  }
  expect((await show(b.projectId, b.key)).body.name).toBe('test')
})

test('a pool that only others use is not found; operators may give any', async () => {
  const pool = await poolOf(b)
  const body = { name: 'with their pool', pool }
  const theirs = await create(body)
  const absent = await create({ ...body, pool: 'no such' })
  expect(theirs).toMatchObject({ status: 422, body: { message: expect.stringContaining('`pool`') } })
  expect(theirs.body).toEqual(absent.body)
  const headers = { 'postel-organization': a.organizationId }
  expect((await api.call('POST', '/projects', { key: operator, headers, body })).status).toBe(201)
})

test('two projects of an organization do not have one name, until one is deleted', async () => {
  const { id } = (await create({ name: 'once' })).body
  expect((await create({ name: 'once' })).status).toBe(409)
  const other = (await create({ name: 'twice' })).body.id
  const renamed = await api.call('PATCH', `/projects/${other}`, { key: admin, body: { name: 'once' } })
  expect(renamed.status).toBe(409)
  await api.call('DELETE', `/projects/${id}`, { key: admin })
  expect((await create({ name: 'once' })).status).toBe(201)
})

test('a deleted project takes its keys, its passwords and its waiting mail with it', async () => {
  const { id } = (await create({ name: 'doomed' })).body
  const key = (await api.call('POST', '/api-keys', { key: admin, body: { name: 'k', project: id } })).body
  const password = (
    await api.call('POST', '/smtp-credentials', { key: admin, body: { name: 's', project: id } })
  ).body
  const email = { from: 'x@a.test', to: ['1@dest.test', '2@dest.test'], subject: 's', text: 't' }
  const later = { ...email, scheduled_at: new Date(Date.now() + 3_600_000).toISOString() }
  const headers = { 'postel-project': id }
  const sent = await Promise.all(
    [email, later].map((body) => api.call('POST', '/emails', { key: admin, headers, body })),
  )
  expect(sent.map(({ status }) => status)).toEqual([200, 200])

  const deleted = await api.call('DELETE', `/projects/${id}`, { key: admin })
  expect(deleted.body).toEqual({ object: 'project', id, deleted: true, cancelled_recipients: 4 })
  const states = await api.sql`
    select distinct d.state from postel.deliveries d join postel.messages m on m.id = d.message_id where m.project_id = ${id}`
  expect(states.map(({ state }) => state)).toEqual(['cancelled'])
  for (const secret of [key.token, password.password])
    expect((await api.call('POST', '/emails', { key: secret, body: email })).body.name).toBe(
      'invalid_api_key',
    )
  expect((await show(id)).status).toBe(404)
  const { body } = await api.call('GET', '/projects?limit=100', { key: admin })
  expect(body.data.map((project: { id: string }) => project.id)).not.toContain(id)
  // Others may not have noticed yet: what they still hand in is not stored
  const tardy = await api.call('POST', '/emails', { key: admin, headers, body: email })
  expect([404, 422]).toContain(tardy.status)
})

test.each([
  [{}, 'name'],
  [{ name: ' ' }, 'name'],
  [{ name: 'x', retry_schedule: [] }, 'retry_schedule'],
  [{ name: 'x', retry_schedule: [0] }, 'retry_schedule[0]'],
  [{ name: 'x', expire_after: 1 }, 'expire_after'],
  [{ name: 'x', expire_after: 1e30 }, 'expire_after'],
  [{ name: 'x', priority: 'urgent' }, 'priority'],
  [{ name: 'x', priority: 101 }, 'priority'],
  [{ name: 'x', tls: 'none' }, 'tls'],
  [{ name: 'x', retention_days: 0 }, 'retention_days'],
  [{ name: 'x', body_retention_days: -1 }, 'body_retention_days'],
  [{ name: 'x', unsubscribe: 1 }, 'unsubscribe'],
  [{ name: 'x', recipients_per_second: 0.5 }, 'recipients_per_second'],
])('a project with %j is refused by the name of the field', async (body, field) => {
  expect(await create(body)).toMatchObject({
    status: 422,
    body: { message: expect.stringContaining(`\`${field}\``) },
  })
})

test('the list is paged', async () => {
  const ids = async (query: string) => {
    const { body } = await api.call('GET', `/projects?${query}`, { key: admin })
    return { ids: body.data.map(({ id }: { id: string }) => id), more: body.has_more }
  }
  const all = (await ids('limit=100')).ids
  expect(await ids('limit=2')).toEqual({ ids: all.slice(0, 2), more: true })
  expect(await ids(`limit=2&after=${all[1]}`)).toEqual({ ids: all.slice(2, 4), more: true })
  expect(await ids(`limit=2&before=${all[2]}`)).toEqual({ ids: all.slice(0, 2), more: false })
})
