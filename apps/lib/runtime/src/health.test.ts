import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { type Health, type HealthConfig, serveHealth } from './health.ts'
import { Counter, createRegistry } from './metrics.ts'

const token = 'a-token-of-32-characters-or-more'
let open: Health[] = []

afterEach(async () => {
  await Promise.all(open.map((health) => health.stop()))
  open = []
})

async function serve(config: Partial<HealthConfig> = {}, ready = async () => {}): Promise<Health> {
  const registry = createRegistry('test')
  new Counter({ name: 'x_total', help: 'Xs', registers: [registry] })
  const base = { METRICS_HOST: '127.0.0.1', METRICS_PORT: 0, HEALTH_HOST: '127.0.0.1' }
  const health = await serveHealth({ config: { ...base, ...config }, registry, ready })
  open.push(health)
  return health
}

const get = (port: number, path: string, authorization?: string) =>
  fetch(`http://127.0.0.1:${port}${path}`, { headers: authorization === undefined ? {} : { authorization } })
const statuses = (port: number) =>
  Promise.all(['/livez', '/readyz', '/metrics', '/'].map(async (path) => (await get(port, path)).status))

test('without a port of its own, health is beside the metrics', async () => {
  const { port, healthPort } = await serve()
  expect(healthPort).toBe(port)
  expect(await statuses(port)).toEqual([200, 200, 200, 404])
  expect(await (await get(port, '/metrics')).text()).toContain('x_total{app="test"} 0')
})

test('with a port of its own, each port serves its part and nothing else', async () => {
  const { port, healthPort } = await serve({ HEALTH_PORT: 0 })
  expect(await statuses(port)).toEqual([404, 404, 200, 404])
  expect(await statuses(healthPort)).toEqual([200, 200, 404, 404])
})

test('the health port can be on another address', async () => {
  // At 127.0.0.1 the port is ours, so that nobody else's server answers there
  const taken = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  try {
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const { healthPort } = await serve({ HEALTH_PORT: port, HEALTH_HOST: '127.0.62.1' })
    expect(healthPort).toBe(port)
    expect((await fetch(`http://127.0.62.1:${healthPort}/livez`)).status).toBe(200)
    await expect(get(healthPort, '/livez')).rejects.toThrow('fetch failed')
  } finally {
    taken.close()
  }
})

test('a port that is taken is said, and nothing stays open', async () => {
  const first = await serve({ HEALTH_PORT: 0 })
  await expect(serve({ HEALTH_PORT: first.healthPort })).rejects.toThrow(
    `Port ${first.healthPort} is taken by another program`,
  )
})

test('health needs no token', async () => {
  const { port } = await serve({ METRICS_TOKEN: token })
  expect(await statuses(port)).toEqual([200, 200, 401, 404])
})

test.each<[string, string | undefined, number]>([
  ['the token', `Bearer ${token}`, 200],
  ['none', undefined, 401],
  ['an empty one', '', 401],
  ['another', `Bearer ${token.replace('a', 'b')}`, 401],
  ['its beginning', `Bearer ${token.slice(0, -1)}`, 401],
  ['more than it', `Bearer ${token}x`, 401],
  ['another scheme', `Basic ${token}`, 401],
  ['the bare token', token, 401],
])('metrics with a token, asked with %s', async (_, authorization, status) => {
  const { port } = await serve({ METRICS_TOKEN: token })
  const response = await get(port, '/metrics', authorization)
  expect(response.status).toBe(status)
  expect(response.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer realm="metrics"' : null)
  expect((await response.text()).includes('x_total')).toBe(status === 200)
})

test('what /readyz said last is a metric', async () => {
  let problem: string | undefined
  const { port } = await serve({}, async () => {
    if (problem) throw new Error(problem)
  })
  const ready = async () => /^postel_ready\{.*\} (\d)$/m.exec(await (await get(port, '/metrics')).text())?.[1]
  expect(await ready()).toBeUndefined()
  await get(port, '/readyz')
  expect(await ready()).toBe('1')
  problem = 'not now'
  const refused = await get(port, '/readyz')
  expect([refused.status, await refused.text()]).toEqual([503, 'not now\n'])
  expect(await ready()).toBe('0')
})
