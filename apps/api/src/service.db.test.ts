/** The process around the API: health, metrics, documentation, and what clients see without a database. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { connect } from '@postel/db/client'
import { until } from '@postel/db/testing/factories'
import type { ApiContext } from './context.ts'
import { allEndpoints } from './endpoints.ts'
import { examples } from './examples.ts'
import { type Reply, startApi, type Tenant, type TestApi } from './testing/start-api.ts'

let api: TestApi
let tenant: Tenant

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test')
})
afterAll(() => api.stop())

const email = { from: 'ann@example.test', to: 'bob@dest.test', subject: 's', text: 't' }

test.each(['/livez', '/readyz'])('%s answers on both ports', async (path) => {
  for (const url of [api.url, api.healthUrl]) {
    let answer: [number, string] = [0, '']
    // A look at the database has a few seconds, which a machine that stands still may use up
    await until(
      async () => {
        const response = await fetch(url + path)
        answer = [response.status, await response.text()]
        return response.status === 200
      },
      10,
      () => `200, but ${answer}`,
    )
    expect(answer).toEqual([200, 'ok\n'])
  }
})

test('metrics count what was sent and hold no addresses or ids', async () => {
  const { body } = await api.call('POST', '/emails', { key: tenant.key, body: email })
  await api.call('GET', `/emails/${body.id}`, { key: tenant.key })
  const text = await (await fetch(`${api.healthUrl}/metrics`)).text()
  expect(text).toMatch(/postel_api_emails_total\{app="api"\} 1\n/)
  expect(text).toMatch(
    /postel_api_request_seconds_count\{app="api",method="GET",route="\/emails\/:id",status="200"\} 1\n/,
  )
  expect(text).not.toContain(body.id)
  expect(text).not.toContain('bob')
})

test('a stored message is hinted to its source IP', async () => {
  const payloads: string[] = []
  const listener = connect(api.databaseUrl, {
    name: 'test-listener',
    max: 1,
    onnotify: (_channel, payload) => payloads.push(payload),
  })
  try {
    await listener.unsafe('listen postel_outbound')
    const { body } = await api.call('POST', '/emails', { key: tenant.key, body: email })
    const [row] = await api.sql`select ip_id from postel.queue where message_id = ${body.id}`
    const deadline = Date.now() + 60_000
    while (!payloads.includes(String(row!.ip_id)) && Date.now() < deadline) await listener`select 1`
    expect(payloads).toContain(String(row!.ip_id))
  } finally {
    await listener.end({ timeout: 1 })
  }
})

describe('the documentation', () => {
  test('openapi.json is OpenAPI 3.1 and describes each route', async () => {
    // biome-ignore lint/suspicious/noExplicitAny: looked into below
    const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as any
    expect(document).toMatchObject({ openapi: '3.1.0', servers: [{ url: 'http://localhost:3000' }] })
    const paths = allEndpoints({} as ApiContext).map(({ path }) => path)
    expect(Object.keys(document.paths)).toEqual([...new Set(paths)])
    const { SendEmailRequest: request } = document.components.schemas
    expect(request.required).toEqual(['to'])
    expect(request.properties.to.anyOf).toEqual([
      { type: 'string' },
      { type: 'array', items: { type: 'string' } },
    ])
  })

  test('each endpoint that needs a body has an example that it takes', () => {
    const wrong = allEndpoints({} as ApiContext).flatMap(({ id, body }) => {
      if (!body || (body.required === false && examples[id] === undefined)) return []
      try {
        body.parse(structuredClone(examples[id]))
        return []
      } catch (error) {
        return [`${id}: ${(error as Error).message}`]
      }
    })
    expect(wrong).toEqual([])
  })

  test('each endpoint is shown as a call of this server that a shell takes as it is', async () => {
    // biome-ignore lint/suspicious/noExplicitAny: looked into below
    const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as any
    const { description } = document.paths['/emails'].post
    const call = /```sh\n([\s\S]*)\n```/.exec(description)![1]!
    const script = call
      .replaceAll('http://localhost:3000', api.url)
      .replace('example.com', 'example.test')
      .replace('curl ', 'curl -s ')
    const { stdout } = await promisify(execFile)('sh', ['-c', script], {
      env: { ...process.env, POSTEL_API_KEY: tenant.key },
    })
    expect(JSON.parse(stdout)).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
  })

  test('the page loads only files of this server', async () => {
    const response = await fetch(`${api.url}/docs`)
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/)
    expect(response.headers.get('content-security-policy')).not.toMatch(/unsafe|http/)
    const links = [...(await response.text()).matchAll(/(?:src|href)="([^"]*)"/g)].map(([, link]) => link!)
    expect(links).toContain('/docs/swagger-ui-bundle.js')
    for (const link of links) {
      expect(link).toMatch(/^\/docs\//)
      const file = await fetch(api.url + link)
      expect(file.status).toBe(200)
      await file.arrayBuffer() // An unread body keeps its connection busy, and stop() waits for that.
    }
  })
})

describe('without a database', () => {
  let cutOff: TestApi
  beforeAll(async () => {
    cutOff = await startApi({ DATABASE_URL: 'postgres://postel@127.0.0.1:1/none' }, { started: false })
  })
  afterAll(() => cutOff.stop())

  test('requests are asked to come again', async () => {
    const reply = await cutOff.call('POST', '/emails', { key: tenant.key, body: email })
    expect(reply).toMatchObject({ status: 503, body: { name: 'service_unavailable' } })
    expect(reply.headers.get('retry-after')).toBe('5')
  })

  test('the process lives and is not ready', async () => {
    for (const [path, status] of [
      ['/livez', 200],
      ['/readyz', 503],
    ] as const) {
      const response = await fetch(cutOff.url + path)
      expect([response.status, await response.text()]).toEqual([status, expect.any(String)])
    }
  })
})

test('stopping answers what has begun and may be asked for twice', async () => {
  const own = await startApi()
  const { key } = await own.tenant('example.test')
  let sending: Promise<Reply> | undefined
  let stopping: Promise<unknown> | undefined
  await own.sql.begin(async (tx) => {
    await tx`lock table postel.messages in access exclusive mode`
    sending = own.call('POST', '/emails', { key, body: email })
    const deadline = Date.now() + 60_000
    let waiting = 0
    while (waiting === 0 && Date.now() < deadline) {
      const [row] = await tx`
        select count(*)::int as waiting from pg_locks
        where not granted and relation = 'postel.messages'::regclass
          -- The table has this number in every copy of the template, also where another suite waits for it
          and database = (select oid from pg_database where datname = current_database())`
      waiting = row!.waiting
    }
    stopping = Promise.all([own.stop(), own.stop()])
  })
  expect((await sending!).status).toBe(200)
  await stopping
  await expect(fetch(`${own.url}/livez`)).rejects.toThrow()
})
