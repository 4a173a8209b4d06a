/** Organizations: seen by those who belong to them, made by operators, deleted when nothing is left of them. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { hashSecret } from '@postel/db/queries/credentials'
import { type Browser, makePerson, signIn } from '../testing/people.ts'
import { startApi, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let operator: Browser

beforeAll(async () => {
  api = await startApi()
  operator = await signIn(api, await makePerson(api, { platformAdmin: true }))
})
afterAll(() => api.stop())

const create = async (name: string): Promise<string> =>
  (await operator.call('POST', '/organizations', { body: { name } })).body.id

async function adminOf(organizationId: string): Promise<Browser> {
  return signIn(api, await makePerson(api, { roles: { [organizationId]: 'admin' } }))
}

test('operators see all organizations, people their own, keys the one that they are of', async () => {
  const [one, two] = [await create('One'), await create('Two')]
  const names = ({ body }: { body: { data: { name: string }[] } }) => body.data.map(({ name }) => name)
  expect(names(await operator.call('GET', '/organizations?limit=2'))).toEqual(['Two', 'One'])
  const admin = await adminOf(one)
  const { body } = await admin.call('GET', '/organizations')
  expect(body.data).toMatchObject([{ id: one, name: 'One', role: 'admin', status: 'active' }])
  expect((await admin.call('GET', `/organizations/${one}`)).body.role).toBe('admin')
  expect((await admin.call('GET', `/organizations/${two}`)).status).toBe(404)
  const tenant = await api.tenant()
  const ofKey = await api.call('GET', '/organizations', { key: tenant.key })
  expect(ofKey.body.data).toMatchObject([{ id: tenant.organizationId, role: null }])
  expect((await api.call('GET', `/organizations/${one}`, { key: tenant.key })).status).toBe(404)
  expect((await api.call('GET', '/organizations', { key: tenant.sendingKey })).status).toBe(401)
  expect((await api.call('GET', '/organizations')).status).toBe(401)
})

test('only operators make them, and only a name is taken', async () => {
  const id = await create('Mine')
  const admin = await adminOf(id)
  expect((await admin.call('POST', '/organizations', { body: { name: 'Another' } })).status).toBe(403)
  const { body } = await operator.call('POST', '/organizations', {
    body: { name: ' Trimmed ', status: 'frozen', id, role: 'admin' },
  })
  expect(body).toMatchObject({ name: 'Trimmed', status: 'active', role: null })
  expect(body.id).not.toBe(id)
  for (const name of ['', '  ', 'a\u0000b', 'x'.repeat(101), 7])
    expect((await operator.call('POST', '/organizations', { body: { name } })).status).toBe(422)
})

test('admins rename their own; others cannot', async () => {
  const [one, two] = [await create('Old'), await create('Other')]
  const admin = await adminOf(one)
  expect((await admin.call('PATCH', `/organizations/${one}`, { body: { name: 'New' } })).status).toBe(200)
  expect((await operator.call('GET', `/organizations/${one}`)).body.name).toBe('New')
  expect((await admin.call('PATCH', `/organizations/${two}`, { body: { name: 'New' } })).status).toBe(404)
  const reader = await signIn(api, await makePerson(api, { roles: { [one]: 'maintainer', [two]: 'admin' } }))
  // Being an admin elsewhere is no right here
  const named = { headers: { 'postel-organization': two }, body: { name: 'Mine' } }
  expect((await reader.call('PATCH', `/organizations/${one}`, named)).status).toBe(403)
  const tenant = await api.tenant()
  const asKey = { key: tenant.key, body: { name: 'x' } }
  expect((await api.call('PATCH', `/organizations/${tenant.organizationId}`, asKey)).status).toBe(403)
})

test('one with projects stays; an empty one goes with its members, and the log remembers it', async () => {
  const { organizationId } = await api.tenant()
  expect((await operator.call('DELETE', `/organizations/${organizationId}`)).body.name).toBe(
    'resource_locked',
  )
  const id = await create('Short-lived')
  await makePerson(api, { roles: { [id]: 'admin' } })
  await api.sql`
    insert into postel.api_keys (organization_id, name, prefix, hash, revoked_at)
    values (${id}, 'old', 'pk_live_', ${randomBytes(32)}, now())`
  expect((await operator.call('DELETE', `/organizations/${id}`)).body).toMatchObject({ deleted: true })
  expect((await operator.call('DELETE', `/organizations/${id}`)).status).toBe(404)
  const logged = await api.sql<{ action: string }[]>`
    select action from postel.audit_log where organization_id = ${id} order by id`
  expect(logged.map(({ action }) => action)).toEqual(['organization.created', 'organization.deleted'])
})

test('a key says what it is', async () => {
  const tenant = await api.tenant()
  expect((await api.call('GET', '/me', { key: tenant.sendingKey })).body).toMatchObject({
    kind: 'api_key',
    role: 'sender',
    organization_id: tenant.organizationId,
    project_id: tenant.projectId,
    person: null,
    api_key: { permission: 'sending_access', scope: 'project' },
    organizations: [],
  })
  const key = `pk_live_${randomBytes(16).toString('hex')}`
  await api.sql`
    insert into postel.api_keys (name, prefix, hash) values ('platform', 'pk_live_', ${hashSecret(key)})`
  expect((await api.call('GET', '/me', { key })).body).toMatchObject({
    role: 'operator',
    api_key: { scope: 'platform' },
  })
  expect((await api.call('GET', '/me')).body.name).toBe('missing_api_key')
})
