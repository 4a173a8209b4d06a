/** The real worker tells real endpoints: soon, signed, at least once, and none at another's expense. */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { WebhookDispatchQueries } from '@postel/db/queries/webhook-dispatch'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { makeTenant, submitOne, type Tenant, until } from '@postel/db/testing/factories'
import { createLogger } from '@postel/runtime/logger'
import { createSecretBox } from '@postel/runtime/secret-box'
import { Webhook } from 'standardwebhooks'
import { readConfig } from './config.ts'
import { WorkerService } from './service.ts'
import { type Answer, type Told, WebhookEndpoint } from './testing/webhook-endpoint.ts'

const POSTEL_SECRET = randomBytes(32).toString('base64')
const secretBox = createSecretBox(POSTEL_SECRET)
/** A machine that pauses answers within it all the same. */
const timeoutSeconds = 5

let database: TestDatabase
let sql: Sql
let queries: WebhookDispatchQueries
let tenant: Tenant
let endpoint: WebhookEndpoint
let stopping: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 3 })
  queries = new WebhookDispatchQueries(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  await sql`update postel.webhooks set status = 'disabled'`
  tenant = await makeTenant(sql)
  endpoint = await WebhookEndpoint.start()
})
afterEach(async () => {
  endpoint.stop()
  for (const stop of stopping) await stop()
  stopping = []
})

const environment = () => ({
  DATABASE_URL: database.url,
  POSTEL_SECRET,
  POSTEL_PUBLIC_URL: 'https://api.postel.test',
  WEBHOOKS_ALLOW_PRIVATE: 'true',
  WEBHOOKS_TIMEOUT_SECONDS: `${timeoutSeconds}`,
  METRICS_PORT: '0',
  LOG_LEVEL: 'silent',
})

async function startWorker(env: Record<string, string> = {}): Promise<WorkerService> {
  const service = new WorkerService(
    readConfig({ ...environment(), ...env }),
    createLogger('worker', 'silent'),
  )
  stopping.push(() => service.stop())
  await service.start()
  return service
}

type AddedWebhook = { id: string; path: string; secret: Buffer }

async function addWebhook(
  options: { url?: string; events?: string[]; organizationId?: string } = {},
): Promise<AddedWebhook> {
  const { events = ['email.sent'], organizationId = tenant.organizationId } = options
  const secret = randomBytes(24)
  const path = `/${randomBytes(8).toString('hex')}`
  const [row] = await sql<{ id: string }[]>`select postel.uuid_v7() as id`
  const { id } = row!
  await sql`
    insert into postel.webhooks (id, organization_id, endpoint, events, secret)
    values (${id}, ${organizationId}, ${options.url ?? endpoint.url(path)}, ${events}, ${secretBox.seal(secret, id)})`
  await queries.runNow()
  return { id, path, secret }
}

/** With an attempt behind it, the one after the next is minutes away: none comes while a test looks. */
async function addDelivery(webhookId: string, { count = 1, attempts = 0 } = {}): Promise<void> {
  await sql`
    insert into postel.webhook_deliveries (webhook_id, type, payload, attempts, next_attempt_at)
    select ${webhookId}, 'email.sent', '{"type":"email.sent","data":{"subject":"ä"}}', ${attempts}, now()
    from generate_series(1, ${count})`
}

/** As if what is tried again were due. */
const timePasses = () =>
  sql`update postel.webhook_deliveries set next_attempt_at = now() where state = 'pending' and attempts > 0`

async function outcomes(webhookId: string): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    select concat_ws(' ', d.state, d.attempts, a.status_code, a.error) as line
    from postel.webhook_deliveries d
    left join lateral (
      select * from postel.webhook_attempts t where t.delivery_id = d.id order by t.id desc limit 1
    ) as a on true
    where d.webhook_id = ${webhookId} order by d.id`
  return rows.map(({ line }) => line)
}

/** As a receiver does it; under the names of Resend's SDK. */
function verify({ headers, body }: Told, secret: Buffer, prefix: 'webhook' | 'svix' = 'webhook'): unknown {
  return new Webhook(`whsec_${secret.toString('base64')}`).verify(body, {
    'webhook-id': String(headers[`${prefix}-id`]),
    'webhook-timestamp': String(headers[`${prefix}-timestamp`]),
    'webhook-signature': String(headers[`${prefix}-signature`]),
  })
}

test('an event is told soon, signed under both names, and once', async () => {
  await startWorker()
  const webhook = await addWebhook()
  await until(() =>
    sql`select from postel.event_cursors where name = 'webhooks'`.then((rows) => rows.length === 1),
  )
  const startedAt = performance.now()
  const message = await submitOne(sql, tenant)
  await until(() => endpoint.at(webhook.path).length > 0)
  const [told] = endpoint.at(webhook.path)
  expect(told!.at - startedAt).toBeLessThan(20_000)
  for (const prefix of ['webhook', 'svix'] as const)
    expect(verify(told!, webhook.secret, prefix)).toMatchObject({
      type: 'email.sent',
      data: { email_id: message },
    })
  const [delivery] =
    await sql`select id, payload from postel.webhook_deliveries where webhook_id = ${webhook.id}`
  expect(told).toMatchObject({
    body: delivery!.payload,
    headers: {
      'webhook-id': delivery!.id,
      'content-type': 'application/json',
      'user-agent': 'Postel (+https://api.postel.test)',
    },
  })
  // A later event shows that nothing more came of the first
  await submitOne(sql, tenant)
  await until(async () => (await outcomes(webhook.id)).join() === 'delivered 1 204,delivered 1 204')
  expect(endpoint.at(webhook.path)).toHaveLength(2)
})

test('an event that is committed late is told as well', async () => {
  await startWorker()
  const webhook = await addWebhook({ events: ['notice'] })
  const notice = (text: string) => sql`
    insert into postel.events (organization_id, type, data)
    values (${tenant.organizationId}, 'notice', ${JSON.stringify({ text })}::text::jsonb)`
  const texts = () =>
    endpoint.at(webhook.path).map(({ body }) => (JSON.parse(body) as { data: { text: string } }).data.text)
  await sql.begin(async (late) => {
    await late`
      insert into postel.events (organization_id, type, data)
      values (${tenant.organizationId}, 'notice', '{"text": "late"}')`
    await notice('early')
    await until(() => texts().length > 0)
    expect(texts()).toEqual(['early'])
  })
  await until(() => texts().length > 1)
  expect(texts()).toEqual(['early', 'late'])
})

const silent = () => {}
const status =
  (code: number, headers = {}): Answer =>
  (_, response) =>
    response.writeHead(code, headers).end('\0<b>said</b>')

test('2xx is success, all else is tried again, 410 ends it', async () => {
  const redirects = 'redirects are not followed.'
  const cases: [Answer, string][] = [
    [status(200), 'delivered 2 200'],
    [status(201), 'delivered 2 201'],
    [status(204), 'delivered 2 204'],
    [status(301, { location: '/other' }), `pending 2 301 It answered 301: ${redirects}`],
    [status(302, { location: '/other' }), `pending 2 302 It answered 302: ${redirects}`],
    [status(307, { location: 'http://169.254.169.254/' }), `pending 2 307 It answered 307: ${redirects}`],
    [status(308, { location: '/other' }), `pending 2 308 It answered 308: ${redirects}`],
    [status(410), 'failed 2 410 It answered 410.'],
    ...[400, 401, 403, 404, 429, 500, 502, 504].map((code): [Answer, string] => [
      status(code),
      `pending 2 ${code} It answered ${code}.`,
    ]),
    [silent, 'pending 2 The server did not answer in time.'],
    [(_, response) => response.destroy(), 'pending 2 The connection failed: ECONNRESET.'],
  ]
  const worker = await startWorker()
  const answers = new Map<string, Answer>()
  endpoint.answer = (told, response) => answers.get(told.path)?.(told, response)
  const webhooks: AddedWebhook[] = []
  for (const [answer] of cases) {
    const webhook = await addWebhook()
    answers.set(webhook.path, answer)
    webhooks.push(webhook)
    await addDelivery(webhook.id, { attempts: 1 })
  }
  await queries.runNow()
  const met = async () => (await Promise.all(webhooks.map(({ id }) => outcomes(id)))).flat()
  await until(async () => !(await met()).includes('pending 1'))
  expect(await met()).toEqual(cases.map(([, outcome]) => outcome))
  expect(webhooks.map(({ path }) => endpoint.at(path).length)).toEqual(cases.map(() => 1))
  expect(endpoint.at('/other')).toEqual([])

  const metrics = await (await fetch(`http://127.0.0.1:${worker.healthPort}/metrics`)).text()
  for (const [result, count] of [
    ['taken', 3],
    ['refused', 13],
    ['unanswered', 2],
  ] as const)
    expect(metrics).toMatch(
      new RegExp(`^postel_webhook_attempts_total\\{result="${result}".*\\} ${count}$`, 'm'),
    )
})

test('Retry-After is kept to', async () => {
  endpoint.answer = (_, response) => response.writeHead(503, { 'retry-after': '120' }).end()
  await startWorker()
  const webhook = await addWebhook()
  await addDelivery(webhook.id)
  await queries.runNow()
  const wait = async () => {
    const [row] = await sql<{ seconds: number; attempts: number }[]>`
      select extract(epoch from next_attempt_at - now())::float8 as seconds, attempts
      from postel.webhook_deliveries where webhook_id = ${webhook.id}`
    return row!
  }
  await until(async () => (await wait()).attempts === 1)
  expect((await wait()).seconds).toBeGreaterThan(110)
})

test('tried again, the body and the id are the same, the time is not, and both secrets sign after a rotation', async () => {
  endpoint.answer = (_, response) => response.writeHead(500).end()
  await startWorker()
  const webhook = await addWebhook()
  await addDelivery(webhook.id, { attempts: 1 })
  await queries.runNow()
  await until(async () => (await outcomes(webhook.id))[0] === 'pending 2 500 It answered 500.')
  const next = randomBytes(24)
  await sql`
    update postel.webhooks
    set previous_secret = secret, previous_secret_until = now() + interval '1 day', secret = ${secretBox.seal(next, webhook.id)}
    where id = ${webhook.id}`
  await until(
    async () => Math.floor(Date.now() / 1000) > Number(endpoint.told[0]!.headers['webhook-timestamp']),
  )
  await until(async () => {
    await timePasses()
    return endpoint.told.length > 1
  })
  const [first, second] = endpoint.told
  expect(second!.body).toBe(first!.body)
  expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id'])
  expect(Number(second!.headers['webhook-timestamp'])).toBeGreaterThan(
    Number(first!.headers['webhook-timestamp']),
  )
  verify(first!, webhook.secret)
  expect(() => verify(first!, next)).toThrow()
  for (const secret of [webhook.secret, next])
    for (const prefix of ['webhook', 'svix'] as const) verify(second!, secret, prefix)
  expect(String(second!.headers['webhook-signature']).split(' ')).toHaveLength(2)
})

test('a retry comes by itself', async () => {
  let times = 0
  endpoint.answer = (_, response) => response.writeHead(times++ === 0 ? 500 : 200).end()
  await startWorker()
  const webhook = await addWebhook()
  await addDelivery(webhook.id)
  await queries.runNow()
  await until(async () => (await outcomes(webhook.id))[0] === 'delivered 2 200', 12)
  const [first, second] = endpoint.told
  expect(second!.at - first!.at).toBeGreaterThan(4_500)
})

test('dead, slow and failing endpoints with many events do not keep others waiting', async () => {
  const dead = await WebhookEndpoint.start(silent)
  stopping.push(async () => dead.stop())
  for (let n = 0; n < 12; n++) {
    const other = await makeTenant(sql)
    const { id } = await addWebhook({ url: dead.url('/'), organizationId: other.organizationId })
    await addDelivery(id, { count: 2_000 })
  }
  await startWorker({ WEBHOOKS_TIMEOUT_SECONDS: '1' })
  await until(() => dead.told.length >= 64)
  const webhook = await addWebhook()
  const submittedAt = new Map<string, number>()
  /** By mail: one whose answer missed the second that there is comes again. */
  const waits = () => {
    const first = new Map<string, number>()
    for (const { at, body } of endpoint.at(webhook.path)) {
      const { data } = JSON.parse(body) as { data: { email_id: string } }
      if (!first.has(data.email_id)) first.set(data.email_id, at - submittedAt.get(data.email_id)!)
    }
    return [...first.values()]
  }
  for (let n = 1; n <= 40; n++) {
    const startedAt = performance.now()
    submittedAt.set(await submitOne(sql, tenant), startedAt)
  }
  await until(() => waits().length === 40)
  expect(waits().sort((x, y) => x - y)[37]).toBeLessThan(20_000)
})

test('a worker killed in the middle of telling is followed by one that tells it again, under the same id', async () => {
  let worker: ChildProcess | undefined
  endpoint.answer = () => worker?.kill('SIGKILL')
  const webhook = await addWebhook()
  const message = await submitOne(sql, tenant)
  worker = fork(fileURLToPath(new URL('./main.ts', import.meta.url)), {
    execArgv: [],
    env: environment(),
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  await once(worker, 'exit')
  expect(await outcomes(webhook.id)).toEqual(['pending 0'])
  endpoint.answer = (_, response) => response.end()
  await startWorker()
  await until(async () => (await outcomes(webhook.id))[0] === 'delivered 1 200', 15)
  const [first, second] = endpoint.at(webhook.path)
  expect(JSON.parse(first!.body)).toMatchObject({ data: { email_id: message } })
  expect(second).toMatchObject({ body: first!.body, headers: { 'webhook-id': first!.headers['webhook-id'] } })
})

test('a worker that is stopped ends its attempts and writes them down', async () => {
  const worker = await startWorker()
  endpoint.answer = (_, response) => void setTimeout(() => response.end(), 300)
  const webhook = await addWebhook()
  await addDelivery(webhook.id)
  await queries.runNow()
  await until(() => endpoint.told.length === 1)
  await worker.stop()
  expect(await outcomes(webhook.id)).toEqual(['delivered 1 200'])
})

test('on private networks nothing is told unless that is allowed', async () => {
  await startWorker({ WEBHOOKS_ALLOW_PRIVATE: 'false' })
  const webhook = await addWebhook()
  const named = await addWebhook({ url: 'https://localhost:8443/' })
  for (const { id } of [webhook, named]) await addDelivery(id, { attempts: 1 })
  await queries.runNow()
  await until(
    async () =>
      (await outcomes(named.id))[0] !== 'pending 1' && (await outcomes(webhook.id))[0] !== 'pending 1',
  )
  expect([...(await outcomes(webhook.id)), ...(await outcomes(named.id))]).toEqual([
    'pending 2 The URL must be an https:// URL.',
    'pending 2 The URL must not be on a private network.',
  ])
  expect(endpoint.told).toEqual([])
})

test('while no webhook is enabled the task does not come again each second', async () => {
  const worker = await startWorker()
  const runs = async () => {
    // A connection that is kept would be closed by the server about when it is used again
    const headers = { connection: 'close' }
    const metrics = await (await fetch(`http://127.0.0.1:${worker.healthPort}/metrics`, { headers })).text()
    return Number(/postel_tasks_total\{task="webhooks",result="done".*\} (\d+)/.exec(metrics)?.[1] ?? 0)
  }
  await until(async () => (await runs()) > 0)
  const end = performance.now() + 3_000
  await until(() => performance.now() > end)
  // The first, and perhaps that of the minute
  expect(await runs()).toBeLessThanOrEqual(2)
})
