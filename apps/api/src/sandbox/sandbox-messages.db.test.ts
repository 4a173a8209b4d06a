/** The built-in mailbox can be read in sandbox mode, by its owner or by whoever sits at the machine. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { SandboxStore } from '@postel/db/queries/sandbox-store'
import { makeKey } from '@postel/db/testing/make-key'
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

test('where mail is delivered for real, a test key still has its mailbox, and a live one has none', async () => {
  const direct = await startApi({ DELIVERY_MODE: 'direct' })
  try {
    const tenant = await direct.tenant('example.test')
    const key = await makeKey(direct.sql, { ...tenant, test: true })
    const sent = await direct.call('POST', '/emails', {
      key,
      body: { from: 'a@example.test', to: 'x@dest.test', subject: 's', text: 't' },
    })
    // What outbound does with it
    await new SandboxStore(direct.sql).add({
      messageId: sent.body.id,
      clientAddress: '10.0.0.1',
      ehloName: 'mail.test',
      envelopeFrom: 'a@example.test',
      recipients: ['x@dest.test'],
      raw: Buffer.from('Subject: s\r\n\r\nt\r\n'),
    })
    const [stored] = await direct.sql`
      select m.test, q.domain from postel.messages m join postel.queue q on q.message_id = m.id where m.id = ${sent.body.id}`
    expect(stored).toEqual({ test: true, domain: 'sandbox.postel.invalid' })
    const mine = await direct.call('GET', '/sandbox/messages', { key })
    expect(mine.body.data).toMatchObject([{ message_id: sent.body.id, to: ['x@dest.test'] }])
    expect((await direct.call('GET', '/sandbox/messages', { key: tenant.key })).status).toBe(404)
    const once = async (as: string) => {
      const { body } = await direct.call('POST', '/emails', {
        key: as,
        headers: { 'idempotency-key': 'once' },
        body: { from: 'a@example.test', to: 'x@dest.test', subject: 's', text: 't' },
      })
      return body.id
    }
    // No test keeps live mail from being sent
    expect(await once(key)).toBe(await once(key))
    expect(await once(tenant.key)).not.toBe(await once(key))
    const [project] = await direct.sql<{ id: string }[]>`
      insert into postel.projects (organization_id, name, pool_id)
      select organization_id, 'second', pool_id from postel.projects where id = ${tenant.projectId}
      returning id`
    const { organizationId } = tenant
    const other = await makeKey(direct.sql, { organizationId, projectId: project!.id, test: true })
    expect((await direct.call('GET', '/sandbox/messages', { key: other })).body.data).toEqual([])
  } finally {
    await direct.stop()
  }
})
