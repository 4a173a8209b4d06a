/** Keys of an organization or of the platform act where their headers say, and learn of nothing that is not theirs. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { makeKey } from '@postel/db/testing/make-key'
import { startApi, type Tenant, type TestApi } from './testing/start-api.ts'

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

const place = (organization?: string, project?: string) => ({
  ...(organization !== undefined && { 'postel-organization': organization }),
  ...(project !== undefined && { 'postel-project': project }),
})
const send = (key: string, from: string, headers = {}) =>
  api.call('POST', '/emails', { key, headers, body: { from, to: 'x@dest.test', subject: 's', text: 't' } })
const projectsOf = async (key: string, headers = {}) =>
  (await api.call('GET', '/projects', { key, headers })).body.data.map(({ id }: { id: string }) => id)

test('a key of the organization sends as the project that it names, by id or name', async () => {
  for (const project of [a.projectId, a.projectId.toUpperCase(), 'test'])
    expect((await send(admin, 'x@a.test', place(undefined, project))).status).toBe(200)
  expect((await send(admin, 'x@b.test', place(undefined, 'test'))).status).toBe(403)
})

test('a key of the organization has to name a project to send', async () => {
  expect(await send(admin, 'x@a.test')).toMatchObject({
    status: 422,
    body: { message: expect.stringContaining('`Postel-Project` header') },
  })
})

test('a key of the platform names the organization, and sends as its project', async () => {
  expect((await send(operator, 'x@b.test', place(b.organizationId, 'test'))).status).toBe(200)
  expect(await projectsOf(operator, place(b.organizationId))).toEqual([b.projectId])
  expect((await api.call('GET', '/projects', { key: operator })).status).toBe(422)
})

test('what is not there and what is of another are refused in the same words', async () => {
  const refusal = async (key: string, headers: object) => {
    const { status, body } = await api.call('GET', '/projects', { key, headers: { ...headers } })
    return `${status} ${body.name}: ${body.message}`
  }
  const absent = crypto.randomUUID()
  const project = '404 not_found: The project that `Postel-Project` names was not found.'
  for (const name of [b.projectId, absent, 'no such', "' or true --"]) {
    expect(await refusal(admin, place(undefined, name))).toBe(project)
    expect(await refusal(a.key, place(undefined, name))).toBe(project)
    expect(await refusal(operator, place(a.organizationId, name))).toBe(project)
  }
  const organization = '404 not_found: The organization that `Postel-Organization` names was not found.'
  for (const id of [absent, 'nonsense', b.organizationId]) {
    expect(await refusal(admin, place(id))).toBe(organization)
    expect(await refusal(a.key, place(id))).toBe(organization)
    if (id !== b.organizationId) expect(await refusal(operator, place(id))).toBe(organization)
  }
})

test('a key of a project stays in it, and may say so', async () => {
  expect(await projectsOf(a.key, place(a.organizationId, a.projectId))).toEqual([a.projectId])
  expect(await projectsOf(a.key, place(undefined, 'test'))).toEqual([a.projectId])
})

test('a sending key of the organization sends as any of its projects, and does nothing else', async () => {
  const key = await makeKey(api.sql, { organizationId: a.organizationId, permission: 'sending_access' })
  expect((await send(key, 'x@a.test', place(undefined, 'test'))).status).toBe(200)
  expect((await api.call('GET', '/projects', { key })).body.name).toBe('restricted_api_key')
})

test('without trusted proxies X-Forwarded-For counts for nothing', async () => {
  const key = await makeKey(api.sql, { ...a, networks: ['203.0.113.0/24'] })
  const headers = { 'x-forwarded-for': '203.0.113.9' }
  expect(await api.call('GET', '/emails', { key, headers })).toMatchObject({
    status: 403,
    body: { name: 'restricted_api_key' },
  })
})
