/** Priority and expiry of a request are those of its queue rows. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant
let pool: string

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test')
  const [row] = await api.sql`
    update postel.projects p set priority = 90 from postel.ip_pools l
    where l.id = p.pool_id and p.id = ${tenant.projectId} returning l.name`
  pool = row!.name
})
afterAll(() => api.stop())

const email = { from: 'ann@example.test', to: 'bob@dest.test', subject: 's', text: 't' }

async function queued(id: string): Promise<unknown> {
  const [row] = await api.sql`
    select q.priority::int, extract(epoch from q.expires_at - m.created_at)::int as seconds
    from postel.messages m join postel.queue q on q.message_id = m.id where m.id = ${id}`
  return [row!.priority, row!.seconds]
}

test.each([
  [{}, [90, 259_200]],
  [{ priority: 'high', expires_in: 600 }, [10, 600]],
  [{ priority: 'normal', expiresIn: '10m' }, [50, 600]],
  [{ expires_in: '30d' }, [90, 259_200]],
  [{ priority: null, expires_in: null, ip_pool: null }, [90, 259_200]],
])('%j', async (fields, expected) => {
  const { status, body } = await api.call('POST', '/emails', {
    key: tenant.key,
    body: { ...email, ...fields },
  })
  expect(status).toBe(200)
  expect(await queued(body.id)).toEqual(expected)
})

test('each email of a batch has its own, and the pool of the project may be named', async () => {
  const items = [
    { ...email, priority: 'high' },
    { ...email, expires_in: 60, ip_pool: pool },
  ]
  const { body } = await api.call('POST', '/emails/batch', { key: tenant.key, body: items })
  expect(await Promise.all(body.data.map(({ id }: { id: string }) => queued(id)))).toEqual([
    [10, 259_200],
    [90, 60],
  ])
})

test('one idempotency key with another priority is another request', async () => {
  const call = (fields: object) =>
    api.call('POST', '/emails', {
      key: tenant.key,
      body: { ...email, ...fields },
      headers: { 'idempotency-key': 'k' },
    })
  const first = await call({ priority: 'high', expires_in: 600 })
  expect((await call({ priority: 'high', expires_in: '10m' })).body).toEqual(first.body)
  expect(await call({ priority: 'low', expires_in: 600 })).toMatchObject({ status: 409 })
})
