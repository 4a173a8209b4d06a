/** SMTP credentials: passwords shown once, and networks that only operators may trust. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Credentials } from '@postel/db/queries/credentials'
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
  admin = await makeKey(api.sql, { organizationId: a.organizationId })
  operator = await makeKey(api.sql)
})
afterAll(() => api.stop())

const create = (key: string, body: object, headers = {}) =>
  api.call('POST', '/smtp-credentials', { key, body: { name: 'made', ...body }, headers })
const list = async (key: string) =>
  (await api.call('GET', '/smtp-credentials', { key })).body.data as { id: string }[]

test('a password is shown once, and stands for its project', async () => {
  const { status, body } = await create(a.key, {})
  expect({ status, body }).toEqual({
    status: 201,
    body: {
      object: 'smtp_credential',
      id: expect.any(String),
      username: 'test',
      password: expect.stringMatching(/^sp_live_[0-9A-Za-z]{32}$/),
    },
  })
  const found = await new Credentials(api.sql).bySecret(body.password)
  expect(found).toMatchObject({
    kind: 'smtp_password',
    sender: { projectId: a.projectId, domains: ['a.test'] },
  })
  expect(await list(a.key)).toMatchObject([
    { id: body.id, name: 'made', project_id: a.projectId, prefix: body.password.slice(0, 12), network: null },
  ])
  expect(JSON.stringify(await list(a.key))).not.toContain(body.password)
  const [stored] = await api.sql`
    select c::text || (select string_agg(l::text, '') from postel.audit_log l) as text
    from postel.smtp_credentials c where id = ${body.id}`
  expect(stored!.text).not.toContain(body.password.slice(12))
})

test('a revoked password opens nothing', async () => {
  const { id, password } = (await create(a.key, {})).body
  const deleted = await api.call('DELETE', `/smtp-credentials/${id}`, { key: a.key })
  expect(deleted.body).toEqual({ object: 'smtp_credential', id, deleted: true })
  expect(await new Credentials(api.sql).bySecret(password)).toBeUndefined()
  expect((await list(a.key)).map((each) => each.id)).not.toContain(id)
  expect((await api.call('DELETE', `/smtp-credentials/${id}`, { key: a.key })).status).toBe(404)
})

test('an admin names the project', async () => {
  expect((await create(admin, {})).status).toBe(422)
  expect((await create(admin, { project: 'test' })).status).toBe(201)
  for (const project of [b.projectId, crypto.randomUUID()]) {
    expect((await create(admin, { project })).status).toBe(422)
    expect((await create(a.key, { project })).status).toBe(422)
  }
})

test("another organization's credential looks like one that is not there", async () => {
  const { id } = (await create(b.key, {})).body
  for (const key of [a.key, admin]) {
    const theirs = await api.call('DELETE', `/smtp-credentials/${id}`, { key })
    const absent = await api.call('DELETE', `/smtp-credentials/${crypto.randomUUID()}`, { key })
    expect(theirs.status).toBe(404)
    expect(theirs.body).toEqual(absent.body)
  }
  expect((await list(b.key)).map((each) => each.id)).toContain(id)
})

test('only operators trust networks, and none that is half the Internet', async () => {
  const headers = { 'postel-organization': b.organizationId, 'postel-project': 'test' }
  for (const key of [a.key, admin])
    expect((await create(key, { project: 'test', network: '10.0.0.0/8' })).body.name).toBe(
      'invalid_permission',
    )
  for (const network of ['0.0.0.0/0', '10.0.0.0/7', '::/0', 'not one'])
    expect((await create(operator, { network }, headers)).status).toBe(422)
  const { body } = await create(operator, { network: '192.0.2.9/24' }, headers)
  expect(body).toMatchObject({ password: null })
  expect(await new Credentials(api.sql).networks()).toMatchObject([
    { network: '192.0.2.0/24', credential: { id: body.id, sender: { projectId: b.projectId } } },
  ])
})

test('a test key makes test passwords', async () => {
  const key = await makeKey(api.sql, { ...a, test: true })
  const { password } = (await create(key, {})).body
  expect(password).toMatch(/^sp_test_/)
  expect(await new Credentials(api.sql).bySecret(password)).toMatchObject({ sender: { test: true } })
  expect((await create(key, { test: false })).body.name).toBe('invalid_permission')
})
