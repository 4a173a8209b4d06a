/** HTTP as attackers and odd proxies write it: nothing is read in two ways, and no way round the key. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { until } from '@postel/db/testing/factories'
import { makeKey } from '@postel/db/testing/make-key'
import { startApi, type Tenant, type TestApi } from './testing/start-api.ts'

let api: TestApi
let tenant: Tenant
let port: number

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test')
  port = Number(new URL(api.url).port)
})
afterAll(() => api.stop())

/** Writes these octets and reads until the server closes or has answered once. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'))
    let seen = ''
    socket.setTimeout(60_000, () => socket.destroy(new Error(`no answer, only: ${seen}`)))
    socket.on('data', (bytes) => {
      seen += bytes.toString('latin1')
      if (/\r\n\r\n/.test(seen)) socket.end()
    })
    // A server that has answered resets the connection of whoever has more to say
    socket.once('error', (error) => /\r\n\r\n/.test(seen) || reject(error))
    socket.once('close', () => resolve(seen))
  })
}

const statusOf = async (text: string) => Number((await raw(text)).split(' ')[1])
const key = () => `Authorization: Bearer ${tenant.key}\r\n`
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`

test.each([
  ['two Host fields', () => get('/emails', `${key()}Host: y\r\n`), 400],
  ['two keys', () => get('/emails', `${key()}Authorization: Bearer x\r\n`), 400],
  ['no Host', () => `GET /emails HTTP/1.1\r\n${key()}\r\n`, 400],
  [
    'a length and chunks',
    () =>
      `POST /emails HTTP/1.1\r\nHost: x\r\n${key()}Content-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  [
    'two lengths',
    () =>
      `POST /emails HTTP/1.1\r\nHost: x\r\n${key()}Content-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
    400,
  ],
  [
    'an encoding that is none',
    () => `POST /emails HTTP/1.1\r\nHost: x\r\n${key()}Transfer-Encoding: xchunked\r\n\r\n`,
    400,
  ],
  ['a field folded over two lines', () => get('/emails', `${key()}X-A: a\r\n b\r\n`), 400],
  ['a bare line feed', () => `GET /emails HTTP/1.1\nHost: x\n${key()}\n`, 400],
  ['a space before the colon', () => get('/emails', `${key()}X-A : a\r\n`), 400],
  ['NUL in a field', () => get('/emails', `${key()}X-A: a\0b\r\n`), 400],
  ['10,000 fields', () => get('/emails', key() + 'X-A: a\r\n'.repeat(10_000)), 431],
  ['an expectation that nobody knows', () => get('/emails', `${key()}Expect: x\r\n`), 417],
  ['HTTP/2 without being asked', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ['HTTP/1.0', () => `GET /emails HTTP/1.0\r\n${key()}\r\n`, 200],
  ['TRACE', () => `TRACE /emails HTTP/1.1\r\nHost: x\r\n${key()}Connection: close\r\n\r\n`, 405],
  ['CONNECT', () => `CONNECT x:25 HTTP/1.1\r\nHost: x\r\n\r\n`, Number.NaN],
])('%s', async (_, request, status) => {
  expect(await statusOf(request())).toBe(status)
})

/** A client that has begun to send 64 MiB without a key, and has read the refusal. */
async function refusedInTheMiddle(more = '') {
  const bytes = 64 * 1_048_576
  const socket = connect(port, '127.0.0.1')
  let seen = ''
  let fault: Error | undefined
  socket.on('data', (chunk) => {
    seen += chunk.toString('latin1')
  })
  socket.on('error', (error) => {
    fault = error
  })
  const head = `POST /emails HTTP/1.1\r\nHost: x\r\n${more}Content-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`
  socket.write(`${head} `)
  await until(() => seen.endsWith('}') || socket.closed)
  return {
    socket,
    rest: Buffer.alloc(bytes - 1, ' '),
    seen: () => seen,
    fault: () => fault,
  }
}

test('who is refused while it sends can send it all, and ask again on the connection', async () => {
  const { socket, rest, seen, fault } = await refusedInTheMiddle()
  expect(seen()).toMatch(/^HTTP\/1\.1 401 .*\r\n\r\n\{.*"missing_api_key".*\}$/s)
  socket.write(rest)
  socket.write(get('/livez'))
  await until(() => socket.closed, 60)
  expect(fault()).toBeUndefined()
  expect(seen()).toMatch(/\}HTTP\/1\.1 200 .*\r\n\r\nok\n$/s)
})

test('nor is it cut off where the connection ends with the request', async () => {
  const { socket, rest, seen, fault } = await refusedInTheMiddle('Connection: close\r\n')
  expect(seen()).toMatch(/^HTTP\/1\.1 401 /)
  const sent = new Promise<Error | null | undefined>((resolve) => socket.write(rest, resolve))
  expect((await sent) ?? null).toBeNull()
  await until(() => socket.closed, 60)
  expect(fault()).toBeUndefined()
})

/** How many requests of POST /emails the metrics count with this status. */
async function counted(status: number): Promise<number> {
  const metrics = await (await fetch(`${api.healthUrl}/metrics`)).text()
  const series = `postel_api_request_seconds_count\\{.*method="POST",route="/emails",status="${status}"\\} (\\d+)`
  return Number(new RegExp(series).exec(metrics)?.[1] ?? 0)
}

test('a refusal that was read counts as one, also where the rest was not sent', async () => {
  const { socket } = await refusedInTheMiddle()
  const [refused, left] = [await counted(401), await counted(499)]
  socket.destroy()
  await until(async () => (await counted(401)) + (await counted(499)) > refused + left)
  expect(await counted(499)).toBe(left)
})

test('who goes away in the middle of a body was told nothing, and counts as that', async () => {
  const [unreadable, left] = [await counted(400), await counted(499)]
  const socket = connect(port, '127.0.0.1')
  const head = `POST /emails HTTP/1.1\r\nHost: x\r\n${key()}Content-Type: application/json\r\nExpect: 100-continue\r\n`
  socket.write(`${head}Content-Length: 100\r\n\r\n{`)
  // The server has read the head, and by the end of another request with this key it waits for the body
  await once(socket, 'data')
  expect(await statusOf(get('/emails', key()))).toBe(200)
  socket.destroy()
  await until(async () => (await counted(400)) + (await counted(499)) > unreadable + left)
  expect(await counted(400)).toBe(unreadable)
})

test('TRACE gives nothing of the request back', async () => {
  const reply = await raw(`TRACE /emails HTTP/1.1\r\nHost: x\r\n${key()}Connection: close\r\n\r\n`)
  expect(reply).not.toContain(tenant.key)
})

test.each(['X-HTTP-Method-Override', 'X-Method-Override', 'X-HTTP-Method'])(
  '%s changes no method',
  async (name) => {
    const headers = { [name]: 'DELETE' }
    expect((await api.call('GET', '/emails', { key: tenant.key, headers })).status).toBe(200)
    expect((await api.call('GET', '/emails?_method=DELETE', { key: tenant.key, headers })).status).toBe(200)
  },
)

test.each([
  '/emails',
  '//emails',
  '/emails/',
  '/EMAILS',
  '/emails?',
  '/./emails',
  '/x/../emails',
  '/emails;x=1',
  '/emails%2f',
  '/%2femails',
  '/%65mails',
  '/emails%00',
  '/emails/.',
  '/docs/../emails',
  '/livez/../emails',
  '/auth/../emails',
  '/emails#x',
  '/emails\\',
  'http://x/emails',
  '*',
])('without a key %s shows nothing', async (path) => {
  const reply = await raw(get(path))
  expect([400, 401, 404]).toContain(Number(reply.split(' ')[1]))
  expect(reply).not.toContain('"data"')
})

test('replies name no software', async () => {
  for (const path of ['/emails', '/nowhere', '/openapi.json', '/docs', '/livez']) {
    const { headers } = await fetch(api.url + path)
    expect([headers.get('server'), headers.get('x-powered-by'), headers.get('via')]).toEqual([
      null,
      null,
      null,
    ])
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  }
})

test('a request that is no HTTP is told nothing', async () => {
  const reply = await raw('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n')
  expect(reply).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\n\r\n$/)
})

test.each(['/emails?recipient=%00', '/suppressions?search=%00', '/templates/%00', '/audit-log?actor=a%00b'])(
  'text that Postgres cannot hold is refused, not asked for: %s (R-10, R-22)',
  async (path) => {
    const key = await makeKey(api.sql, { organizationId: tenant.organizationId })
    const reply = await api.call('GET', path, { key, headers: { 'Postel-Project': tenant.projectId } })
    expect(reply).toMatchObject({ status: 422, body: { name: 'validation_error' } })
  },
)
