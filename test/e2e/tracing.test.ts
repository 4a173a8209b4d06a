/** One message is one trace, from its submission to the webhook that is told of it; without a collector there is none. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readConfig } from '@postel/api/config'
import { ApiService } from '@postel/api/service'
import { createLogger } from '@postel/runtime/logger'
import { WebhookEndpoint } from '@postel/worker/testing/webhook-endpoint'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

type Value = { stringValue?: string; intValue?: number | string; boolValue?: boolean }
type OtlpSpan = {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  startTimeUnixNano: string
  endTimeUnixNano: string
  status?: { code?: number }
  attributes: { key: string; value: Value }[]
}
type Seen = OtlpSpan & { service: string; of: (key: string) => unknown }

/** What the collector was sent. */
const spans: Seen[] = []
const authorizations = new Set<string | undefined>()
let collector: Server
let system: System
let api: ApiService
let untraced: ApiService
let endpoint: WebhookEndpoint

function keep(body: string): void {
  const { resourceSpans } = JSON.parse(body) as {
    resourceSpans: {
      resource: { attributes: OtlpSpan['attributes'] }
      scopeSpans: { spans: OtlpSpan[] }[]
    }[]
  }
  for (const { resource, scopeSpans } of resourceSpans)
    for (const span of scopeSpans.flatMap((scope) => scope.spans))
      spans.push({
        ...span,
        service: String(attributeOf(resource.attributes, 'service.name')),
        of: (key) => attributeOf(span.attributes, key),
      })
}

function attributeOf(attributes: OtlpSpan['attributes'], key: string): unknown {
  const value = attributes.find((attribute) => attribute.key === key)?.value
  return (
    value?.stringValue ??
    value?.boolValue ??
    (value?.intValue === undefined ? undefined : Number(value.intValue))
  )
}

beforeAll(async () => {
  collector = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    authorizations.add(request.headers.authorization)
    if (request.url === '/v1/traces') keep(Buffer.concat(chunks).toString())
    response.setHeader('content-type', 'application/json').end('{}')
  })
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
  const traced = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer a=b,x-tenant=1',
  }
  endpoint = await WebhookEndpoint.start()
  system = await startSystem({
    addresses: ['127.0.0.1'],
    inbound: traced,
    outbound: traced,
    worker: { ...traced, WEBHOOKS_ALLOW_PRIVATE: 'true' },
    mx: { rcpt: { 'gone@dest.test': '550 5.1.1 no such user' } },
  })
  const { postel } = system
  const env = {
    POSTEL_SECRET: postel.secret,
    POSTEL_UNSAFE_DATABASE: 'true',
    DATABASE_URL: postel.databaseUrl,
    API_PORT: '0',
    METRICS_PORT: '0',
    WEBHOOKS_ALLOW_PRIVATE: 'true',
  }
  api = new ApiService(readConfig({ ...env, ...traced }), createLogger('api', 'silent'))
  untraced = new ApiService(readConfig(env), createLogger('api', 'silent'))
  await api.start()
  await untraced.start()
})
afterAll(async () => {
  await api?.stop()
  await untraced?.stop()
  await system?.stop()
  endpoint?.stop()
  collector.closeAllConnections()
  collector.close()
})

async function call(service: ApiService, path: string, body: object, headers: Record<string, string> = {}) {
  const response = await fetch(`http://127.0.0.1:${service.ports.api}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${system.postel.key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  expect(response.status).toBeLessThan(300)
  return (await response.json()) as { id: string }
}

const send = (service: ApiService, to: string, headers?: Record<string, string>) =>
  call(service, '/emails', { from: 'a@example.test', to, subject: 'x', text: 'x' }, headers)

const ofMessage = (id: string) => spans.filter((span) => span.of('postel.message.id') === id)

/** The spans of a message's trace by name, once its try has come and `names` as well. */
async function traceOf(id: string, names: readonly string[]): Promise<Record<string, Seen>> {
  return waitFor(async () => {
    const traceId = ofMessage(id).find(({ name }) => name === 'deliver')?.traceId
    const trace = Object.fromEntries(
      spans.filter((span) => span.traceId === traceId).map((span) => [span.name, span]),
    )
    return names.every((name) => trace[name]) && trace
  }, 20)
}

test('by REST: request → store → queue → deliver → webhook, as part of the trace of the client', async () => {
  await call(api, '/webhooks', { endpoint: endpoint.url('/hook'), events: ['email.delivered'] })
  const traceId = 'a1'.repeat(16)
  const { id } = await send(api, 'reader@dest.test', { traceparent: `00-${traceId}-${'b2'.repeat(8)}-01` })
  const trace = await traceOf(id, ['POST /emails', 'store', 'queue', 'deliver', 'webhook'])
  const parents = Object.fromEntries(
    Object.values(trace).map(({ name, service, parentSpanId }) => [
      `${service} ${name}`,
      Object.values(trace).find(({ spanId }) => spanId === parentSpanId)?.name ?? parentSpanId,
    ]),
  )
  expect(parents).toEqual({
    'postel-api POST /emails': 'b2'.repeat(8),
    'postel-api store': 'POST /emails',
    'postel-outbound queue': 'store',
    'postel-outbound deliver': 'store',
    'postel-worker webhook': 'store',
  })
  expect(new Set(Object.values(trace).map((span) => span.traceId))).toEqual(new Set([traceId]))
  const { deliver, webhook } = trace
  expect(
    ['postel.outcome', 'postel.source_ip', 'postel.attempt', 'server.address', 'postel.code'].map(
      deliver!.of,
    ),
  ).toEqual(['delivered', '127.0.0.1', 1, 'mx1.remote.test', 250])
  expect([webhook!.of('postel.message.id'), webhook!.of('http.response.status_code')]).toEqual([id, 204])
  expect(BigInt(deliver!.endTimeUnixNano)).toBeGreaterThan(BigInt(deliver!.startTimeUnixNano))
  expect(BigInt(trace.queue!.endTimeUnixNano)).toBe(BigInt(deliver!.startTimeUnixNano))
  expect(authorizations).toEqual(new Set(['Bearer a=b']))
})

test('by SMTP: a session begins the trace, and a bounce is an error in it', async () => {
  const id = await system.postel.submit({ to: 'gone@dest.test', data: message() })
  const trace = await traceOf(id, ['smtp message', 'store', 'queue', 'deliver'])
  expect(trace['smtp message']!.parentSpanId ?? '').toBe('')
  expect(trace['smtp message']!.of('postel.message.id')).toBe(id)
  expect(trace.store!.parentSpanId).toBe(trace['smtp message']!.spanId)
  expect(trace.deliver!.parentSpanId).toBe(trace.store!.spanId)
  expect([trace.deliver!.of('postel.category'), trace.deliver!.status?.code]).toEqual([
    'invalid_recipient',
    2,
  ])
})

test('what a client asks not to trace is not traced', async () => {
  const { id } = await send(api, 'reader@dest.test', {
    traceparent: `00-${'c3'.repeat(16)}-${'d4'.repeat(8)}-00`,
  })
  await system.postel.settled(id)
  const { id: later } = await send(api, 'reader@dest.test')
  await traceOf(later, ['deliver'])
  expect(ofMessage(id)).toEqual([])
  expect(spans.filter(({ traceId }) => traceId === 'c3'.repeat(16))).toEqual([])
})

test('a context that is malformed begins a new trace', async () => {
  const ids: string[] = []
  for (const traceparent of [
    `00-${'zz'.repeat(16)}-${'d4'.repeat(8)}-01`,
    `00-${'00'.repeat(16)}-${'d4'.repeat(8)}-01`,
    `00-${'c3'.repeat(16)}-${'d4'.repeat(8)}-01-x`,
    `ff-${'c3'.repeat(16)}-${'d4'.repeat(8)}-01`,
  ])
    ids.push((await send(api, 'reader@dest.test', { traceparent })).id)
  for (const id of ids) {
    const trace = await traceOf(id, ['POST /emails'])
    expect(trace['POST /emails']!.parentSpanId ?? '').toBe('')
  }
})

test('without a collector nothing is stored with the message, and nothing of it is traced', async () => {
  const { id } = await send(untraced, 'reader@dest.test', {
    traceparent: `00-${'e5'.repeat(16)}-${'f6'.repeat(8)}-01`,
  })
  await system.postel.settled(id)
  const [row] = await system.postel.sql`select details::text from postel.messages where id = ${id}`
  expect(row!.details).not.toContain('traceparent')
  const { id: later } = await send(api, 'reader@dest.test')
  await traceOf(later, ['deliver'])
  expect(ofMessage(id)).toEqual([])
})

test('the content and the addresses of mail are in no span', () => {
  expect(spans.length).toBeGreaterThan(10)
  expect(JSON.stringify(spans)).not.toMatch(/@dest\.test|@example\.test/)
})
