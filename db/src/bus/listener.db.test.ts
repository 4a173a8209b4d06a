/** The subscription comes back by itself, and whoever depends on it is told to look. */
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect, type Sql } from '../client.ts'
import { createTestDatabase, type TestDatabase } from '../testing/create-test-database.ts'
import { unique, until } from '../testing/factories.ts'
import { controlChannel, outboundChannel } from './channels.ts'
import { Listener, type ListenerOptions } from './listener.ts'

let database: TestDatabase
let sql: Sql
let open: Listener[] = []
let heard: string[]
let ready: number
let errors: unknown[]
let name: string

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 1 })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(() => {
  heard = []
  errors = []
  ready = 0
  name = unique('listener')
})
afterEach(async () => {
  await Promise.all(open.map((listener) => listener.stop()))
  open = []
})

function makeListener(options: Partial<ListenerOptions> = {}): Listener {
  const listener = new Listener({
    url: database.url,
    name,
    channels: [outboundChannel, controlChannel],
    onNotification: (channel, payload) => heard.push(`${channel} ${payload}`),
    onReady: () => ready++,
    onError: (error) => errors.push(error),
    heartbeatMs: 50,
    ...options,
  })
  open.push(listener)
  return listener
}

/** Notifies until it is heard. */
async function hears(payload: string): Promise<void> {
  await until(async () => {
    await sql`select pg_notify(${outboundChannel}, ${payload})`
    return heard.includes(`${outboundChannel} ${payload}`)
  })
}

test('is ready when it starts, and hears all its channels', async () => {
  await makeListener().start()
  expect(ready).toBe(1)
  await sql`select pg_notify(${outboundChannel}, '1'), pg_notify(${controlChannel}, 'ips'), pg_notify('other', 'x')`
  await until(() => heard.length === 2)
  expect(heard).toEqual(['postel_outbound 1', 'postel_control ips'])
})

test('a quiet subscription is left alone', async () => {
  const listener = makeListener({ heartbeatMs: 10 })
  await listener.start()
  const [before] = await sql`select pid from pg_stat_activity where application_name = ${name}`
  await until(async () => {
    const [row] = await sql`
      select query from pg_stat_activity where application_name = ${name} and query ~ 'pg_listening_channels'`
    return row !== undefined
  })
  const [after] = await sql`select pid from pg_stat_activity where application_name = ${name}`
  expect(after).toEqual(before)
  expect(listener.silentMs).toBeLessThan(30_000)
  expect({ ready, errors }).toEqual({ ready: 1, errors: [] })
})

test('a backend that is killed is replaced, and the owner rescans', async () => {
  const listener = makeListener()
  await listener.start()
  for (let kill = 1; kill <= 3; kill++) {
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${name}`
    await until(() => ready === kill + 1)
    await hears(`${kill}`)
  }
  expect(errors.length).toBeGreaterThanOrEqual(3)
  expect(listener.reconnects).toBe(errors.length)
  expect(listener.received).toEqual({ postel_outbound: heard.length, postel_control: 0 })
})

type Proxy = {
  url: string
  server: Server
  sockets: Set<Socket>
  swallow: boolean
  change: (chunk: Buffer) => Buffer
}

/** A way to the database that can be made to swallow what passes, or to change what the client says. */
async function startProxy(host = '127.0.0.1'): Promise<Proxy> {
  const target = new URL(database.url)
  const proxy: Proxy = {
    url: '',
    server: createServer(),
    sockets: new Set(),
    swallow: false,
    change: (chunk) => chunk,
  }
  proxy.server.on('connection', (client) => {
    const upstream = dial(Number(target.port), target.hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      proxy.sockets.add(from)
      from.on('data', (chunk) => proxy.swallow || to.write(from === client ? proxy.change(chunk) : chunk))
      from.on('close', () => to.destroy())
      from.on('error', () => to.destroy())
    }
  })
  await new Promise<void>((resolve) => proxy.server.listen(0, host, resolve))
  const url = new URL(database.url)
  url.hostname = host
  url.port = String((proxy.server.address() as { port: number }).port)
  proxy.url = url.href
  return proxy
}

test('a LISTEN that was lost in silence is found out', async () => {
  const proxy = await startProxy()
  try {
    // As a pooler in transaction mode does: the connection works, and hears nothing
    proxy.change = (chunk) => Buffer.from(chunk.toString('latin1').replaceAll('listen ', '--     '), 'latin1')
    await makeListener({ url: proxy.url }).start()
    expect(ready).toBe(1)
    await until(() => errors.length > 0)
    expect(String(errors[0])).toBe('Error: the subscription to postel_outbound, postel_control was lost')
    proxy.change = (chunk) => chunk
    await hears('back')
    expect(ready).toBeGreaterThan(1)
  } finally {
    for (const socket of proxy.sockets) socket.destroy()
    proxy.server.close()
  }
})

test('a link that swallows everything is found out within seconds, and replaced', async () => {
  const proxy = await startProxy()
  try {
    await makeListener({ url: proxy.url }).start()
    proxy.swallow = true
    await until(() => errors.length > 0, 15)
    expect(String(errors[0])).toContain('does not answer')
    proxy.swallow = false
    await until(() => ready === 2, 15)
    await hears('back')
  } finally {
    for (const socket of proxy.sockets) socket.destroy()
    proxy.server.close()
  }
})

test('a database that is away at the start is waited for', async () => {
  // An address of its own, because at 127.0.0.1 any outgoing connection may take the port meanwhile
  const host = '127.0.0.77'
  const proxy = await startProxy(host)
  const { port } = proxy.server.address() as { port: number }
  await new Promise((resolve) => proxy.server.close(resolve))
  const listener = makeListener({ url: proxy.url })
  await listener.start()
  expect(ready).toBe(0)
  expect(errors).toHaveLength(1)
  proxy.server.listen(port, host)
  try {
    await until(() => ready === 1)
    await hears('there')
  } finally {
    await listener.stop()
    for (const socket of proxy.sockets) socket.destroy()
    proxy.server.close()
  }
})

test('a stopped listener stays silent and leaves no connection', async () => {
  const listener = makeListener()
  await listener.start()
  await listener.stop()
  await listener.stop()
  await until(async () => {
    const rows = await sql`select from pg_stat_activity where application_name = ${name}`
    return rows.length === 0
  })
  expect({ ready, errors }).toEqual({ ready: 1, errors: [] })
})
