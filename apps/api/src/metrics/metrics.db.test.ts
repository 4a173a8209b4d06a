/** Figures of mail, counted from its events, with the unmodified resend SDK. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { MetricsQueries } from '@postel/db/queries/metrics'
import { awayFromMidnight } from '@postel/db/testing/factories'
import { Resend } from 'resend'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant
let resend: Resend
let queries: MetricsQueries
const ids: string[] = []

beforeAll(async () => {
  await awayFromMidnight()
  api = await startApi()
  tenant = await api.tenant('example.test', 'second.test')
  resend = new Resend(tenant.key, { baseUrl: api.url })
  queries = new MetricsQueries(api.sql)
  for (const from of ['a@example.test', 'a@example.test', 'a@second.test']) {
    const { data } = await resend.emails.send({
      from,
      to: ['b@dest.test', 'c@dest.test'],
      subject: 's',
      text: 't',
    })
    ids.push(data!.id)
  }
  const happened = (index: number, number: number, type: string, category: string | null = 'none') => api.sql`
    with tried as (
      insert into postel.attempts (message_id, number, attempt, at, duration_ms, outcome, in_doubt, category)
      select ${ids[index]!}, ${number}, 1, now(), 1, case ${type} when 'expired' then 'deferred' else ${type} end, false, ${category}
      where ${category !== null}
    ), settled as (
      update postel.deliveries set state = ${type}, attempts = ${category === null ? 0 : 1}
      where message_id = ${ids[index]!} and number = ${number} and ${!['opened', 'clicked'].includes(type)}
    )
    insert into postel.events (organization_id, message_id, number, type)
    values (${tenant.organizationId}, ${ids[index]!}, ${number}, ${type})`
  await happened(0, 1, 'delivered')
  await happened(0, 2, 'bounced')
  await happened(1, 1, 'delivered')
  await happened(1, 2, 'expired', 'mailbox_full')
  await happened(2, 1, 'delivered')
  await happened(2, 2, 'expired', null)
  for (const type of ['opened', 'opened', 'clicked']) await happened(0, 1, type, null)
  // In pieces, and again: each event counts once
  while ((await queries.countEvents('ffffffff-ffff-7fff-bfff-ffffffffffff', 4)) === 4);
  await queries.countEvents('ffffffff-ffff-7fff-bfff-ffffffffffff', 4)
})
afterAll(() => api.stop())

const all = {
  received: 0,
  sent: 6,
  delivered: 3,
  suppressed: 0,
  bounced: 2,
  bounced_permanent: 1,
  bounced_transient: 1,
  bounced_undetermined: 0,
  delivery_delayed: 0,
  failed: 1,
  complained: 0,
  unsubscribed: 0,
  opened: 2,
  clicked: 1,
  unique_opened: 1,
  unique_clicked: 1,
  delivery_rate: 0.5,
  bounce_rate: 0.333333,
  open_rate: 0.333333,
  click_rate: 0.333333,
  complaint_rate: 0,
  unsubscribe_rate: 0,
}

test('emails.metrics has every figure in all', async () => {
  const { data, error } = await resend.emails.metrics()
  expect(error).toBeNull()
  expect(data).toMatchObject({ object: 'metrics', granularity: 'daily', dimensions: [], totals: all })
  expect(data).not.toHaveProperty('data')
  const days = (Date.parse(data!.end_date) - Date.parse(data!.start_date)) / 86_400_000
  expect(days).toBe(6)
})

test('figures by domain and period', async () => {
  const today = new Date().toISOString().slice(0, 10)
  const { data } = await resend.emails.metrics({
    dimensions: ['period', 'domain'],
    metrics: ['sent', 'delivery_rate'],
    endDate: today,
  })
  const [first, second] = await api.sql`
    select id from postel.domains where organization_id = ${tenant.organizationId} order by name`
  expect(data!.data).toEqual([
    { period: today, domain_id: first!.id, domain_name: 'example.test', sent: 4, delivery_rate: 0.5 },
    { period: today, domain_id: second!.id, domain_name: 'second.test', sent: 2, delivery_rate: 0.5 },
  ])
  const one = await resend.emails.metrics({ domainId: [second!.id], metrics: ['sent'] })
  expect(one.data!.totals).toEqual({ sent: 2 })
})

test('figures of single emails need no count before', async () => {
  const { data } = await resend.emails.metrics({
    dimensions: ['email'],
    emailId: [ids[0]!, ids[2]!],
    metrics: ['sent', 'delivered', 'bounced', 'failed', 'unique_opened'],
  })
  expect(data!.data).toEqual([
    { email_id: ids[2], sent: 2, delivered: 1, bounced: 0, failed: 1, unique_opened: 0 },
    { email_id: ids[0], sent: 2, delivered: 1, bounced: 1, failed: 0, unique_opened: 1 },
  ])
  expect(data!.totals).toEqual({ sent: 4, delivered: 2, bounced: 1, failed: 1, unique_opened: 1 })
})

test('periods begin where the time zone says', async () => {
  const own = await api.tenant('zone.test')
  await api.sql`
    insert into postel.email_metrics (organization_id, project_id, period, domain, sent)
    values
      (${own.organizationId}, ${own.projectId}, '2026-03-28T18:15:00Z', '', 1),
      (${own.organizationId}, ${own.projectId}, '2026-03-28T18:30:00Z', '', 2)`
  const ask = async (query: string) => {
    const { body } = await api.call(
      'GET',
      `/emails/metrics?start_date=2026-03-01&end_date=2026-03-31&metrics=sent&dimensions=period&${query}`,
      { key: own.key },
    )
    return body.data.map(({ period, sent }: { period: string; sent: number }) => [period, sent])
  }
  expect(await ask('timezone=UTC')).toEqual([['2026-03-28', 3]])
  expect(await ask('timezone=Asia/Kolkata')).toEqual([
    ['2026-03-28', 1],
    ['2026-03-29', 2],
  ])
  expect(await ask('granularity=hourly')).toMatchObject({ length: 1 })
  expect(await ask('granularity=weekly')).toEqual([['2026-03-23', 3]])
  expect(await ask('granularity=monthly')).toEqual([['2026-03-01', 3]])
})

test("another tenant's mail is not counted", async () => {
  const other = await api.tenant()
  for (const query of ['', `?email_id=${ids[0]}`])
    expect((await api.call('GET', `/emails/metrics${query}`, { key: other.key })).body.totals.sent).toBe(0)
})

describe('refused', () => {
  test.each([
    'start_date=yesterday',
    'start_date=2026-13-01',
    'start_date=0000-01-01',
    'start_date=2026-11-02&end_date=2026-11-01',
    'start_date=2020-01-01&end_date=2026-01-01',
    'start_date=2026-01-01&end_date=2026-06-01&granularity=hourly',
    'end_date=275760-09-13',
    'timezone=Mars/Olympus',
    'timezone=%2B05:00',
    "timezone=UTC'--",
    'granularity=yearly',
    'metrics=sent,all',
    'metrics=constructor',
    'dimensions=broadcast',
    'dimensions=email',
    'domain_id=x',
    `email_id=${'0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'}&dimensions=period`,
  ])('%s', async (query) => {
    expect((await api.call('GET', `/emails/metrics?${query}`, { key: tenant.key })).status).toBe(422)
  })
})
