/** The log of requests, with the unmodified resend SDK. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect } from '@postel/db/client'
import type { RequestRecord } from '@postel/db/queries/request-logs'
import { forgetRequests } from '@postel/db/queries/request-logs'
import { until } from '@postel/db/testing/factories'
import { Resend } from 'resend'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'
import { RequestLog } from './request-log.ts'

let api: TestApi
let tenant: Tenant

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test')
})
afterAll(() => api.stop())

test('logs.list and logs.get show requests soon after their replies, without bodies', async () => {
  const resend = new Resend(tenant.key, { baseUrl: api.url })
  await resend.emails.send({ from: 'a@example.test', to: 'b@dest.test', subject: 'secret', text: 'secret' })
  await resend.emails.send({ from: 'a@elsewhere.test', to: 'b@dest.test', subject: 'secret', text: 'secret' })
  const requests = async () =>
    (await resend.logs.list()).data!.data.filter(({ endpoint }) => endpoint === '/emails')
  await until(async () => {
    const [row] = await api.sql`select count(*)::int as count from postel.request_logs where path = '/emails'`
    return row!.count === 2
  })

  const sent = await requests()
  expect(sent.map(({ method, response_status }) => [method, response_status])).toEqual([
    ['POST', 403],
    ['POST', 200],
  ])
  const { data, error } = await resend.logs.get(sent[0]!.id)
  expect(error).toBeNull()
  expect(data).toMatchObject({
    object: 'log',
    user_agent: expect.stringMatching(/^resend-node/),
    request_body: null,
    response_body: { statusCode: 403, name: 'validation_error' },
  })
  expect(JSON.stringify(data)).not.toContain('secret')
})

test("another tenant's requests are not shown", async () => {
  const other = await api.tenant()
  const [row] = await api.sql`
    select id from postel.request_logs where organization_id = ${tenant.organizationId} limit 1`
  expect((await api.call('GET', `/logs/${row!.id}`, { key: other.key })).status).toBe(404)
  const { body } = await api.call('GET', '/logs', { key: other.key })
  expect(body.data.map(({ id }: { id: string }) => id)).not.toContain(row!.id)
})

const record = (): RequestRecord => ({
  at: new Date(),
  organizationId: tenant.organizationId,
  projectId: tenant.projectId,
  apiKeyId: null,
  method: 'GET',
  path: '/x',
  status: 200,
  durationMs: 1,
  userAgent: null,
  error: null,
})

test('requests are dropped, and counted, while the database is away', async () => {
  let dropped = 0
  const nowhere = connect('postgres://x:y@127.0.0.1:1/z', { name: 'test', max: 1, statementTimeoutMs: 100 })
  const log = new RequestLog(nowhere, { logsDropped: (count) => (dropped += count) })
  for (let count = 0; count < 5_300; count++) log.add(record())
  await log.flush()
  await log.flush()
  await nowhere.end({ timeout: 1 })
  expect(dropped).toBe(5_300)
})

test('requests of long ago are forgotten, and later ones are not', async () => {
  await api.sql`
    insert into postel.request_logs (id, organization_id, method, path, status, duration_ms)
    select postel.uuid_v7_floor(now() - make_interval(days => d)), ${tenant.organizationId}, 'GET', '/old', 200, 1
    from unnest(array[29, 31, 32]) as d`
  expect(await forgetRequests(api.sql, 30, 1)).toBe(1)
  expect(await forgetRequests(api.sql, 30, 100)).toBe(1)
  const [row] = await api.sql`select count(*)::int as old from postel.request_logs where path = '/old'`
  expect(row!.old).toBe(1)
})
