/** Operators suspend domains and projects, and lift that again. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { makeTenant, submitOne, unique } from '@postel/db/testing/factories'
import { makeKey } from '@postel/db/testing/make-key'
import { startApi, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let operator: string

beforeAll(async () => {
  api = await startApi()
  operator = await makeKey(api.sql)
})
afterAll(() => api.stop())

const call = (method: string, path: string, body?: unknown) => api.call(method, path, { key: operator, body })

test('a domain is suspended until a time, shown with what waits behind it, and resumed', async () => {
  const domain = `${unique('d')}.test`
  await submitOne(api.sql, await makeTenant(api.sql), { to: [`a@${domain}`, `b@${domain}`] })
  const until = new Date(Date.now() + 3_600_000).toISOString()
  const { status, body } = await call('POST', '/suspensions', {
    domain: domain.toUpperCase(),
    reason: 'why',
    until,
  })
  expect(status).toBe(201)
  expect(body).toMatchObject({
    domain,
    project_id: null,
    reason: 'why',
    requested_by: 'made for a test',
    queued: 2,
  })
  expect(new Date(body.until).toISOString()).toBe(until)
  const again = await call('POST', '/suspensions', { domain, reason: 'for longer' })
  expect(again.body).toMatchObject({ id: body.id, reason: 'for longer', until: null })
  expect((await call('GET', '/suspensions')).body.data).toEqual([expect.objectContaining({ id: body.id })])
  expect((await call('GET', `/suspensions/${body.id}`)).body.domain).toBe(domain)
  expect((await call('DELETE', `/suspensions/${body.id}`)).body.deleted).toBe(true)
  expect((await call('DELETE', `/suspensions/${body.id}`)).status).toBe(404)
  expect((await call('GET', `/suspensions/${body.id}`)).status).toBe(404)
  const actions = await api.sql`select action, target_name from postel.audit_log order by id`
  expect(actions.map(({ action, target_name }) => `${action} ${target_name}`)).toEqual([
    `suspension.created ${domain}`,
    `suspension.created ${domain}`,
    `suspension.deleted ${domain}`,
  ])
})

test('a project is suspended and resumed', async () => {
  const { projectId } = await makeTenant(api.sql)
  const { body } = await call('POST', '/suspensions', { project_id: projectId, reason: 'hacked' })
  expect(body).toMatchObject({ domain: null, project_id: projectId, reason: 'hacked' })
  expect((await call('DELETE', `/suspensions/${body.id}`)).status).toBe(200)
  const absent = '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'
  expect((await call('POST', '/suspensions', { project_id: absent, reason: 'x' })).status).toBe(404)
})

test.each([
  ['neither', { reason: 'x' }],
  ['both', { domain: 'a.test', project_id: '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e', reason: 'x' }],
  ['no reason', { domain: 'a.test' }],
  ['a blank reason', { domain: 'a.test', reason: ' ' }],
  ['a domain that is none', { domain: 'a..test', reason: 'x' }],
  ['an end in the past', { domain: 'a.test', reason: 'x', until: '2020-01-01T00:00:00Z' }],
  ['an end beyond all calendars', { domain: 'a.test', reason: 'x', until: '9999-12-31T00:00:00Z' }],
])('%s is refused', async (_, body) => {
  expect((await call('POST', '/suspensions', body)).status).toBe(422)
})
