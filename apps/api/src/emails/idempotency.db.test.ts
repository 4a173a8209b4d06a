/** A repeated request makes one message. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect } from '@postel/db/client'
import { until } from '@postel/db/testing/factories'
import { Resend } from 'resend'
import { type Reply, startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant
let keys = 0

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test')
})
afterAll(() => api.stop())

const email = { from: 'ann@example.test', to: 'bob@dest.test', subject: 's', text: 't' }
const newKey = () => `key-${++keys}`
const post = (idempotencyKey: string, body: unknown, by = tenant, path = '/emails'): Promise<Reply> =>
  api.call('POST', path, { key: by.key, body, headers: { 'idempotency-key': idempotencyKey } })
const countMessages = async (by: Tenant) => {
  const [row] = await api.sql`
    select count(*)::int as messages from postel.messages where organization_id = ${by.organizationId}`
  return row!.messages as number
}

test('50 requests at once with one key make one message and get one answer', async () => {
  const own = await api.tenant('example2.test')
  const key = newKey()
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => post(key, { ...email, from: 'a@example2.test' }, own)),
  )
  expect(new Set(replies.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1)
  expect(replies[0]!.status).toBe(200)
  expect(await countMessages(own)).toBe(1)
})

test('a client that gave up while the commit was slow gets the first message by trying again (R-16)', async () => {
  const own = await api.tenant('slow.test')
  const key = newKey()
  const body = { ...email, from: 'a@slow.test' }
  const blocker = connect(api.databaseUrl, { name: 'blocker', max: 1 })
  const waitingWriters = async () => {
    const [row] = await api.sql`
      select count(*)::int as writers from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and application_name like 'postel-api%'`
    return row!.writers as number
  }
  const logged = async () => {
    const rows = await api.sql<{ status: number }[]>`
      select status from postel.request_logs where organization_id = ${own.organizationId} and path = '/emails'`
    return rows.map(({ status }) => status)
  }
  let again: Promise<Reply> | undefined
  await blocker.begin(async (tx) => {
    await tx`lock table postel.messages in share mode`
    const impatient = new AbortController()
    const first = fetch(`${api.url}/emails`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${own.key}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify(body),
      signal: impatient.signal,
    })
    await until(async () => (await waitingWriters()) > 0)
    impatient.abort()
    await expect(first).rejects.toThrow()
    // In the log of requests it is one that nobody was told of
    await until(async () => (await logged()).length > 0)
    expect(await logged()).toEqual([499])
    again = post(key, body, own)
  })
  await blocker.end({ timeout: 1 })
  const reply = await again!
  expect(reply.status).toBe(200)
  expect(await countMessages(own)).toBe(1)
  const found = await api.call('GET', `/emails/${reply.body.id}`, { key: own.key })
  expect(found.status).toBe(200)
})

test('the same request written in another way is the same request', async () => {
  const key = newKey()
  const first = await post(key, { ...email, replyTo: 'r@example.test', headers: { 'X-A': '1', 'X-B': '2' } })
  const second = await post(key, {
    headers: { 'X-B': '2', 'X-A': '1' },
    reply_to: ['r@example.test'],
    ...email,
    cc: null,
  })
  expect(second.body).toEqual(first.body)
})

test('the same key with another request is a conflict', async () => {
  const key = newKey()
  expect((await post(key, email)).status).toBe(200)
  const reply = await post(key, { ...email, subject: 'other' })
  expect(reply).toMatchObject({ status: 409, body: { name: 'invalid_idempotent_request' } })
  expect((await post(key, [email], tenant, '/emails/batch')).status).toBe(409)
})

test('a key belongs to its project', async () => {
  const other = await api.tenant('example3.test')
  const key = newKey()
  const mine = await post(key, email)
  const theirs = await post(key, { ...email, from: 'a@example3.test' }, other)
  expect([mine.status, theirs.status]).toEqual([200, 200])
  expect(theirs.body.id).not.toBe(mine.body.id)
})

test('a refused request does not use up its key', async () => {
  const key = newKey()
  expect((await post(key, { ...email, to: 'x' })).status).toBe(422)
  expect((await post(key, email)).status).toBe(200)
})

test('after a day a key is free again', async () => {
  const key = newKey()
  const first = await post(key, email)
  await api.sql`
    update postel.idempotency_keys set created_at = now() - interval '25 hours'
    where project_id = ${tenant.projectId} and key = ${key}`
  const second = await post(key, { ...email, subject: 'next day' })
  expect(second.status).toBe(200)
  expect(second.body.id).not.toBe(first.body.id)
})

test.each([
  ['empty', ''],
  ['257 characters', 'k'.repeat(257)],
])('a key that is %s: 400', async (_, key) => {
  const before = await countMessages(tenant)
  expect(await post(key, email)).toMatchObject({ status: 400, body: { name: 'invalid_idempotency_key' } })
  expect(await countMessages(tenant)).toBe(before)
})

test('256 characters are a key', async () => {
  expect((await post('k'.repeat(256), email)).status).toBe(200)
})

test('a repeated batch gets the ids and errors of the first time', async () => {
  const resend = new Resend(tenant.key, { baseUrl: api.url })
  const options = { idempotencyKey: newKey(), batchValidation: 'permissive' as const }
  const items = [email, { ...email, to: 'x' }, { ...email, subject: 'third' }]
  const first = await resend.batch.send(items, options)
  const second = await resend.batch.send(items, options)
  expect(first.data!.data).toHaveLength(2)
  expect(second.data).toEqual(first.data)
})
