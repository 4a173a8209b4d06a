/** API keys: made, listed, changed and revoked by those who may, and never with more than their maker has. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Credentials, hashSecret } from '@postel/db/queries/credentials'
import { makeKey } from '@postel/db/testing/make-key'
import { Resend } from 'resend'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let a: Tenant
let b: Tenant
let admin: string
let operator: string

beforeAll(async () => {
  api = await startApi({ API_TRUSTED_PROXIES: ['127.0.0.0/8'] })
  a = await api.tenant('a.test', 'second.a.test')
  b = await api.tenant('b.test')
  admin = await makeKey(api.sql, { organizationId: a.organizationId })
  operator = await makeKey(api.sql)
})
afterAll(() => api.stop())

const create = (key: string, body: object, headers: Record<string, string> = {}) =>
  api.call('POST', '/api-keys', { key, body: { name: 'made', ...body }, headers })
const list = async (key: string, headers: Record<string, string> = {}) =>
  (await api.call('GET', '/api-keys?limit=100', { key, headers })).body.data as Record<string, unknown>[]
const find = async (key: string, id: string) => (await list(key)).find((each) => each.id === id)
const send = (key: string, from: string, headers: Record<string, string> = {}) =>
  api.call('POST', '/emails', { key, headers, body: { from, to: 'x@dest.test', subject: 's', text: 't' } })
const soon = () => new Date(Date.now() + 3_600_000).toISOString()

test('an unmodified resend SDK creates, lists, renames and removes keys', async () => {
  const resend = new Resend(a.key, { baseUrl: api.url })
  const made = await resend.apiKeys.create({ name: 'Production', permission: 'sending_access' })
  expect(made).toMatchObject({ error: null, data: { id: expect.any(String), token: expect.any(String) } })
  const { id, token } = made.data!

  const listed = await resend.apiKeys.list({ limit: 1 })
  expect(listed.data!.data).toMatchObject([{ id, name: 'Production', last_used_at: null }])
  expect(await resend.apiKeys.update(id, { name: 'Renamed' })).toMatchObject({
    data: { object: 'api_key', id },
  })
  expect(await find(a.key, id)).toMatchObject({ name: 'Renamed', permission: 'sending_access' })

  const sender = new Resend(token, { baseUrl: api.url })
  const email = { from: 'x@a.test', to: 'x@dest.test', subject: 's', text: 't' }
  expect((await sender.emails.send(email)).error).toBeNull()
  expect((await sender.apiKeys.list()).error?.name).toBe('restricted_api_key')

  expect(await resend.apiKeys.remove(id)).toMatchObject({ data: { object: 'api_key', id, deleted: true } })
  expect((await resend.apiKeys.remove(id)).error?.name).toBe('not_found')
  const revokedAt = performance.now()
  while ((await sender.emails.send(email)).error?.name !== 'invalid_api_key') {
    expect(performance.now() - revokedAt).toBeLessThan(30_000)
    await sleep(100)
  }
})

test('a token is long, random, of its kind, and kept as a hash only', async () => {
  const { body } = await create(a.key, {})
  expect(body.token).toMatch(/^pk_live_[0-9A-Za-z]{32}$/)
  expect((await create(a.key, { test: true })).body.token).toMatch(/^pk_test_[0-9A-Za-z]{32}$/)
  const [stored] = await api.sql`select k::text as row, hash from postel.api_keys k where id = ${body.id}`
  expect(stored!.row).not.toContain(body.token)
  expect(stored!.row).not.toContain(body.token.slice(12))
  expect(stored!.hash).toEqual(hashSecret(body.token))
  const [logged] = await api.sql`select string_agg(l::text, '') as rows from postel.audit_log l`
  expect(logged!.rows).not.toContain(body.token.slice(12))
})

test('a key of a project makes keys of that project, and of no other', async () => {
  const { body } = await create(a.key, {})
  expect(await find(a.key, body.id)).toMatchObject({ project_id: a.projectId, permission: 'full_access' })
  for (const project of [b.projectId, 'test 2', crypto.randomUUID()])
    expect(await create(a.key, { project })).toMatchObject({
      status: 422,
      body: { message: expect.stringContaining('`project` field. It was not found') },
    })
  expect((await create(a.key, { project: a.projectId })).status).toBe(201)
  expect((await create(a.sendingKey, {})).body.name).toBe('restricted_api_key')
})

test("an organization's key makes keys of the organization and of each project", async () => {
  const wide = (await create(admin, {})).body
  const narrow = (await create(admin, { project: a.projectId })).body
  expect(await find(admin, wide.id)).toMatchObject({ project_id: null })
  expect(await find(admin, narrow.id)).toMatchObject({ project_id: a.projectId })
  expect((await create(admin, { project: b.projectId })).status).toBe(422)
  // A project sees its own only, and reaches no other
  expect(await find(a.key, wide.id)).toBeUndefined()
  expect((await api.call('DELETE', `/api-keys/${wide.id}`, { key: a.key })).status).toBe(404)
  expect((await api.call('GET', '/projects', { key: wide.token })).status).toBe(200)
})

test("the platform's key makes keys of the platform, and of the organization that it names", async () => {
  const own = (await create(operator, {})).body
  expect(await find(operator, own.id)).toMatchObject({ project_id: null })
  expect(await find(admin, own.id)).toBeUndefined()
  const headers = { 'postel-organization': b.organizationId }
  const { id } = (await create(operator, { project: 'test' }, headers)).body
  expect((await list(operator, headers)).map((key) => key.id)).toContain(id)
  expect(await find(b.key, id)).toMatchObject({ project_id: b.projectId })
  expect((await api.call('GET', '/audit-log', { key: own.token })).status).toBe(200)
})

test("another organization's keys look like keys that are not there", async () => {
  const { id } = (await create(b.key, {})).body
  for (const key of [a.key, admin])
    for (const [method, body] of [
      ['PATCH', { name: 'x' }],
      ['DELETE', undefined],
    ] as const) {
      const theirs = await api.call(method, `/api-keys/${id}`, { key, body })
      const absent = await api.call(method, `/api-keys/${crypto.randomUUID()}`, { key, body })
      expect(theirs.status).toBe(404)
      expect(theirs.body).toEqual(absent.body)
    }
  expect(await find(b.key, id)).toMatchObject({ name: 'made' })
  const domain = await api.sql`select id from postel.domains where name = 'b.test'`
  expect((await create(a.key, { domain_id: domain[0]!.id })).status).toBe(422)
})

test('what a key lacks it cannot give: networks, time, domain, live mail', async () => {
  const limited = await makeKey(api.sql, {
    ...a,
    networks: ['127.0.0.0/8', '10.0.0.0/8'],
    domain: 'a.test',
    test: true,
    expiresInSeconds: 7_200,
  })
  const { body } = await create(limited, {})
  expect(await find(a.key, body.id)).toMatchObject({
    networks: ['127.0.0.0/8', '10.0.0.0/8'],
    domain_id: expect.any(String),
    test: true,
    expires_at: expect.any(String),
  })
  const within = { networks: ['10.1.2.3/16'], expires_at: soon(), test: true, domain_id: 'a.test' }
  const made = (await create(limited, within)).body
  expect(await find(a.key, made.id)).toMatchObject({ networks: ['10.1.0.0/16'] })
  for (const more of [
    { networks: ['0.0.0.0/0'] },
    { networks: ['10.0.0.0/8', '11.0.0.0/24'] },
    { expires_at: new Date(Date.now() + 10_000_000).toISOString() },
    { domain_id: 'second.a.test' },
    { test: false },
  ]) {
    expect((await create(limited, more)).body.name).toBe('invalid_permission')
    if ('test' in more) continue
    const changed = await api.call('PATCH', `/api-keys/${made.id}`, { key: limited, body: more })
    expect(changed.body.name).toBe('invalid_permission')
  }
  for (const lifted of [{ networks: null }, { expires_at: null }, { domain_id: null }])
    expect((await api.call('PATCH', `/api-keys/${made.id}`, { key: limited, body: lifted })).status).toBe(403)
  const credential = await api.call('POST', '/smtp-credentials', { key: limited, body: { name: 'x' } })
  expect(credential.body.name).toBe('invalid_permission')
})

test('a key of a project does not reach full access to the organization by PATCH', async () => {
  const { id } = (await create(admin, { permission: 'sending_access' })).body
  const patch = (key: string) =>
    api.call('PATCH', `/api-keys/${id}`, { key, body: { permission: 'full_access' } })
  expect((await patch(a.key)).status).toBe(404)
  expect((await patch(admin)).status).toBe(200)
})

test('a key limited to a domain sends from that domain only, and goes with it', async () => {
  const { body } = await create(a.key, { domain_id: 'a.test', permission: 'sending_access' })
  expect((await send(body.token, 'x@a.test')).status).toBe(200)
  expect((await send(body.token, 'x@second.a.test')).status).toBe(200)
  const other = (await create(a.key, { domain_id: 'second.a.test' })).body
  expect((await send(other.token, 'x@a.test')).status).toBe(403)
  await api.sql`delete from postel.domains where name = 'second.a.test' and organization_id = ${a.organizationId}`
  expect(await find(a.key, other.id)).toBeUndefined()
})

test('a key limited to networks works from these only, as the proxy in front tells them', async () => {
  const key = (await create(a.key, { networks: ['203.0.113.0/24', '2001:db8::/32'] })).body.token
  const from = async (forwarded: string | undefined) => {
    const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
    const { status, body } = await api.call('GET', '/emails', { key, headers })
    return status === 200 ? 200 : `${status} ${body.name}`
  }
  expect(await from('203.0.113.9')).toBe(200)
  expect(await from('2001:db8::9')).toBe(200)
  expect(await from('198.51.100.1, 203.0.113.9, 127.0.0.2')).toBe(200)
  const refused = '403 restricted_api_key'
  expect(await from(undefined)).toBe(refused)
  // What the client itself put in front of its address is not believed
  expect(await from('203.0.113.9, 198.51.100.1')).toBe(refused)
  expect(await from('203.0.113.9, nonsense')).toBe(refused)
})

test('an expired key is refused, and is still listed', async () => {
  const { projectId, organizationId } = a
  const key = await makeKey(api.sql, { organizationId, projectId, expiresInSeconds: -1 })
  expect((await api.call('GET', '/emails', { key })).body.name).toBe('invalid_api_key')
  expect((await list(a.key)).map(({ prefix }) => prefix)).toContain(key.slice(0, 12))
})

test('when keys were used is written down to the minute, all in one go', async () => {
  const credentials = new Credentials(api.sql)
  const password = await api.call('POST', '/smtp-credentials', { key: a.key, body: { name: 'used' } })
  const made = (await create(a.key, {})).body
  for (const secret of [made.token, password.body.password])
    credentials.used((await credentials.bySecret(secret))!)
  await credentials.stop()
  const used = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:00\+00$/)
  expect(await find(a.key, made.id)).toMatchObject({ last_used_at: used })
  const { body } = await api.call('GET', '/smtp-credentials', { key: a.key })
  expect(body.data).toMatchObject([{ id: password.body.id, last_used_at: used }])
})

test.each([
  [{ name: '' }, 'name'],
  [{ name: 'x'.repeat(101) }, 'name'],
  [{ name: 'a\u0000b' }, 'name'],
  [{ name: 7 }, 'name'],
  [{ permission: 'admin' }, 'permission'],
  [{ networks: [] }, 'networks'],
  [{ networks: ['10.0.0.0/33'] }, 'networks[0]'],
  [{ networks: '10.0.0.0/8' }, 'networks'],
  [{ expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
  [{ expires_at: 'tomorrow' }, 'expires_at'],
  [{ domain_id: 'nowhere.test' }, 'domain_id'],
  [{ domain_id: "' or 1=1 --" }, 'domain_id'],
  [{ test: 'yes' }, 'test'],
])('a key with %j is refused by the name of the field', async (body, field) => {
  expect(await create(a.key, body)).toMatchObject({
    status: 422,
    body: { message: expect.stringContaining(`\`${field}\``) },
  })
})

test('fields that nobody may set are passed over', async () => {
  const { body } = await create(a.key, {
    organization_id: b.organizationId,
    project_id: b.projectId,
    hash: 'x',
    revoked_at: null,
    token: 'pk_live_chosen',
    role: 'operator',
  })
  expect(await find(a.key, body.id)).toMatchObject({ project_id: a.projectId })
  expect(body.token).not.toBe('pk_live_chosen')
})

test('every change is in the audit log with who made it and from where', async () => {
  const { id } = (await create(admin, { name: 'logged' }, { 'x-forwarded-for': '198.51.100.7' })).body
  await api.call('PATCH', `/api-keys/${id}`, { key: admin, body: { name: 'logged anew' } })
  await api.call('DELETE', `/api-keys/${id}`, { key: admin })
  const { body } = await api.call('GET', `/audit-log?target=${id}`, { key: admin })
  expect(body.data).toMatchObject([
    { action: 'api_key.revoked', target: { kind: 'api_key', id, name: 'logged anew' } },
    { action: 'api_key.updated', details: { name: 'logged anew' } },
    {
      action: 'api_key.created',
      organization_id: a.organizationId,
      actor: { kind: 'api_key', id: expect.any(String), name: 'made for a test', address: '198.51.100.7' },
      details: { permission: 'full_access' },
    },
  ])
})
