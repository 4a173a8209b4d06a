/** /webhooks: an unmodified resend SDK works, what is not a public https URL is refused, nobody sees another's. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { hashSecret } from '@postel/db/queries/credentials'
import { Resend, type WebhookEvent } from 'resend'
import { makePerson, signIn } from '../testing/people.ts'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'
import { eventTypes, silentTypes } from './event-types.ts'

let api: TestApi
let a: Tenant
let b: Tenant
let resend: Resend

const absent = '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'
const events: WebhookEvent[] = ['email.sent', 'email.bounced']

beforeAll(async () => {
  api = await startApi()
  a = await api.tenant()
  b = await api.tenant()
  resend = new Resend(a.key, { baseUrl: api.url })
})
afterAll(() => api.stop())

async function create(tenant: Tenant, endpoint = 'https://hooks.example.com/postel') {
  const { status, body } = await api.call('POST', '/webhooks', {
    key: tenant.key,
    body: { endpoint, events },
  })
  expect(status).toBe(201)
  return body as { id: string; signing_secret: string }
}

const call = (tenant: Tenant, method: string, path: string, body?: unknown) =>
  api.call(method, path, { key: tenant.key, body })

/** Something that the webhook was told. */
async function addEvent(webhookId: string): Promise<string> {
  const [row] = await api.sql<{ id: string }[]>`
    insert into postel.webhook_deliveries (webhook_id, type, payload, next_attempt_at)
    values (${webhookId}, 'email.sent', ${'{"type":"email.sent","created_at":"2026-11-21T20:13:42.674Z","data":{"subject":"x"}}'}, now())
    returning id`
  return row!.id
}

test('webhooks.create, get, list, update and remove of the SDK', async () => {
  const created = await resend.webhooks.create({ endpoint: 'https://hooks.example.com/sdk', events })
  expect(created).toMatchObject({
    error: null,
    data: { object: 'webhook', signing_secret: expect.stringMatching(/^whsec_/) },
  })
  const { id, signing_secret } = created.data!
  const shown = {
    id,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\d .*\+00$/),
    status: 'enabled',
    status_reason: null,
    endpoint: 'https://hooks.example.com/sdk',
    events,
  }
  expect((await resend.webhooks.get(id)).data).toEqual({ object: 'webhook', ...shown, signing_secret })
  const { data: list } = await resend.webhooks.list({ limit: 1 })
  expect(list).toMatchObject({ object: 'list', data: [shown] })

  const update = { endpoint: 'https://hooks.example.com/2', events: ['email.opened'] as WebhookEvent[] }
  expect((await resend.webhooks.update(id, { ...update, status: 'disabled' })).data).toEqual({
    object: 'webhook',
    id,
  })
  expect((await resend.webhooks.get(id)).data).toMatchObject({ ...update, status: 'disabled' })
  await resend.webhooks.update(id, { status: 'enabled' })
  expect((await resend.webhooks.get(id)).data).toMatchObject({ ...update, status: 'enabled' })

  expect((await resend.webhooks.remove(id)).data).toEqual({ object: 'webhook', id, deleted: true })
  expect((await resend.webhooks.get(id)).error).toMatchObject({ name: 'not_found', statusCode: 404 })
})

test('webhooks.rotateSigningSecret of the SDK gives a new secret and keeps the one before for a day', async () => {
  const { id, signing_secret } = await create(a)
  const { data } = await resend.webhooks.rotateSigningSecret(id)
  expect(data).toEqual({ object: 'webhook', id, signing_secret: expect.stringMatching(/^whsec_/) })
  expect(data!.signing_secret).not.toBe(signing_secret)
  expect((await resend.webhooks.get(id)).data!.signing_secret).toBe(data!.signing_secret)
  const [row] = await api.sql`
    select previous_secret is not null as kept, round(extract(epoch from previous_secret_until - now()) / 60)::int as minutes
    from postel.webhooks where id = ${id}`
  expect(row).toEqual({ kept: true, minutes: 1_440 })
})

test('webhooks.events of the SDK lists, gets and replays, with its attempts', async () => {
  const { id: webhookId } = await create(a)
  const older = await addEvent(webhookId)
  const eventId = await addEvent(webhookId)
  await api.sql`
    insert into postel.webhook_attempts (delivery_id, duration_ms, status_code, error, response_body, at)
    values (${eventId}, 12, null, 'The server did not answer in time.', null, now() - interval '5 s'), (${eventId}, 5, 500, 'It answered 500.', '<b>no</b>', now())`
  await api.sql`update postel.webhook_deliveries set attempts = 2, state = 'failed', next_attempt_at = null where id = ${eventId}`

  const { data: page } = await resend.webhooks.events.list({ webhookId, limit: 1 })
  const shown = { id: eventId, type: 'email.sent', created_at: expect.any(String), status: 'failed' }
  expect(page).toEqual({ object: 'list', has_more: true, data: [shown] })
  const { data: rest } = await resend.webhooks.events.list({ webhookId, after: eventId })
  expect(rest).toMatchObject({ has_more: false, data: [{ id: older, status: 'pending' }] })

  expect((await resend.webhooks.events.get({ webhookId, eventId })).data).toEqual({
    ...{ object: 'webhook_event', ...shown, next_attempt_at: null },
    payload: { type: 'email.sent', created_at: '2026-11-21T20:13:42.674Z', data: { subject: 'x' } },
  })
  const { data: attempts } = await resend.webhooks.events.attempts.list({ webhookId, eventId })
  expect(attempts).toMatchObject({
    object: 'list',
    data: [
      { http_status_code: 500, response: '<b>no</b>', error: 'It answered 500.', duration_ms: 5 },
      { http_status_code: 0, response: '', error: 'The server did not answer in time.' },
    ],
  })
  const { data: replayed } = await resend.webhooks.events.replay({ webhookId, eventId })
  expect(replayed).toEqual({ object: 'webhook_event', id: eventId })
  expect((await resend.webhooks.events.get({ webhookId, eventId })).data).toMatchObject({
    status: 'pending',
    next_attempt_at: expect.any(String),
  })
  await api.sql`update postel.webhook_deliveries set attempts = 1 where id = ${eventId}`
  expect((await resend.webhooks.events.get({ webhookId, eventId })).data!.status).toBe('attempting')
})

test('a test event waits to be sent, in the shape of the real ones', async () => {
  const { id } = await create(a)
  for (const type of eventTypes) {
    const { body } = await call(a, 'POST', `/webhooks/${id}/test`, { type })
    const event = await call(a, 'GET', `/webhooks/${id}/events/${body.id}`)
    expect(event.body).toMatchObject({ type, status: 'pending', payload: { type, data: expect.any(Object) } })
  }
  expect((await call(a, 'POST', `/webhooks/${id}/test`)).body).toMatchObject({ object: 'webhook_event' })
  expect((await call(a, 'POST', `/webhooks/${id}/test`, { type: 'contact.created' })).status).toBe(422)
})

test('a webhook that is disabled is sent nothing', async () => {
  const { id } = await create(a)
  const eventId = await addEvent(id)
  await call(a, 'PATCH', `/webhooks/${id}`, { status: 'disabled' })
  for (const path of [`/webhooks/${id}/test`, `/webhooks/${id}/events/${eventId}/replay`])
    expect(await call(a, 'POST', path)).toMatchObject({
      status: 422,
      body: { message: expect.stringContaining('disabled') },
    })
})

test('enabled again it begins anew', async () => {
  const { id } = await create(a)
  await api.sql`
    update postel.webhooks
    set status = 'disabled', status_reason = 'failing', failing_since = now() - interval '6 days', enabled_at = now() - interval '9 days'
    where id = ${id}`
  expect((await call(a, 'GET', `/webhooks/${id}`)).body).toMatchObject({
    status: 'disabled',
    status_reason: 'failing',
  })
  await call(a, 'PATCH', `/webhooks/${id}`, { status: 'enabled' })
  const [row] = await api.sql`
    select status, status_reason, failing_since, enabled_at > now() - interval '1 minute' as anew from postel.webhooks where id = ${id}`
  expect(row).toEqual({ status: 'enabled', status_reason: null, failing_since: null, anew: true })
})

test.each([
  'http://hooks.example.com/',
  'https://127.0.0.1/',
  'https://localhost/',
  'https://127.1/',
  'https://0x7f.1/',
  'https://2130706433/',
  'https://[::1]/',
  'https://[::ffff:7f00:1]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[2002:7f00:1::]/',
  'https://10.0.0.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://１２７.０.０.１/',
  'https://kubernetes.default.svc/',
  'https://x.cluster.local/',
  'https://user:pass@hooks.example.com/',
  'https://hooks.example.com#@127.0.0.1/',
  'https:\\\\127.0.0.1/',
  'file:///etc/passwd',
  'gopher://hooks.example.com/',
  'javascript:alert(1)',
  'https://hooks.example.com:22/',
  'https://hooks.example.com:5432/',
  'https://hooks.example.com:10250/',
  'https://hooks.example.com/\u0000',
  'https://hooks.example.com/\r\nhost: x',
  '',
  5,
  null,
  ['https://hooks.example.com/'],
])('an endpoint that is %j is refused, when made and when changed', async (endpoint) => {
  const { id } = await create(a)
  const made = await call(a, 'POST', '/webhooks', { endpoint, events })
  const changed = await call(a, 'PATCH', `/webhooks/${id}`, { endpoint })
  for (const reply of [made, changed])
    expect(reply).toMatchObject({
      status: 422,
      body: { name: 'validation_error', message: expect.stringContaining('`endpoint`') },
    })
  expect((await call(a, 'GET', `/webhooks/${id}`)).body.endpoint).toBe('https://hooks.example.com/postel')
})

test.each<[string, unknown, string]>([
  ['no endpoint', { events }, 'missing_required_field'],
  ['no events', { endpoint: 'https://hooks.example.com/' }, 'missing_required_field'],
  ['an empty list of events', { endpoint: 'https://hooks.example.com/', events: [] }, 'validation_error'],
  [
    'an event that does not exist',
    { endpoint: 'https://hooks.example.com/', events: ['email.read'] },
    'validation_error',
  ],
  [
    'events that are no list',
    { endpoint: 'https://hooks.example.com/', events: 'email.sent' },
    'validation_error',
  ],
  ['a list', [], 'validation_error'],
  ['text', 'x', 'validation_error'],
])('%s is refused', async (_, body, name) => {
  expect(await call(a, 'POST', '/webhooks', JSON.stringify(body))).toMatchObject({
    status: 422,
    body: { name },
  })
})

test('every event of Resend can be asked for', async () => {
  const all = [...eventTypes, ...silentTypes]
  const { body } = await call(a, 'POST', '/webhooks', { endpoint: 'https://hooks.example.com/', events: all })
  expect((await call(a, 'GET', `/webhooks/${body.id}`)).body.events).toEqual(all)
})

test("another organization's webhook is not found, in the words for one that does not exist", async () => {
  const { id } = await create(b)
  const eventId = await addEvent(id)
  const paths: [string, string, unknown?][] = [
    ['GET', `/webhooks/${id}`],
    ['PATCH', `/webhooks/${id}`, { status: 'disabled' }],
    ['POST', `/webhooks/${id}/signing-secret/rotate`],
    ['POST', `/webhooks/${id}/test`],
    ['GET', `/webhooks/${id}/events`],
    ['GET', `/webhooks/${id}/events/${eventId}`],
    ['GET', `/webhooks/${id}/events/${eventId}/attempts`],
    ['POST', `/webhooks/${id}/events/${eventId}/replay`],
    ['DELETE', `/webhooks/${id}`],
  ]
  const before =
    await api.sql`select w.*, d.state, d.next_attempt_at from postel.webhooks w join postel.webhook_deliveries d on d.webhook_id = w.id where w.id = ${id}`
  for (const [method, path, body] of paths) {
    const theirs = await call(a, method, path, body)
    expect(theirs.status).toBe(404)
    expect(theirs.body).toEqual((await call(a, method, path.replace(id, absent), body)).body)
  }
  expect(
    (await call(a, 'GET', `/webhooks?before=00000000-0000-0000-0000-000000000000`)).body.data,
  ).not.toContainEqual(expect.objectContaining({ id }))
  expect(
    await api.sql`select w.*, d.state, d.next_attempt_at from postel.webhooks w join postel.webhook_deliveries d on d.webhook_id = w.id where w.id = ${id}`,
  ).toEqual(before)
})

test('an event is found at its own webhook only', async () => {
  const [mine, other] = [await create(a), await create(a)]
  const eventId = await addEvent(mine.id)
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/attempts'],
    ['POST', '/replay'],
  ] as const)
    expect((await call(a, method, `/webhooks/${other.id}/events/${eventId}${path}`)).status).toBe(404)
})

test("a project's key sees the webhooks of its project alone, the organization's key all", async () => {
  const c = await api.tenant()
  const ofProject = await create(c)
  const key = `pk_test_${'0'.repeat(23)}w`
  await api.sql`
    insert into postel.api_keys (organization_id, name, prefix, hash, permission)
    values (${c.organizationId}, 'whole', ${key.slice(0, 12)}, ${hashSecret(key)}, 'full_access')`
  const whole = { ...c, key }
  const ofAll = await create(whole)
  const listed = async (tenant: Tenant) =>
    (await call(tenant, 'GET', '/webhooks')).body.data.map(({ id }: { id: string }) => id)
  expect(await listed(c)).toEqual([ofProject.id])
  expect(await listed(whole)).toEqual([ofAll.id, ofProject.id])
  expect((await call(c, 'GET', `/webhooks/${ofAll.id}`)).status).toBe(404)
})

test('who may only read sees a webhook and what it was told, without the secret, and changes nothing', async () => {
  const { id } = await create(a)
  const eventId = await addEvent(id)
  const person = await makePerson(api, { roles: { [a.organizationId]: 'read_only' } })
  const browser = await signIn(api, person)
  const seen = await browser.call('GET', `/webhooks/${id}`)
  expect(seen.body).toMatchObject({ id, endpoint: 'https://hooks.example.com/postel' })
  expect(seen.body).not.toHaveProperty('signing_secret')
  expect((await browser.call('GET', `/webhooks/${id}/events/${eventId}`)).status).toBe(200)
  for (const [method, path, body] of [
    ['POST', '/webhooks', { endpoint: 'https://hooks.example.com/', events }],
    ['PATCH', `/webhooks/${id}`, { status: 'disabled' }],
    ['DELETE', `/webhooks/${id}`],
    ['POST', `/webhooks/${id}/signing-secret/rotate`],
    ['POST', `/webhooks/${id}/test`],
    ['POST', `/webhooks/${id}/events/${eventId}/replay`],
  ] as const)
    expect(await browser.call(method, path, { body })).toMatchObject({
      status: 403,
      body: { name: 'invalid_permission' },
    })
})

test('a key that may only send is refused', async () => {
  const { id } = await create(a)
  for (const [method, path] of [
    ['GET', '/webhooks'],
    ['POST', '/webhooks'],
    ['GET', `/webhooks/${id}`],
    ['DELETE', `/webhooks/${id}`],
  ] as const)
    expect(
      await call({ ...a, key: a.sendingKey }, method, path, method === 'POST' ? {} : undefined),
    ).toMatchObject({
      status: 401,
      body: { name: 'restricted_api_key' },
    })
})

test('an organization cannot have webhooks without end', async () => {
  const c = await api.tenant()
  await api.sql`
    insert into postel.webhooks (organization_id, project_id, endpoint, events, secret)
    select ${c.organizationId}, ${c.projectId}, 'https://x.test/', '{email.sent}', '' from generate_series(1, 100)`
  const body = { endpoint: 'https://hooks.example.com/', events }
  expect(await call(c, 'POST', '/webhooks', body)).toMatchObject({
    status: 422,
    body: { message: expect.stringContaining('100 webhooks') },
  })
})

test('every change is in the audit log, and no secret is in it or readable in the table', async () => {
  const { id, signing_secret } = await create(a)
  await call(a, 'PATCH', `/webhooks/${id}`, { events: ['email.opened'] })
  const rotated = await call(a, 'POST', `/webhooks/${id}/signing-secret/rotate`)
  const eventId = await addEvent(id)
  await call(a, 'POST', `/webhooks/${id}/events/${eventId}/replay`)
  const [dump] = await api.sql<{ text: string; bytes: Buffer }[]>`
    select (select string_agg(l::text, ' ') from postel.audit_log l) as text, w.secret || w.previous_secret as bytes
    from postel.webhooks w where id = ${id}`
  for (const secret of [signing_secret, rotated.body.signing_secret as string]) {
    const plain = Buffer.from(secret.slice('whsec_'.length), 'base64')
    expect(plain.length).toBeGreaterThanOrEqual(24)
    expect(dump!.text).not.toContain(secret.slice('whsec_'.length))
    expect(dump!.bytes.includes(plain)).toBe(false)
  }
  await call(a, 'DELETE', `/webhooks/${id}`)
  const logged = await api.sql`
    select action, organization_id = ${a.organizationId} as own, actor_kind as by, target_name as name
    from postel.audit_log where target_id in (${id}, ${eventId}) order by id`
  const name = 'https://hooks.example.com/postel'
  expect([...logged]).toEqual(
    [
      'webhook.created',
      'webhook.updated',
      'webhook.secret_rotated',
      'webhook.event_replayed',
      'webhook.deleted',
    ].map((action) => ({
      action,
      own: true,
      by: 'api_key',
      name: action === 'webhook.event_replayed' ? 'email.sent' : name,
    })),
  )
})
