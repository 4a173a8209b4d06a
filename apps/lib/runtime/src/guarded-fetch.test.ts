/** Requests to URLs of tenants reach the public Internet or nothing, within their time and size. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, expect, test } from '@jest/globals'
import { GuardedFetchError, type GuardedFetchOptions, guardedFetch, readGuardedUrl } from './guarded-fetch.ts'

/** The time is for a slow machine: where it is what counts, tests have one of their own. */
const strict = { allowPrivate: false, timeoutMs: 20_000, maxBodyBytes: 1_000 }
const open = { ...strict, allowPrivate: true }

/** Addresses at which no other suite listens: a port that is free at one is free at both. */
const [ours, oursToo] = ['127.0.61.1', '127.0.61.2'] as const

let closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing) close()
  closing = []
})

/** A raw TCP server that counts who comes. */
async function listenTcp(onSocket: (socket: Socket) => void = () => {}, host = '127.0.0.1', port = 0) {
  const sockets = new Set<Socket>()
  let connections = 0
  const server: Server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  server.listen(port, host)
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections
    },
  }
}

async function listenHttp(serve: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createHttpServer(serve)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** On loopback, on a port that may be asked. */
async function listenOnAllowedPort() {
  for (let port = 8000 + Math.floor(Math.random() * 1_500); ; port++)
    try {
      return await listenTcp(() => {}, '127.0.0.1', port)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
}

async function faultOf(url: string, options: GuardedFetchOptions): Promise<string> {
  try {
    const { status } = await guardedFetch(url, options)
    return `answered ${status}`
  } catch (error) {
    if (!(error instanceof GuardedFetchError)) throw error
    return error.fault
  }
}

const privateHosts = [
  '127.0.0.1',
  '127.1',
  '0',
  '0.0.0.0',
  '2130706433',
  '0x7f.1',
  '0x7f000001',
  '017700000001',
  '１２７.０.０.１',
  '127。0。0。1',
  '127.0.0.1.',
  'localhost',
  'localhost.',
  'LOCALHOST',
  'sub.localhost',
  '[::1]',
  '[::]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b:1:a00:0:100::]',
  '[2002:7f00:1::]',
  '[2001:0:7f00:1::1]',
  '[fc00::1]',
  '[fe80::1]',
  '[ff02::1]',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.0.1',
  '100.64.0.1',
  '169.254.169.254',
  '192.0.0.1',
  '198.18.0.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  'router',
  'kubernetes.default.svc',
  'kubernetes.default.svc.',
  'api.prod.svc.cluster.local',
  'metadata.google.internal',
  'printer.home.arpa',
]

test.each(privateHosts)('https://%s is refused before anything is connected to', async (host) => {
  const server = await listenOnAllowedPort()
  const url = `https://${host}:${server.port}/`
  expect(() => readGuardedUrl(url, strict)).toThrow('must not be on a private network.')
  expect(await faultOf(url, strict)).toBe('private')
  expect(server.connections).toBe(0)
})

test.each([
  ['https://user@127.0.0.1/', 'a user name'],
  ['https://user:pass@example.com/', 'a user name'],
  ['https://@example.com/', 'a user name'],
  ['https://:@example.com/', 'a user name'],
  ['https://example.com@127.0.0.1/', 'a user name'],
  ['https://pub.example.com#@127.0.0.1/', 'a fragment'],
  ['https://pub#@127.0.0.1/', 'a fragment'],
  ['https://example.com/#', 'a fragment'],
  ['\\\\127.0.0.1', 'backslashes'],
  ['https:\\\\127.0.0.1/', 'backslashes'],
  ['https://example.com\\@127.0.0.1/', 'backslashes'],
  ['https://exam\nple.com/', 'control characters'],
  [' https://example.com/', 'spaces'],
  ['https://example.com/a b', 'spaces'],
  ['//example.com/', 'an https:// URL'],
  ['https:example.com', 'an https:// URL'],
  ['https:///example.com', 'an https:// URL'],
  ['https://[fe80::1%25eth0]/', 'a URL'],
  ['https://exa%00mple.com/', 'a URL'],
  ['https://', 'an https:// URL'],
  ['', 'an https:// URL'],
  [`https://example.com/${'x'.repeat(2_048)}`, 'shorter'],
  ['http://example.com/', 'an https:// URL'],
  ['file:///etc/passwd', 'an https:// URL'],
  ['gopher://example.com/', 'an https:// URL'],
  ['ftp://example.com/', 'an https:// URL'],
  ['javascript:alert(1)', 'an https:// URL'],
  ['data:text/plain,x', 'an https:// URL'],
  ['https://example.com:22/', 'port'],
  ['https://example.com:25/', 'port'],
  ['https://example.com:80/', 'port'],
  ['https://example.com:5432/', 'port'],
  ['https://example.com:6379/', 'port'],
  ['https://example.com:7999/', 'port'],
  ['https://example.com:10250/', 'port'],
])('%j is no URL that may be asked', async (url, problem) => {
  expect(() => readGuardedUrl(url, strict)).toThrow(problem)
  expect(await faultOf(url, strict)).toBe('url')
})

test.each([
  'https://example.com',
  'https://example.com:443/hook?a=b@c',
  'https://hooks.example.com:8443/x%20y',
  'https://bücher.example/',
  'https://8.8.8.8/',
  'https://[2606:4700::1111]:9000/',
])('%s may be asked', (url) => {
  expect(readGuardedUrl(url, strict).href).toBe(new URL(url).href)
})

test.each([
  ['loopback', ['127.0.0.1']],
  ['the metadata service', ['169.254.169.254']],
  ['a public and a private address', ['93.184.216.34', '10.0.0.1']],
  ['a private address behind IPv6', ['2606:4700::1111', 'fd00:ec2::254']],
  ['a mapped address', ['::ffff:127.0.0.1']],
  ['an address with a zone', ['fe80::1%lo']],
])('a public name that leads to %s is refused', async (_, addresses) => {
  const server = await listenOnAllowedPort()
  const lookup = async () => addresses
  expect(await faultOf(`https://example.com:${server.port}/`, { ...strict, lookup })).toBe('private')
  expect(server.connections).toBe(0)
})

test('a refusal does not say where the name led', async () => {
  const refused = guardedFetch('https://example.com/', { ...strict, lookup: async () => ['10.1.2.3'] })
  const error = await refused.catch((thrown: unknown) => thrown as Error)
  expect(error).toMatchObject({ message: 'The host is on a private network.' })
  expect(error).not.toHaveProperty('cause')
})

test('a name is resolved once, and only what was checked is connected to', async () => {
  const checked = await listenTcp((socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'), ours)
  const other = await listenTcp(() => {}, oursToo, checked.port)
  let lookups = 0
  const lookup = async () => [lookups++ === 0 ? ours : oursToo]
  const { status } = await guardedFetch(`http://rebinding.test:${checked.port}/`, { ...open, lookup })
  expect({ status, lookups, checked: checked.connections, other: other.connections }).toEqual({
    status: 204,
    lookups: 1,
    checked: 1,
    other: 0,
  })
})

test('an address that does not answer is passed over for the next', async () => {
  const server = await listenTcp((socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'), ours)
  const lookup = async () => [oursToo, ours]
  expect(await faultOf(`http://two.test:${server.port}/`, { ...open, lookup })).toBe('answered 204')
})

test.each([
  ['fails', async () => Promise.reject(new Error('SERVFAIL'))],
  ['finds nothing', async () => []],
])('a look-up that %s is no connection', async (_, lookup) => {
  expect(await faultOf('https://example.com/', { ...strict, lookup })).toBe('dns')
})

test('a look-up that never ends counts against the time', async () => {
  const lookup = () => new Promise<string[]>(() => {})
  expect(await faultOf('https://example.com/', { ...strict, timeoutMs: 100, lookup })).toBe('timeout')
})

test.each([301, 302, 303, 307, 308])('%d is an answer and is not followed', async (status) => {
  let asked = 0
  const url = await listenHttp((_request, response) => {
    asked++
    response.writeHead(status, { location: '/elsewhere' }).end('moved')
  })
  expect(await guardedFetch(url, open)).toMatchObject({ status, body: Buffer.from('moved') })
  expect(asked).toBe(1)
})

test('what was given is sent, and the answer comes back', async () => {
  const url = await listenHttp(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { host, connection, ...headers } = request.headers
    response.writeHead(201, { 'x-answer': 'yes' }).end(
      JSON.stringify({
        method: request.method,
        url: request.url,
        headers,
        body: Buffer.concat(chunks).toString(),
      }),
    )
  })
  const reply = await guardedFetch(`${url}/path?query`, {
    ...open,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"ä":1}',
  })
  expect(reply).toMatchObject({ status: 201, headers: { 'x-answer': 'yes' }, truncated: false })
  expect(JSON.parse(reply.body.toString())).toEqual({
    method: 'POST',
    url: '/path?query',
    headers: { 'content-type': 'application/json', 'content-length': '8', 'accept-encoding': 'identity' },
    body: '{"ä":1}',
  })
})

const head = 'HTTP/1.1 200 OK\r\n'

/** Writes a byte of it at a time, for ever. */
function drip(socket: Socket, text: string): void {
  socket.write(text)
  const timer = setInterval(() => socket.write('x'), 20)
  socket.on('close', () => clearInterval(timer))
}

test.each<[string, (socket: Socket) => void, string]>([
  ['says nothing', () => {}, 'timeout'],
  ['drips its headers', (socket) => drip(socket, `${head}x-slow: `), 'timeout'],
  ['drips its body', (socket) => drip(socket, `${head}content-length: 500\r\n\r\n`), 'timeout'],
  [
    'says 100 Continue for ever',
    (socket) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'), 10)
      socket.on('close', () => clearInterval(timer))
    },
    'timeout',
  ],
  ['hangs up', (socket) => socket.destroy(), 'connection'],
  ['speaks no HTTP', (socket) => socket.end('220 mail.test ESMTP\r\n'), 'connection'],
  ['breaks off its body', (socket) => socket.end(`${head}content-length: 500\r\n\r\nshort`), 'connection'],
  ['has headers without end', (socket) => void socket.write(head + 'x: y\r\n'.repeat(20_000)), 'connection'],
  [
    'upgrades',
    (socket) =>
      void socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    'connection',
  ],
])('a server that %s costs no more than the time', async (_, behave, fault) => {
  const server = await listenTcp((socket) => void socket.once('data', () => behave(socket)))
  // Who fails at once has time to: on a slow machine that is no time-out
  const timeoutMs = fault === 'timeout' ? 500 : 10_000
  const startedAt = performance.now()
  expect(await faultOf(`http://127.0.0.1:${server.port}/`, { ...open, timeoutMs })).toBe(fault)
  expect(performance.now() - startedAt).toBeLessThan(15_000)
})

test('TLS to a server that speaks none fails', async () => {
  const server = await listenTcp((socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\n'))
  expect(await faultOf(`https://127.0.0.1:${server.port}/`, open)).toBe('tls')
})

test('of a body without end no more is read than was agreed', async () => {
  let sent = 0
  const url = await listenHttp((_request, response) => {
    const more = () => {
      while (!response.destroyed) {
        sent += 65_536
        if (!response.write(Buffer.alloc(65_536, 'x'))) break
      }
    }
    response.on('drain', more)
    more()
  })
  const { body, truncated } = await guardedFetch(url, open)
  expect({ bytes: body.length, truncated }).toEqual({ bytes: 1_000, truncated: true })
  expect(sent).toBeLessThan(32 * 1_048_576)
})

test('a request can be called off', async () => {
  const server = await listenTcp()
  const controller = new AbortController()
  const asked = faultOf(`http://127.0.0.1:${server.port}/`, { ...open, signal: controller.signal })
  controller.abort()
  expect(await asked).toBe('timeout')
})

test('a request that was called off before it began leaves nothing behind, not even a look-up that fails', async () => {
  const stray: unknown[] = []
  const note = (error: unknown) => stray.push(error)
  process.on('unhandledRejection', note)
  try {
    const lookup = async () => Promise.reject(new Error('SERVFAIL'))
    const asked = faultOf('https://example.com/', { ...strict, lookup, signal: AbortSignal.abort() })
    expect(await asked).toBe('timeout')
    // Rejections that nobody handles are told of at the end of a turn
    await new Promise((resolve) => setImmediate(resolve))
    expect(stray).toEqual([])
  } finally {
    process.off('unhandledRejection', note)
  }
})

test('proxies of the environment are neither used nor a way around the checks', async () => {
  const proxy = await listenTcp()
  const url = await listenHttp((_request, response) => void response.end('direct'))
  const program = `
    const { guardedFetch } = await import(${JSON.stringify(new URL('./guarded-fetch.ts', import.meta.url).href)})
    const faults = []
    for (const url of ['https://127.0.0.1:8443/', 'https://169.254.169.254/'])
      faults.push(await guardedFetch(url, ${JSON.stringify(strict)}).catch((error) => error.fault))
    const { body } = await guardedFetch(${JSON.stringify(url)}, ${JSON.stringify(open)})
    console.log(JSON.stringify([...faults, body.toString()]))`
  const proxyUrl = `http://127.0.0.1:${proxy.port}`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    env: {
      NODE_USE_ENV_PROXY: '1',
      HTTP_PROXY: proxyUrl,
      HTTPS_PROXY: proxyUrl,
      http_proxy: proxyUrl,
      https_proxy: proxyUrl,
      NO_PROXY: '',
      NODE_NO_WARNINGS: '1',
    },
  })
  expect(JSON.parse(stdout)).toEqual(['private', 'private', 'direct'])
  expect(proxy.connections).toBe(0)
})
