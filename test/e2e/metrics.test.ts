/** /metrics of every app: the names that dashboards and alerts are built on are there, and move when something happens. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readConfig } from '@postel/api/config'
import { ApiService } from '@postel/api/service'
import { createLogger } from '@postel/runtime/logger'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

const apps = ['inbound', 'api', 'outbound', 'worker'] as const
type App = (typeof apps)[number]

let system: System
let api: ApiService
let ports: Record<App, number>
let project: string

beforeAll(async () => {
  system = await startSystem({
    addresses: ['127.0.0.1'],
    inbound: { SMTP_MAX_CONNECTIONS: '3' },
    outbound: false,
    mx: { rcpt: { 'gone@dest.test': '550 5.1.1 no such user', 'later@dest.test': '451 4.7.1 greylisted' } },
  })
  const { postel, outboundEnv } = system
  const worker = await postel.startWorker()
  const outbound = await postel.startOutbound(outboundEnv)
  const env = { POSTEL_SECRET: postel.secret, POSTEL_UNSAFE_DATABASE: 'true', LOG_LEVEL: 'silent' }
  api = new ApiService(
    readConfig({ ...env, DATABASE_URL: postel.databaseUrl, API_PORT: '0', METRICS_PORT: '0' }),
    createLogger('api', 'silent'),
  )
  await api.start()
  ports = {
    inbound: postel.ports.health,
    api: api.ports.health,
    outbound: outbound.healthPort,
    worker: worker.healthPort,
  }
  const [row] = await postel.sql<{ id: string }[]>`select id from postel.projects`
  project = row!.id
})
afterAll(async () => {
  await api?.stop()
  await system.stop()
})

const text = async (app: App) => (await fetch(`http://127.0.0.1:${ports[app]}/metrics`)).text()

/** `api:postel_x{label="value"}` → value, without the label app. */
async function scrape(): Promise<Map<string, number>> {
  const values = new Map<string, number>()
  for (const app of apps)
    for (const line of (await text(app)).split('\n')) {
      const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      if (name === undefined) continue
      const kept = labels.replace(/^app="\w+",?|,app="\w+"/, '')
      values.set(`${app}:${name}${kept && `{${kept}}`}`, Number(value))
    }
  return values
}

function send(to: string, key = system.postel.key): Promise<Response> {
  return fetch(`http://127.0.0.1:${api.ports.api}/emails`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ from: 'a@example.test', to, subject: 'x', text: 'x' }),
  })
}

const everywhere = [
  'postel_build_info{version="0.1.0"}',
  'process_cpu_seconds_total',
  'nodejs_eventloop_lag_p99_seconds',
  'postel_bus_notifications_sent_total',
  'postel_bus_notifications_lost_total',
  'postel_bus_flush_seconds_count',
]

test('what all apps have is in each, with their pools', async () => {
  const values = await scrape()
  const missing = apps.flatMap((app) =>
    everywhere.map((name) => `${app}:${name}`).filter((series) => !values.has(series)),
  )
  expect(missing).toEqual([])
  expect(
    Object.fromEntries([...values].filter(([series]) => series.includes(':postel_db_pool_connections_max'))),
  ).toMatchObject({
    'inbound:postel_db_pool_connections_max{pool="postel-inbound"}': 4,
    'inbound:postel_db_pool_connections_max{pool="postel-inbound-writer"}': 2,
    'api:postel_db_pool_connections_max{pool="postel-api"}': 8,
    'outbound:postel_db_pool_connections_max{pool="postel-outbound-record"}': 1,
    'worker:postel_db_pool_connections_max{pool="postel-worker"}': 5,
  })
})

/** Series that stand still until something happens, and by how much the mail below moves them. */
const moves = (): [series: string, by: number][] => [
  ['inbound:postel_smtp_connections_total', 1],
  ['inbound:postel_smtp_messages_total', 1],
  ['inbound:postel_smtp_recipients_total', 3],
  ['inbound:postel_smtp_step_seconds_count{step="mail",status="2xx"}', 1],
  ['inbound:postel_smtp_step_seconds_count{step="rcpt",status="2xx"}', 3],
  ['inbound:postel_smtp_step_seconds_count{step="data",status="2xx"}', 1],
  ['inbound:postel_smtp_step_seconds_count{step="mail",status="5xx"}', 0],
  ['inbound:postel_smtp_store_seconds_count', 1],
  [`inbound:postel_messages_by_project_total{project="${project}"}`, 1],
  ['api:postel_api_emails_total', 1],
  ['api:postel_api_recipients_total', 1],
  [`api:postel_messages_by_project_total{project="${project}"}`, 1],
  ['api:postel_api_auth_failures_total{reason="invalid"}', 1],
  ['api:postel_api_auth_failures_total{reason="missing"}', 0],
  ['api:postel_api_request_seconds_count{method="POST",route="/emails",status="200"}', 1],
  ['api:postel_api_request_seconds_count{method="POST",route="/emails",status="403"}', 1],
  ['outbound:postel_deliveries_total{outcome="delivered",category="none"}', 2],
  ['outbound:postel_deliveries_total{outcome="bounced",category="invalid_recipient"}', 1],
  ['outbound:postel_deliveries_total{outcome="deferred",category="greylisting"}', 1],
  [
    'outbound:postel_deliveries_by_ip_total{ip="127.0.0.1",outcome="bounced",category="invalid_recipient"}',
    1,
  ],
  [`outbound:postel_deliveries_by_project_total{project="${project}",outcome="delivered"}`, 2],
  [`outbound:postel_deliveries_by_project_total{project="${project}",outcome="bounced"}`, 1],
  ['outbound:postel_delivery_tries_total{attempt="1",outcome="delivered"}', 2],
  ['outbound:postel_delivery_tries_total{attempt="2",outcome="delivered"}', 0],
  ['outbound:postel_delivery_seconds_count', 2],
  ['outbound:postel_deliveries_in_doubt_total', 0],
  ['outbound:postel_ip_holds_lost_total', 0],
]

test('mail by SMTP and by REST, delivered, deferred and refused, is counted where it should be', async () => {
  const { postel } = system
  const before = await scrape()
  const id = await postel.submit({
    to: ['reader@dest.test', 'gone@dest.test', 'later@dest.test'],
    data: message(),
  })
  const sent = (await (await send('reader@dest.test')).json()) as { id: string }
  expect((await send('reader@dest.test', 'pk_test_nobody_knows_this')).status).toBe(403)
  await postel.settled(id)
  await postel.settled(sent.id)
  const after = await waitFor(async () => {
    const values = await scrape()
    // A poll may have found the mail before its hint was heard
    const hints = 'outbound:postel_bus_notifications_received_total{channel="postel_outbound"}'
    return (
      values.get('outbound:postel_outbound_unrecorded') === 0 &&
      values.get(hints)! > before.get(hints)! &&
      values
    )
  })
  const moved = moves().map(([series]) => [series, (after.get(series) ?? 0) - (before.get(series) ?? 0)])
  expect(moved).toEqual(moves())
  const byProvider = [...after].filter(
    ([series, value]) => value > 0 && series.startsWith('outbound:postel_deliveries_by_provider_total'),
  )
  expect(byProvider.map(([series]) => /outcome="(\w+)"/.exec(series)![1]).sort()).toEqual([
    'bounced',
    'deferred',
    'delivered',
  ])
  for (const series of ['inbound:postel_smtp_received_bytes_total', 'api:postel_api_received_bytes_total'])
    expect([series, after.get(series)! > before.get(series)!]).toEqual([series, true])
})

test('what is refused by SMTP is counted by step and code, and in the step that it was refused in', async () => {
  const before = await scrape()
  const clients = await Promise.all([1, 2, 3].map(() => system.postel.session()))
  await clients[0]!.say('MAIL FROM:<a@elsewhere.test>', 550)
  const crowded = await system.postel.connect()
  await crowded.expect(421, 'connecting')
  for (const client of clients) client.destroy()
  const after = await scrape()
  const moved = [
    'inbound:postel_smtp_refused_total{step="connect",code="421"}',
    'inbound:postel_smtp_refused_total{step="mail",code="550"}',
    'inbound:postel_smtp_step_seconds_count{step="mail",status="5xx"}',
    'inbound:postel_smtp_step_seconds_count{step="mail",status="2xx"}',
  ].map((series) => (after.get(series) ?? 0) - (before.get(series) ?? 0))
  expect(moved).toEqual([1, 1, 1, 0])
})

test('gauges say how things are', async () => {
  // Where the database has been slow to answer a look, the next one says how it is
  const values = await waitFor(async () => {
    const values = await scrape()
    return values.get('worker:postel_database_up') === 1 && values
  })
  expect(values.get('outbound:postel_outbound_ips_held')).toBe(1)
  expect(values.get('outbound:postel_ip_acquired_total')).toBe(1)
  expect(values.get('outbound:postel_ip_takeovers_total')).toBe(0)
  expect(values.get('outbound:postel_bus_listener_silent_seconds')).toBeLessThan(30)
  expect(values.get('outbound:postel_bus_reconnects_total')).toBe(0)
  expect(values.get('inbound:postel_smtp_certificate_expiry_timestamp_seconds')! * 1000).toBeGreaterThan(
    Date.now(),
  )
  // The one that asks
  expect(values.get('api:postel_api_requests_in_flight')).toBe(0)
  expect(values.get('worker:postel_tasks_total{task="sweep",result="failed"}')).toBe(0)
  expect(values.get('worker:postel_ip_state{ip="127.0.0.1",pool="default",state="active"}')).toBe(1)
})

test('the database is shown by the worker alone', async () => {
  const values = await scrape()
  const elsewhere = [...values.keys()].filter(
    (series) => /:postel_(database|queue|table|jobs|ips)/.test(series) && !series.startsWith('worker:'),
  )
  expect(elsewhere).toEqual([])
})

test('METRICS.md names what there is, and nothing else, with its types', async () => {
  const page = readFileSync(new URL('../../apps/lib/runtime/METRICS.md', import.meta.url), 'utf8')
  const written = new Set(
    [...page.matchAll(/^\| `(postel_\w+)` +\| (counter|gauge|histogram)/gm)].map(
      ([, name, type]) => `${name} ${type}`,
    ),
  )
  const shown = new Set<string>()
  for (const app of apps)
    for (const [, name, type] of (await text(app)).matchAll(/^# TYPE (postel_\w+) (\w+)$/gm))
      shown.add(`${name} ${type}`)
  expect([...written].sort()).toEqual([...shown].sort())
})

const promtool = spawnSync('promtool', ['--version']).status === 0
if (!promtool) console.warn('promtool is not on this machine: the names of metrics are not linted')

;(promtool ? test.each(apps) : test.skip.each(apps))('promtool finds nothing wrong with %s', async (app) => {
  // Node's own are prom-client's affair
  const ours = (await text(app)).split('\n\n').filter((metric) => metric.startsWith('# HELP postel_'))
  expect(ours.length).toBeGreaterThan(10)
  const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: `${ours.map((metric) => metric.trim()).join('\n')}\n`,
    encoding: 'utf8',
  })
  expect(`${stdout}${stderr}`).toBe('')
})
