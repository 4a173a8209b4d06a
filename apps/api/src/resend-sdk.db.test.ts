/** An unmodified resend SDK works against this server. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readStoredMessage } from '@postel/db/queries/emails'
import { Resend } from 'resend'
import { startApi, type Tenant, type TestApi } from './testing/start-api.ts'

let api: TestApi
let tenant: Tenant
let resend: Resend

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test')
  resend = new Resend(tenant.key, { baseUrl: api.url })
})
afterAll(() => api.stop())

const email = { from: 'Ann <ann@example.test>', to: 'bob@dest.test', subject: 'Hello', text: 'Hi Bob' }

test('emails.send stores a message and emails.get gives back what was sent', async () => {
  const sent = await resend.emails.send({
    ...email,
    to: ['Bob <bob@dest.test>', 'carol@other.test'],
    cc: 'dave@dest.test',
    bcc: ['eve@dest.test'],
    replyTo: 'support@example.test',
    html: '<p>Hi Bob</p>',
    headers: { 'X-Entity-Ref-ID': '42' },
    tags: [{ name: 'kind', value: 'welcome' }],
    attachments: [{ filename: 'a.txt', content: Buffer.from('attached'), contentType: 'text/plain' }],
  })
  expect(sent.error).toBeNull()

  const got = await resend.emails.get(sent.data!.id)
  expect(got.error).toBeNull()
  const state = {
    state: 'queued',
    attempts: 0,
    last_reply: null,
    updated_at: expect.stringMatching(/^\d{4}-.*\+00$/),
  }
  expect(got.data).toEqual({
    object: 'email',
    id: sent.data!.id,
    message_id: expect.stringMatching(/^<.+@example\.test>$/),
    from: 'Ann <ann@example.test>',
    to: ['Bob <bob@dest.test>', 'carol@other.test'],
    cc: ['dave@dest.test'],
    bcc: ['eve@dest.test'],
    reply_to: ['support@example.test'],
    subject: 'Hello',
    html: '<p>Hi Bob</p>',
    text: 'Hi Bob',
    created_at: expect.stringMatching(/^\d{4}-.*\+00$/),
    last_event: 'queued',
    scheduled_at: null,
    tags: [{ name: 'kind', value: 'welcome' }],
    topic_id: null,
    project_id: tenant.projectId,
    recipients: ['bob@dest.test', 'carol@other.test', 'dave@dest.test', 'eve@dest.test'].map((address) => ({
      email: address,
      ...state,
    })),
  })
})

test('a sent message reaches the queue of its recipients, from the sender, without its Bcc', async () => {
  const { data } = await resend.emails.send({ ...email, bcc: 'eve@dest.test' })
  const [stored] = await api.sql`
    select m.envelope_from, m.signing_domain, m.source, q.recipients
    from postel.messages m
    join postel.queue q on q.message_id = m.id
    where m.id = ${data!.id}`
  expect(stored).toMatchObject({
    envelope_from: 'ann@example.test',
    signing_domain: 'example.test',
    source: 'rest',
    recipients: ['bob@dest.test', 'eve@dest.test'],
  })
  const raw = (await readStoredMessage(api.sql, tenant, data!.id))!.toString()
  expect(raw).toMatch(/^Received: by mail\.postel\.test \(Postel\) with HTTP;\r\n/)
  expect(raw).not.toMatch(/eve@dest\.test/)
})

test('an attachment arrives byte for byte', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
  const { data } = await resend.emails.send({
    ...email,
    attachments: [{ filename: 'b.bin', content: bytes }],
  })
  const stored = await readStoredMessage(api.sql, tenant, data!.id)
  expect(stored!.toString().replaceAll('\r\n', '')).toContain(bytes.toString('base64'))
})

test('a scheduled message waits, and one scheduled in the past is sent at once', async () => {
  const at = new Date(Date.now() + 3_600_000).toISOString()
  const later = await resend.emails.send({ ...email, scheduledAt: at })
  const past = await resend.emails.send({ ...email, scheduledAt: '2020-01-01T00:00:00+02:00' })
  const shown = await Promise.all([later, past].map(({ data }) => resend.emails.get(data!.id)))
  expect(shown.map(({ data }) => data!.last_event)).toEqual(['scheduled', 'queued'])
  expect(new Date(shown[0]!.data!.scheduled_at!).toISOString()).toBe(at)
})

test('batch.send stores all in order', async () => {
  const sent = await resend.batch.send([
    { ...email, subject: 'first' },
    { ...email, subject: 'second' },
  ])
  expect(sent.error).toBeNull()
  expect(sent.data).not.toHaveProperty('errors')
  const subjects = await Promise.all(
    sent.data!.data.map(async ({ id }) => (await resend.emails.get(id)).data!.subject),
  )
  expect(subjects).toEqual(['first', 'second'])
})

test('a permissive batch stores the valid emails and names the others', async () => {
  const sent = await resend.batch.send(
    [email, { ...email, to: 'not an address' }, { ...email, from: 'x@elsewhere.test' }, email],
    { batchValidation: 'permissive' },
  )
  expect(sent.data!.data).toHaveLength(2)
  expect(sent.data!.errors).toEqual([
    { index: 1, message: expect.stringContaining('`to[0]`') },
    { index: 2, message: expect.stringContaining('elsewhere.test domain is not verified') },
  ])
})

test('emails.list pages through everything, newest first, both ways', async () => {
  const own = await api.tenant('list.test')
  const lister = new Resend(own.key, { baseUrl: api.url })
  const ids: string[] = []
  for (const subject of ['1', '2', '3', '4', '5'])
    ids.unshift((await lister.emails.send({ ...email, from: 'a@list.test', subject })).data!.id)

  const page = async (options: Parameters<typeof lister.emails.list>[0]) => {
    const { data } = await lister.emails.list(options)
    return { ids: data!.data.map(({ id }) => id), more: data!.has_more }
  }
  expect(await page({})).toEqual({ ids, more: false })
  expect(await page({ limit: 2 })).toEqual({ ids: ids.slice(0, 2), more: true })
  expect(await page({ limit: 2, after: ids[1]! })).toEqual({ ids: ids.slice(2, 4), more: true })
  expect(await page({ limit: 2, after: ids[3]! })).toEqual({ ids: ids.slice(4), more: false })
  expect(await page({ limit: 2, before: ids[4]! })).toEqual({ ids: ids.slice(2, 4), more: true })
  expect(await page({ limit: 2, before: ids[1]! })).toEqual({ ids: ids.slice(0, 1), more: false })
})

test('errors come as the SDK knows them', async () => {
  const errors = await Promise.all([
    resend.emails.send({ ...email, from: 'ann@elsewhere.test' }),
    resend.emails.send({ ...email, to: [] }),
    resend.emails.get('0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'),
    new Resend('pk_live_unknown', { baseUrl: api.url }).emails.send(email),
    new Resend(tenant.sendingKey, { baseUrl: api.url }).emails.list(),
  ])
  expect(errors.map(({ error }) => [error?.statusCode, error?.name])).toEqual([
    [403, 'validation_error'],
    [422, 'validation_error'],
    [404, 'not_found'],
    [403, 'invalid_api_key'],
    [401, 'restricted_api_key'],
  ])
})

test('a key with sending access sends', async () => {
  const sender = new Resend(tenant.sendingKey, { baseUrl: api.url })
  expect((await sender.emails.send(email)).error).toBeNull()
})

test('the SDK works with a slash at the end of its base URL', async () => {
  const slashed = new Resend(tenant.key, { baseUrl: `${api.url}/` })
  expect((await slashed.emails.send(email)).error).toBeNull()
})
