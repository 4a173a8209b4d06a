/** /suppressions: Resend's methods, whose list is whose, and that no way of writing an address gets past it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { hashSecret } from '@postel/db/queries/credentials'
import { Resend } from 'resend'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant
let resend: Resend

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test')
  resend = new Resend(tenant.key, { baseUrl: api.url })
})
afterAll(() => api.stop())

const timeText = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00$/)

/** A second project of the tenant's organization, and its key; without a name, a key of the whole organization. */
async function anotherKey(project?: string): Promise<{ key: string; projectId: string | null }> {
  const key = `pk_test_${crypto.randomUUID()}`
  const [row] = project
    ? await api.sql<{ id: string }[]>`
        insert into postel.projects (organization_id, name, pool_id)
        select ${tenant.organizationId}, ${project}, p.pool_id from postel.projects p where p.id = ${tenant.projectId}
        returning id`
    : []
  await api.sql`
    insert into postel.api_keys (organization_id, project_id, name, prefix, hash, permission)
    values (
      ${tenant.organizationId}, ${row?.id ?? null}, 'test', ${key.slice(0, 12)}, ${hashSecret(key)}, 'full_access'
    )`
  return { key, projectId: row?.id ?? null }
}

async function stateOf(to: string, fields: object = {}, key = tenant.key): Promise<string[]> {
  const sent = await api.call('POST', '/emails', {
    key,
    body: { from: 'a@example.test', to, subject: 'x', text: 'x', ...fields },
  })
  expect(sent.status).toBe(200)
  const rows = await api.sql<{ state: string }[]>`
    select d.recipient || ' ' || d.state as state from postel.deliveries d
    where d.message_id = ${sent.body.id} order by d.number`
  return rows.map(({ state }) => state)
}

test('suppressions.add, get, list and remove of the SDK', async () => {
  const added = await resend.suppressions.add({ email: 'Sdk@DEST.test' })
  expect(added).toMatchObject({ error: null, data: { object: 'suppression', id: expect.any(String) } })
  const { id } = added.data!
  const shown = {
    id,
    email: 'sdk@dest.test',
    origin: 'manual',
    source_id: null,
    created_at: timeText,
    project_id: tenant.projectId,
    reason: null,
    expires_at: null,
  }
  expect((await resend.suppressions.get(id)).data).toEqual({ object: 'suppression', ...shown })
  expect((await resend.suppressions.get('SDK@dest.test')).data).toEqual({ object: 'suppression', ...shown })
  expect((await resend.suppressions.list({ origin: 'manual', limit: 1 })).data).toEqual({
    object: 'list',
    has_more: false,
    data: [shown],
  })
  expect((await resend.suppressions.list({ origin: 'bounce' })).data!.data).toEqual([])
  expect((await resend.suppressions.remove('sdk@dest.test')).data).toEqual({
    object: 'suppression',
    id,
    deleted: true,
  })
  expect((await resend.suppressions.get(id)).error).toMatchObject({ name: 'not_found', statusCode: 404 })
  expect((await resend.suppressions.remove(id)).error).toMatchObject({ name: 'not_found', statusCode: 404 })
})

test('suppressions.batch.add and remove of the SDK, by address and by id', async () => {
  const added = await resend.suppressions.batch.add({
    emails: ['b1@dest.test', 'b2@dest.test', 'B1@dest.test'],
  })
  expect(added.error).toBeNull()
  const [one, two, again] = added.data!.data.map(({ id }) => id)
  expect(again).toBe(one)
  const byEmail = await resend.suppressions.batch.remove({ emails: ['B1@DEST.test', 'unknown@dest.test'] })
  expect(byEmail.data).toEqual({ data: [{ object: 'suppression', id: one, deleted: true }] })
  const byId = await resend.suppressions.batch.remove({ ids: [one!, two!] })
  expect(byId.data!.data).toEqual([
    { object: 'suppression', id: one, deleted: false },
    { object: 'suppression', id: two, deleted: true },
  ])
})

test('lists go by pages in both directions, and only show what is asked for', async () => {
  const { key } = await api.tenant()
  for (const name of ['p1', 'p2', 'p3', 'other'])
    await api.call('POST', '/suppressions', { key, body: { email: `${name}@dest.test` } })
  const page = async (query: string) => (await api.call('GET', `/suppressions?${query}`, { key })).body
  const emails = (list: { data: { email: string }[] }) => list.data.map(({ email }) => email)
  const first = await page('limit=2')
  expect([emails(first), first.has_more]).toEqual([['other@dest.test', 'p3@dest.test'], true])
  const second = await page(`limit=2&after=${first.data[1].id}`)
  expect([emails(second), second.has_more]).toEqual([['p2@dest.test', 'p1@dest.test'], false])
  expect(emails(await page(`limit=2&before=${second.data[1].id}`))).toEqual(['p3@dest.test', 'p2@dest.test'])
  expect(emails(await page('search=P'))).toEqual(['p3@dest.test', 'p2@dest.test', 'p1@dest.test'])
  expect(emails(await page('search=%25'))).toEqual([])
})

test.each([
  ['case', 'Case@Dest.test', 'cASE@dEST.test'],
  ['quotes', '"quo"@dest.test', 'quo@dest.test'],
  ['quotes the other way', 'quo2@dest.test', '"quo2"@dest.test'],
  ['quotes that are needed', '"a B"@dest.test', '"A b"@dest.test'],
  ['an internationalised domain', 'idn@bücher.test', 'idn@xn--bcher-kva.test'],
  ['its A-labels', 'idn2@XN--bcher-kva.test', 'idn2@BÜCHER.test'],
])('an address stays suppressed however it is written: %s', async (_name, suppressed, written) => {
  const added = await api.call('POST', '/suppressions', { key: tenant.key, body: { email: suppressed } })
  expect(added.status).toBe(200)
  for (const fields of [{ to: written }, { cc: written }, { bcc: written }]) {
    const states = await stateOf('free@dest.test', fields)
    expect(states.filter((state) => !state.startsWith('free@'))).toEqual([
      expect.stringMatching(/ suppressed$/),
    ])
  }
})

test('a tag makes an address of its own', async () => {
  await api.call('POST', '/suppressions', { key: tenant.key, body: { email: 'tag+news@dest.test' } })
  expect(await stateOf('tag@dest.test')).toEqual(['tag@dest.test queued'])
  expect(await stateOf('Tag+News@dest.test')).toEqual(['Tag+News@dest.test suppressed'])
})

test('an address that was taken off gets mail again, and can be put on again', async () => {
  const email = 'again@dest.test'
  for (let round = 0; round < 2; round++) {
    await api.call('POST', '/suppressions', { key: tenant.key, body: { email } })
    expect(await stateOf(email)).toEqual([`${email} suppressed`])
    await api.call('DELETE', `/suppressions/${email}`, { key: tenant.key })
    expect(await stateOf(email)).toEqual([`${email} queued`])
  }
})

test('an address that was erased stays suppressed without being there, and can be taken off by who knows it', async () => {
  const email = 'erased@dest.test'
  await api.call('POST', '/suppressions', { key: tenant.key, body: { email } })
  await api.sql`update postel.suppressions set address = postel.address_hash(address) where address = ${email}`
  expect(await stateOf('Erased@dest.test')).toEqual(['Erased@dest.test suppressed'])
  expect((await api.call('GET', `/suppressions/${email}`, { key: tenant.key })).body.email).toMatch(
    /^sha256:/,
  )
  expect((await api.call('DELETE', `/suppressions/${email}`, { key: tenant.key })).status).toBe(200)
  expect(await stateOf(email)).toEqual([`${email} queued`])
})

test('a suppression that ends is over at its time, and adding it anew only makes it longer', async () => {
  const email = 'ends@dest.test'
  const soon = new Date(Date.now() + 3_600_000).toISOString()
  const add = (expires_at?: string) =>
    api.call('POST', '/suppressions', { key: tenant.key, body: { email, expires_at, reason: 'later' } })
  const first = await add(soon)
  const expires = async () =>
    (await api.call('GET', `/suppressions/${email}`, { key: tenant.key })).body.expires_at
  expect(await expires()).toBe(`${soon.replace('T', ' ').slice(0, -1)}000+00`)
  expect((await add()).body).toEqual(first.body)
  expect(await expires()).toBeNull()
  await add(soon)
  expect(await expires()).toBeNull()
  await api.sql`update postel.suppressions set expires_at = now() where address = ${email}`
  expect(await stateOf(email)).toEqual([`${email} queued`])
  expect((await api.call('GET', `/suppressions/${email}`, { key: tenant.key })).status).toBe(404)
})

test("a project's key works on its own list and sees the organization's; the organization's key chooses", async () => {
  const other = await anotherKey('second')
  const whole = await anotherKey()
  const add = (key: string, body: object) => api.call('POST', '/suppressions', { key, body })
  await add(whole.key, { email: 'whole@dest.test' })
  await add(whole.key, { email: 'chosen@dest.test', project: 'second' })
  await add(tenant.key, { email: 'mine@dest.test' })

  const seen = async (key: string, email: string) =>
    (await api.call('GET', `/suppressions/${email}`, { key })).body.project_id
  expect({
    mine: await seen(tenant.key, 'whole@dest.test'),
    others: await seen(other.key, 'whole@dest.test'),
    chosen: await seen(other.key, 'chosen@dest.test'),
    notMine: await seen(tenant.key, 'chosen@dest.test'),
    notOthers: await seen(other.key, 'mine@dest.test'),
    everything: await seen(whole.key, 'mine@dest.test'),
  }).toEqual({
    mine: null,
    others: null,
    chosen: other.projectId,
    notMine: undefined,
    notOthers: undefined,
    everything: tenant.projectId,
  })
  expect(await stateOf('whole@dest.test')).toEqual(['whole@dest.test suppressed'])
  expect(await stateOf('chosen@dest.test')).toEqual(['chosen@dest.test queued'])

  const remove = (key: string, email: string) => api.call('DELETE', `/suppressions/${email}`, { key })
  expect((await remove(tenant.key, 'chosen@dest.test')).status).toBe(404)
  expect((await remove(tenant.key, 'whole@dest.test')).body).toMatchObject({ name: 'invalid_permission' })
  expect((await remove(whole.key, 'whole@dest.test')).status).toBe(200)
  expect((await remove(whole.key, 'mine@dest.test')).status).toBe(200)
  expect((await add(tenant.key, { email: 'x@dest.test', project: 'second' })).status).toBe(422)
  expect((await add(whole.key, { email: 'x@dest.test', project: 'nowhere' })).status).toBe(422)
})

test("another organization's suppressions are not there, neither to see nor to remove", async () => {
  const { key } = await api.tenant()
  const { body } = await api.call('POST', '/suppressions', { key, body: { email: 'theirs@dest.test' } })
  for (const one of [body.id, 'theirs@dest.test'])
    for (const method of ['GET', 'DELETE'])
      expect((await api.call(method, `/suppressions/${one}`, { key: tenant.key })).status).toBe(404)
  const batch = await api.call('POST', '/suppressions/batch/remove', {
    key: tenant.key,
    body: { ids: [body.id] },
  })
  expect(batch.body.data).toEqual([{ object: 'suppression', id: body.id, deleted: false }])
  expect((await api.call('GET', `/suppressions/${body.id}`, { key })).status).toBe(200)
  expect(await stateOf('theirs@dest.test')).toEqual(['theirs@dest.test queued'])
})

test('each change is an event and a line of the audit log, once', async () => {
  const email = 'told@dest.test'
  for (let times = 0; times < 2; times++)
    await api.call('POST', '/suppressions', { key: tenant.key, body: { email, reason: 'asked' } })
  await api.call('DELETE', `/suppressions/${email}`, { key: tenant.key })
  const rows = await api.sql`
    select e.type, e.data from postel.events e
    where e.organization_id = ${tenant.organizationId} and e.data ->> 'email' = ${email} order by e.id`
  const data = {
    id: expect.any(String),
    email,
    origin: 'manual',
    source_id: null,
    created_at: timeText,
    project_id: tenant.projectId,
  }
  expect(rows).toEqual([
    { type: 'suppression.added', data },
    { type: 'suppression.removed', data },
  ])
  const log = await api.sql`
    select l.action, l.actor_kind, l.details from postel.audit_log l where l.target_name = ${email} order by l.id`
  expect(log).toEqual([
    {
      action: 'suppression.added',
      actor_kind: 'api_key',
      details: { project_id: tenant.projectId, origin: 'manual', reason: 'asked' },
    },
    {
      action: 'suppression.removed',
      actor_kind: 'api_key',
      details: { project_id: tenant.projectId, origin: 'manual' },
    },
  ])
})

test.each<[string, string, string, unknown]>([
  ['no body field', 'POST', '/suppressions', {}],
  ['no address', 'POST', '/suppressions', { email: 'nobody' }],
  ['a name', 'POST', '/suppressions', { email: 'Bob <bob@dest.test>' }],
  ['a NUL', 'POST', '/suppressions', { email: 'b\0b@dest.test' }],
  ['a NUL in the reason', 'POST', '/suppressions', { email: 'bob@dest.test', reason: '\0' }],
  ['a number', 'POST', '/suppressions', { email: 1 }],
  ['an array', 'POST', '/suppressions', []],
  [
    'an end that is past',
    'POST',
    '/suppressions',
    { email: 'a@dest.test', expires_at: '2020-01-01T00:00:00Z' },
  ],
  [
    'an end beyond all years',
    'POST',
    '/suppressions',
    { email: 'a@dest.test', expires_at: '9999-12-31T23:59:59Z' },
  ],
  ['one bad address of two', 'POST', '/suppressions/batch/add', { emails: ['a@dest.test', 'b'] }],
  ['no addresses', 'POST', '/suppressions/batch/add', { emails: [] }],
  ['too many', 'POST', '/suppressions/batch/add', { emails: Array(1001).fill('a@dest.test') }],
  ['neither', 'POST', '/suppressions/batch/remove', {}],
  ['both', 'POST', '/suppressions/batch/remove', { emails: ['a@dest.test'], ids: [crypto.randomUUID()] }],
  ['an id that is none', 'POST', '/suppressions/batch/remove', { ids: ["1' or '1'='1"] }],
  ['neither id nor address', 'GET', '/suppressions/bob', undefined],
  ['a NUL in the project', 'GET', '/suppressions?project=%00', undefined],
  ['a NUL in the search', 'GET', '/suppressions?search=%00', undefined],
  ['a NUL in the path', 'GET', '/suppressions/a%00@dest.test', undefined],
  ['an unknown origin', 'GET', '/suppressions?origin=spam', undefined],
  [
    'a page in both directions',
    'GET',
    `/suppressions?after=${crypto.randomUUID()}&before=${crypto.randomUUID()}`,
    undefined,
  ],
])('422, and nothing is stored: %s', async (_name, method, path, body) => {
  const reply = await api.call(method, path, { key: tenant.key, body })
  expect(reply).toMatchObject({
    status: 422,
    body: { name: expect.stringMatching(/^(validation_error|missing_required_field)$/) },
  })
  expect((await api.call('GET', '/suppressions/a@dest.test', { key: tenant.key })).status).toBe(404)
})

test('a key that may only send changes and sees nothing', async () => {
  for (const [method, path] of [
    ['POST', '/suppressions'],
    ['GET', '/suppressions'],
    ['DELETE', '/suppressions/a@dest.test'],
    ['GET', '/suppressions.csv'],
  ] as const) {
    const reply = await api.call(method, path, {
      key: tenant.sendingKey,
      ...(method === 'POST' && { body: {} }),
    })
    expect(reply).toMatchObject({ status: 401, body: { name: 'restricted_api_key' } })
  }
})
