/** The audit log: admins read their organization's, operators all of it, and nobody changes it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { makeKey } from '@postel/db/testing/make-key'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let a: Tenant
let b: Tenant
let admin: string
let operator: string
const times: string[] = []

beforeAll(async () => {
  api = await startApi()
  a = await api.tenant()
  b = await api.tenant()
  admin = await makeKey(api.sql, { organizationId: a.organizationId })
  operator = await makeKey(api.sql)
  const now = async () => {
    const [row] = await api.sql<{ at: Date }[]>`select clock_timestamp() as at`
    times.push(row!.at.toISOString())
  }
  await now()
  await api.call('POST', '/api-keys', { key: a.key, body: { name: 'first' } })
  await api.sql`select pg_sleep(0.01)`
  await now()
  await api.call('POST', '/smtp-credentials', { key: a.key, body: { name: 'second' } })
  await api.call('PATCH', `/projects/${a.projectId}`, { key: admin, body: { tls: 'enforced' } })
  await api.call('POST', '/api-keys', { key: b.key, body: { name: 'of b' } })
  await api.call('POST', '/api-keys', { key: operator, body: { name: 'of the platform' } })
})
afterAll(() => api.stop())

const names = async (key: string, query = '', headers = {}) => {
  const { body } = await api.call('GET', `/audit-log?limit=100&${query}`, { key, headers })
  return body.data.map((entry: { target: { name: string } }) => entry.target.name)
}

test('admins see their organization, newest first', async () => {
  expect(await names(admin)).toEqual(['test', 'second', 'first'])
})

test('operators see everything, or the organization that they name', async () => {
  expect(await names(operator)).toEqual(['of the platform', 'of b', 'test', 'second', 'first'])
  expect(await names(operator, '', { 'postel-organization': b.organizationId })).toEqual(['of b'])
})

test.each([
  ['action=api_key.created', ['first']],
  ['action=api_key', ['first']],
  ['action=project', ['test']],
  ['action=nothing.known', []],
  ['target=second', ['second']],
  ['actor=made%20for%20a%20test', ['test']],
  ['actor=nobody', []],
])('the filter %s finds %j', async (query, expected) => {
  expect(await names(admin, query)).toEqual(expected)
})

test('filters by time', async () => {
  expect(await names(admin, `since=${times[1]}`)).toEqual(['test', 'second'])
  expect(await names(admin, `since=${times[0]}&until=${times[1]}`)).toEqual(['first'])
})

test('a change says what was asked', async () => {
  const { body } = await api.call('GET', '/audit-log?action=project.updated', { key: admin })
  expect(body.data[0]).toMatchObject({
    action: 'project.updated',
    organization_id: a.organizationId,
    target: { kind: 'project', id: a.projectId, name: 'test' },
    actor: { kind: 'api_key', name: 'made for a test', address: '127.0.0.1' },
    details: { tls: 'enforced' },
  })
})

test('keys of a project do not read it', async () => {
  expect((await api.call('GET', '/audit-log', { key: a.key })).body.name).toBe('invalid_permission')
  expect((await api.call('GET', '/audit-log', { key: a.sendingKey })).body.name).toBe('restricted_api_key')
})

test.each([
  'since=yesterday',
  'since=1900-01-01T00:00:00Z',
  'until=9999-01-01T00:00:00Z',
  'actor=%00',
  'after=x',
])('a list with %s is refused', async (query) => {
  expect((await api.call('GET', `/audit-log?${query}`, { key: admin })).status).toBe(422)
})
