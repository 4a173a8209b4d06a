/** The built-in mailbox can be read in sandbox mode, by its owner or by whoever sits at the machine. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let a: Tenant
let b: Tenant

beforeAll(async () => {
  api = await startApi({ DELIVERY_MODE: 'sandbox' })
  a = await api.tenant()
  b = await api.tenant()
  for (const [tenant, subject] of [
    [a, 'first'],
    [a, '=?utf-8?q?zw=C3=B6lf?='],
    [b, 'of another'],
  ] as const) {
    const raw = `Received: by x\r\nSubject: ${subject}\r\nFrom: ann@example.test\r\n\r\nHello\r\n`
    await api.sql`
      insert into postel.sandbox_messages (
        organization_id, message_id, client_address, ehlo_name, envelope_from, recipients, raw
      )
      values (
        ${tenant.organizationId}, '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e', '127.0.0.1', 'mail.test',
        'ann@example.test', ${['bob@dest.test']}, ${Buffer.from(raw)}
      )`
  }
})
afterAll(() => api.stop())

const subjects = async (path: string, key?: string) => {
  const { body } = await api.call('GET', path, { key })
  return body.data.map((message: { subject: string }) => message.subject)
}

test('a key lists the mail of its organization, newest first', async () => {
  const { body } = await api.call('GET', '/sandbox/messages', { key: a.key })
  expect(body.data.map((message: { subject: string }) => message.subject)).toEqual(['zwölf', 'first'])
  expect(body.data[0]).toMatchObject({
    message_id: '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e',
    from: 'ann@example.test',
    to: ['bob@dest.test'],
    client_address: '127.0.0.1',
    ehlo_name: 'mail.test',
  })
})

test('a message shows its text and headers, and only to its organization', async () => {
  const { body } = await api.call('GET', '/sandbox/messages', { key: a.key })
  const path = `/sandbox/messages/${body.data[1].id}`
  expect((await api.call('GET', path, { key: a.key })).body).toMatchObject({
    object: 'sandbox_message',
    subject: 'first',
    text: 'Hello',
    html: null,
    headers: 'Received: by x\r\nSubject: first\r\nFrom: ann@example.test\r\n',
  })
  expect((await api.call('GET', path, { key: b.key })).status).toBe(404)
})

test('at the machine no key is needed', async () => {
  expect(await subjects('/sandbox/messages')).toEqual(['of another', 'zwölf', 'first'])
})

test('the list is paged', async () => {
  const { body } = await api.call('GET', '/sandbox/messages?limit=2')
  expect(body.has_more).toBe(true)
  expect(await subjects(`/sandbox/messages?limit=2&after=${body.data[1].id}`)).toEqual(['first'])
  expect(await subjects(`/sandbox/messages?limit=1&before=${body.data[1].id}`)).toEqual(['of another'])
})

test('what came through a proxy needs a key', async () => {
  const headers = { 'x-forwarded-for': '127.0.0.1' }
  expect((await api.call('GET', '/sandbox/messages', { headers })).status).toBe(401)
})

test('a wrong key is not better than none', async () => {
  expect((await api.call('GET', '/sandbox/messages', { key: 'pk_live_unknown' })).status).toBe(403)
})

test.each(['x', '1e3', '-1', '9'.repeat(19), '%00'])('an id that is %s: 422', async (id) => {
  expect((await api.call('GET', `/sandbox/messages/${id}`, { key: a.key })).status).toBe(422)
})

test('without sandbox delivery there is no mailbox', async () => {
  const direct = await startApi({ DELIVERY_MODE: 'direct' })
  try {
    expect((await direct.call('GET', '/sandbox/messages')).status).toBe(404)
    expect((await direct.call('GET', '/sandbox/messages/1')).status).toBe(404)
  } finally {
    await direct.stop()
  }
})
