/** Requests a second: each key has its own, whatever address it claims to come from. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startApi, type Tenant, type TestApi } from './testing/start-api.ts'

const perSecond = 2

let api: TestApi
let tenant: Tenant

beforeAll(async () => {
  api = await startApi({ API_REQUESTS_PER_SECOND: perSecond })
  tenant = await api.tenant('a.test')
})
afterAll(() => api.stop())

test('each reply says what is left, and of a burst of ten times as many most are refused', async () => {
  const first = await api.call('GET', '/emails', { key: tenant.key })
  expect([
    first.headers.get('ratelimit-limit'),
    first.headers.get('ratelimit-policy'),
    first.headers.get('ratelimit-remaining'),
    first.headers.get('ratelimit-reset'),
  ]).toEqual(['2', '2;w=1', '1', '1'])

  const startedAt = performance.now()
  const replies = await Promise.all(
    Array.from({ length: perSecond * 10 }, (_, i) =>
      api.call('GET', '/emails', {
        key: tenant.key,
        headers: {
          'x-forwarded-for': `198.51.100.${i}`,
          forwarded: `for=198.51.100.${i}`,
          'x-real-ip': `198.51.100.${i}`,
        },
      }),
    ),
  )
  const seconds = (performance.now() - startedAt) / 1000
  const refused = replies.filter(({ status }) => status === 429)
  expect(replies.length - refused.length).toBeLessThanOrEqual(Math.ceil(perSecond * (1 + seconds)))
  expect(refused.length).toBeGreaterThan(0)
  expect(refused[0]!.body.name).toBe('rate_limit_exceeded')
  expect(refused[0]!.headers.get('retry-after')).toBe('1')
  expect(refused[0]!.headers.get('ratelimit-remaining')).toBe('0')

  // Another key of the same project has its own, and a refused key counts for nobody
  expect((await api.call('GET', '/emails', { key: tenant.sendingKey })).status).toBe(401)
  const unknown = await api.call('GET', '/emails', { key: 'pk_live_unknown' })
  expect([unknown.status, unknown.headers.get('ratelimit-limit')]).toEqual([403, null])
})
