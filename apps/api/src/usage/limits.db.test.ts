/** Limits as clients meet them: quotas, rates, moderation, and what they are told of each. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ReportQueries } from '@postel/db/queries/reports'
import { UsageQueries } from '@postel/db/queries/usage'
import { awayFromMidnight } from '@postel/db/testing/factories'
import { makeKey } from '@postel/db/testing/make-key'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let operator: string

beforeAll(async () => {
  api = await startApi()
  operator = await makeKey(api.sql)
})
afterAll(() => api.stop())

const email = (to: string[] = ['ann@dest.test']) => ({ from: 'a@a.test', to, subject: 's', text: 't' })

async function newTenant(): Promise<Tenant> {
  await api.sql`update postel.domains set status = 'pending' where name = 'a.test'`
  return api.tenant('a.test')
}

const send = (tenant: Tenant, to?: string[]) =>
  api.call('POST', '/emails', { key: tenant.key, body: email(to) })

const operate = (method: string, path: string, body?: unknown) =>
  api.call(method, path, { key: operator, body })

test('mail beyond the month is refused, with until when, and /usage says what is left', async () => {
  await awayFromMidnight()
  const tenant = await newTenant()
  const limits = `/organizations/${tenant.organizationId}/limits`
  const plan = await operate('POST', '/plans', { name: `small ${tenant.projectId}`, monthly_recipients: 1 })
  expect(plan.status).toBe(201)
  expect(
    (await operate('PATCH', limits, { plan_id: plan.body.id, monthly_recipients: 3 })).body,
  ).toMatchObject({
    plan_id: plan.body.id,
    monthly_recipients: 3,
    recipients_per_second: null,
    effective: { monthly_recipients: 3, recipients_per_second: null },
  })
  expect((await send(tenant, ['a@d.test', 'b@d.test'])).status).toBe(200)
  const refused = await send(tenant, ['a@d.test', 'b@d.test'])
  expect(refused).toMatchObject({ status: 429, body: { name: 'monthly_quota_exceeded' } })
  expect(refused.body.message).toMatch(
    /quota of 3 recipients a month is used up until \d{4}-\d\d-01 00:00 UTC/,
  )
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  const batch = { key: tenant.key, body: [email(), email()] }
  expect((await api.call('POST', '/emails/batch', batch)).body.name).toBe('monthly_quota_exceeded')

  await api.sql`select pg_sleep(0.002)`
  await new UsageQueries(api.sql).count((await new ReportQueries(api.sql).eventWriters()).at)
  const { body: usage } = await api.call('GET', '/usage', { key: tenant.key })
  const today = new Date().toISOString().slice(0, 10)
  expect(usage).toMatchObject({ month: today.slice(0, 7), quota: 3, used: 2, remaining: 1 })
  expect(usage.data).toEqual([
    { day: today, project_id: tenant.projectId, project: 'test', emails: 1, recipients: 2 },
  ])
  expect((await send(tenant)).status).toBe(200)
})

test("a month's usage is asked for by its name, and is nobody else's", async () => {
  const [mine, other] = [await newTenant(), await newTenant()]
  await send(other)
  expect((await api.call('GET', '/usage', { key: mine.key })).body).toMatchObject({
    quota: null,
    used: 0,
    data: [],
  })
  expect((await api.call('GET', '/usage?month=2020-02', { key: other.key })).body).toMatchObject({ used: 0 })
  for (const month of ['2020-13', '2020', 'x', '2020-01-01'])
    expect((await api.call('GET', `/usage?month=${month}`, { key: other.key })).status).toBe(422)
  expect((await api.call('GET', '/usage', { key: other.sendingKey })).status).toBe(401)
})

test('plans are made, changed and deleted by operators only', async () => {
  const name = `plan ${Date.now()}`
  const { body: plan } = await operate('POST', '/plans', { name, recipients_per_second: 5 })
  expect(plan).toMatchObject({ name, monthly_recipients: null, recipients_per_second: 5, organizations: 0 })
  expect((await operate('POST', '/plans', { name })).status).toBe(409)
  expect((await operate('PATCH', `/plans/${plan.id}`, { monthly_recipients: 7 })).body).toMatchObject({
    name,
    monthly_recipients: 7,
    recipients_per_second: 5,
  })
  expect((await operate('PATCH', `/plans/${plan.id}`, { recipients_per_second: null })).body).toMatchObject({
    monthly_recipients: 7,
    recipients_per_second: null,
  })
  expect((await operate('GET', '/plans')).body.data[0]).toMatchObject({ id: plan.id })
  const tenant = await newTenant()
  const limits = `/organizations/${tenant.organizationId}/limits`
  await operate('PATCH', limits, { plan_id: plan.id })
  expect((await operate('DELETE', `/plans/${plan.id}`)).status).toBe(409)
  expect((await operate('PATCH', limits, { plan_id: tenant.projectId })).status).toBe(409)
  await operate('PATCH', limits, { plan_id: null })
  expect((await operate('DELETE', `/plans/${plan.id}`)).body).toMatchObject({ deleted: true })
  expect((await operate('GET', `/plans/${plan.id}`)).status).toBe(404)
  for (const path of ['/plans', limits])
    expect((await api.call('GET', path, { key: tenant.key })).status).toBe(403)
  expect((await operate('POST', '/plans', { name: 'x', monthly_recipients: -1 })).status).toBe(422)
  const rows = await api.sql`select action from postel.audit_log where target_id = ${plan.id} order by id`
  expect(rows.map(({ action }) => action)).toEqual([
    'plan.created',
    'plan.updated',
    'plan.updated',
    'plan.deleted',
  ])
})

test('mail beyond the rate is refused with the time to wait', async () => {
  const tenant = await newTenant()
  await operate('PATCH', `/organizations/${tenant.organizationId}/limits`, { recipients_per_second: 2 })
  const replies = await Promise.all(Array.from({ length: 20 }, () => send(tenant)))
  const refused = replies.find(({ status }) => status !== 200)
  expect(refused).toMatchObject({ status: 429, body: { name: 'rate_limit_exceeded' } })
  expect(refused!.headers.get('retry-after')).toBe('1')
})

test('an organization is stopped and let go on by operators, and meets it within five seconds', async () => {
  const tenant = await newTenant()
  const path = `/organizations/${tenant.organizationId}/moderation`
  expect((await operate('GET', path)).body).toMatchObject({ status: 'active', reason: null, since: null })
  expect((await api.call('PATCH', path, { key: tenant.key, body: { status: 'active' } })).status).toBe(403)
  expect((await operate('PATCH', path, { status: 'gone' })).status).toBe(422)
  expect(
    (await operate('PATCH', `/organizations/${tenant.projectId}/moderation`, { status: 'active' })).status,
  ).toBe(404)

  expect((await operate('PATCH', path, { status: 'no_receiving', reason: 'a bill' })).body).toMatchObject({
    status: 'no_receiving',
    reason: 'a bill',
  })
  expect(await send(tenant)).toMatchObject({
    status: 403,
    body: { name: 'suspended_api_key', message: 'This organization may not submit mail: a bill.' },
  })
  expect((await api.call('GET', '/emails', { key: tenant.key })).status).toBe(200)

  const held = await newTenant()
  await operate('PATCH', `/organizations/${held.organizationId}/moderation`, {
    status: 'no_sending',
    reason: 'spam',
  })
  const { body } = await send(held)
  const state = async () => {
    const [row] = await api.sql`select state from postel.deliveries where message_id = ${body.id}`
    return row!.state
  }
  expect(await state()).toBe('held')
  await operate('PATCH', `/organizations/${held.organizationId}/moderation`, { status: 'active' })
  expect(await state()).toBe('queued')
})

test('a frozen organization reads, and changes nothing', async () => {
  const tenant = await newTenant()
  await operate('PATCH', `/organizations/${tenant.organizationId}/moderation`, { status: 'frozen' })
  expect((await api.call('GET', '/emails', { key: tenant.key })).status).toBe(200)
  for (const reply of [
    await send(tenant),
    await api.call('POST', '/suppressions', { key: tenant.key, body: { email: 'x@d.test' } }),
  ])
    expect(reply).toMatchObject({ status: 403, body: { name: 'suspended_api_key' } })
  // Operators can still change it
  const limits = `/organizations/${tenant.organizationId}/limits`
  expect((await operate('PATCH', limits, { trusted: true })).body).toMatchObject({ trusted: true })
})
