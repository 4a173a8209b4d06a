/** /domains: what is taken in, shown and refused, and whose it is. What DNS says is tested in test/api. */
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Resend } from 'resend'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let a: Tenant
let b: Tenant
let resend: Resend

beforeAll(async () => {
  // Nothing listens there: DNS does not answer
  api = await startApi({ DNS_SERVERS: ['127.0.0.1:1'], DNS_TIMEOUT_MS: 100, SPF_INCLUDE: 'spf.postel.test' })
  a = await api.tenant()
  b = await api.tenant()
  resend = new Resend(a.key, { baseUrl: api.url })
})
afterAll(() => api.stop())

const created = (key: string, body: unknown) => api.call('POST', '/domains', { key, body })
const absent = '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'

test('domains.create answers with every record to set, and domains.get shows the same', async () => {
  const { data, error } = await resend.domains.create({
    name: 'news.example.test',
    region: 'eu-west-1',
    customReturnPath: 'bounces',
    capabilities: { receiving: 'enabled' },
    openTracking: true,
    clickTracking: true,
    trackingSubdomain: 'links',
    tls: 'enforced',
  })
  expect(error).toBeNull()
  const token = expect.stringMatching(/^postel-verification=[0-9a-f]{32}$/)
  const state = { ttl: 'Auto', status: 'not_started', status_reason: null }
  const text = (record: string, label: string, value: unknown, required: boolean) => ({
    ...{ record, type: 'TXT', value, required, ...state },
    name: `${label}.news`,
    fqdn: `${label}.news.example.test`,
  })
  const [, rsa, ed25519] = data!.records
  expect(data).toEqual({
    object: 'domain',
    id: expect.any(String),
    name: 'news.example.test',
    status: 'not_started',
    created_at: expect.stringMatching(/^\d{4}-.*\+00$/),
    region: 'eu-west-1',
    capabilities: { sending: 'enabled', receiving: 'enabled' },
    open_tracking: true,
    click_tracking: true,
    tracking_subdomain: 'links',
    tls: 'enforced',
    custom_return_path: 'bounces',
    project_id: a.projectId,
    checked_at: null,
    failing_since: null,
    records: [
      text('Ownership', '_postel', token, true),
      {
        ...text('DKIM', 'x', expect.stringMatching(/^v=DKIM1; k=rsa; p=[A-Za-z0-9+/=]{392}$/), true),
        name: expect.stringMatching(/^r[0-9a-f]{8}\._domainkey\.news$/),
        fqdn: `${rsa!.name}.example.test`,
      },
      {
        ...text('DKIM', 'x', expect.stringMatching(/^v=DKIM1; k=ed25519; p=[A-Za-z0-9+/=]{44}$/), false),
        name: expect.stringMatching(/^e[0-9a-f]{8}\._domainkey\.news$/),
        fqdn: `${ed25519!.name}.example.test`,
      },
      { ...text('SPF', 'bounces', 'mail.postel.test', true), type: 'MX', priority: 10 },
      text('SPF', 'bounces', 'v=spf1 include:spf.postel.test ~all', true),
      text('DMARC', '_dmarc', 'v=DMARC1; p=none;', false),
      {
        ...text('Receiving', 'x', 'mail.postel.test', true),
        ...{ type: 'MX', priority: 10, name: 'news', fqdn: 'news.example.test' },
      },
      text('MTA-STS', '_mta-sts', 'v=STSv1; id=1;', false),
      { ...text('Tracking', 'links', 'mail.postel.test', true), type: 'CNAME' },
      text('BIMI', 'default._bimi', 'v=BIMI1; l=https://news.example.test/logo.svg;', false),
    ],
  })
  expect((await resend.domains.get(data!.id)).data).toEqual(data)
})

test('domains.list shows them, newest first, in pages', async () => {
  const own = await api.tenant()
  const lister = new Resend(own.key, { baseUrl: api.url })
  const ids: string[] = []
  for (const name of ['one.test.example', 'two.test.example', 'three.test.example'])
    ids.unshift((await lister.domains.create({ name })).data!.id)
  const listed = (await lister.domains.list()).data!
  expect(listed).toMatchObject({ object: 'list', has_more: false })
  expect(listed.data.map(({ id }) => id)).toEqual(ids)
  const page = (await lister.domains.list({ limit: 1, after: ids[0]! })).data!
  expect([page.has_more, page.data.map(({ name }) => name)]).toEqual([true, ['two.test.example']])
})

test('domains.update changes what is given, and looks for its records anew', async () => {
  const { data } = await resend.domains.create({ name: 'change.test.example' })
  const id = data!.id
  const updated = await resend.domains.update({
    id,
    openTracking: true,
    tls: 'enforced',
    trackingSubdomain: 'go',
    capabilities: { receiving: 'enabled' },
  })
  expect(updated.data).toEqual({ object: 'domain', id })
  const shown = (await api.call('GET', `/domains/${id}`, { key: a.key })).body
  expect(shown).toMatchObject({
    open_tracking: true,
    click_tracking: false,
    tls: 'enforced',
    tracking_subdomain: 'go',
    custom_return_path: 'send',
    capabilities: { sending: 'enabled', receiving: 'enabled' },
  })
  const off = await api.call('PATCH', `/domains/${id}`, {
    key: a.key,
    body: { capabilities: { sending: 'disabled' }, tracking_subdomain: null, custom_return_path: 'back' },
  })
  expect(off.status).toBe(200)
  const after = (await api.call('GET', `/domains/${id}`, { key: a.key })).body
  expect(after).toMatchObject({ custom_return_path: 'back', capabilities: { sending: 'disabled' } })
  expect(after).not.toHaveProperty('tracking_subdomain')
})

test('domains.verify that gets no answer from DNS proves and loses nothing', async () => {
  const { data } = await resend.domains.create({ name: 'silent.test.example' })
  expect((await resend.domains.verify(data!.id)).data).toEqual({ object: 'domain', id: data!.id })
  const shown = (await resend.domains.get(data!.id)).data!
  expect(shown.status).toBe('pending')
  expect(new Set(shown.records.map(({ status }) => status))).toEqual(new Set(['temporary_failure']))
})

test('domains.remove deletes it with its keys, revokes API keys limited to it, and the name can be added again with a new token', async () => {
  const { data } = await resend.domains.create({ name: 'gone.test.example' })
  await api.sql`
    update postel.api_keys set domain_id = ${data!.id} where organization_id = ${b.organizationId} and permission = 'sending_access'`
  expect((await resend.domains.remove(data!.id)).data).toEqual({
    object: 'domain',
    id: data!.id,
    deleted: true,
  })
  expect((await resend.domains.get(data!.id)).error?.name).toBe('not_found')
  const [left] = await api.sql`
    select
      (select count(*)::int from postel.dkim_keys where domain_id = ${data!.id}) as keys,
      (select revoked_at is not null from postel.api_keys
       where organization_id = ${b.organizationId} and permission = 'sending_access') as revoked`
  expect(left).toEqual({ keys: 0, revoked: true })
  const again = await resend.domains.create({ name: 'gone.test.example' })
  expect(again.data!.records[0]!.value).not.toBe(data!.records[0]!.value)
})

test('claims.create, get and verify are about the ownership record of the domain', async () => {
  const { data, error } = await resend.domains.claims.create({ name: 'claimed.test.example' })
  expect(error).toBeNull()
  expect(data).toEqual({
    object: 'domain_claim',
    id: expect.any(String),
    name: 'claimed.test.example',
    status: 'pending',
    domain_id: data!.id,
    region: 'us-east-1',
    record: {
      type: 'TXT',
      name: '_postel.claimed.test.example',
      value: expect.stringMatching(/^postel-verification=[0-9a-f]{32}$/),
      ttl: 'Auto',
    },
    blocked_reason: null,
    failure_reason: null,
    created_at: expect.any(String),
    expires_at: null,
  })
  expect((await resend.domains.claims.create({ name: 'claimed.test.example' })).data).toEqual(data)
  expect((await resend.domains.claims.get(data!.id)).data).toEqual(data)
  expect((await resend.domains.claims.verify(data!.id)).data).toMatchObject({
    id: data!.id,
    status: 'pending',
  })
})

test('changes are logged and told, each with the records', async () => {
  const { data } = await resend.domains.create({ name: 'logged.test.example' })
  await resend.domains.update({ id: data!.id, clickTracking: true })
  await resend.domains.remove(data!.id)
  const logged = await api.sql`
    select action, target_name as name from postel.audit_log where target_id = ${data!.id} order by id`
  const told = await api.sql`
    select type, data from postel.events where data ->> 'id' = ${data!.id} order by id`
  expect(logged.map(({ action, name }) => `${action} ${name}`)).toEqual([
    'domain.created logged.test.example',
    'domain.updated logged.test.example',
    'domain.deleted logged.test.example',
  ])
  expect(told.map(({ type }) => type)).toEqual(['domain.created', 'domain.updated', 'domain.deleted'])
  for (const { data: event } of told)
    expect(event).toMatchObject({
      name: 'logged.test.example',
      status: 'not_started',
      created_at: data!.created_at,
      region: 'us-east-1',
      records: data!.records,
    })
})

test.each([
  ['a public suffix', 'co.uk'],
  ['a suffix that a company lets others register below', 'github.io'],
  ['a top-level domain', 'com'],
  ['a trailing dot', 'example.test.'],
  ['a percent sign', 'ex%ample.test'],
  ['an underscore', 'ex_ample.test'],
  ['a star', '*.example.test'],
  ['a pipe', 'a|b.test'],
  ['a LIKE pattern', '%.test'],
  ['a dot at the start', '.example.test'],
  ['an empty label', 'a..test'],
  ['an address', 'a@example.test'],
  ['a URL', 'https://example.test/'],
  ['an IP address', '192.0.2.1'],
  ['a port', 'example.test:25'],
  ['a line end', 'example.test\r\nx'],
  ['NUL', 'exa\0mple.test'],
  ['half of a surrogate pair', 'a\ud800.test'],
  ['a right-to-left override', 'a\u202eb.test'],
  ['A-labels that do not decode', 'xn--a.test'],
  ['a name too long for its records', `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.test`],
  ['nothing', ''],
  ['a number', 5],
  ['an array', ['example.test']],
])('%s is no domain: 422', async (_name, name) => {
  const reply = await created(a.key, { name })
  expect([reply.status, reply.body.name]).toEqual([422, 'validation_error'])
})

test.each([
  ['capital letters', 'CAPITAL.Test.Example', 'capital.test.example'],
  ['another script', 'bücher.test.example', 'xn--bcher-kva.test.example'],
])('%s become the one form that DNS knows', async (_name, given, name) => {
  expect((await created(a.key, { name: given })).body.name).toBe(name)
  expect((await created(a.key, { name })).status).toBe(403)
})

test.each([
  [{ region: 'mars-1' }, 'invalid_region'],
  [{ custom_return_path: 'a.b' }, 'validation_error'],
  [{ custom_return_path: '-a' }, 'validation_error'],
  [{ custom_return_path: 'a'.repeat(64) }, 'validation_error'],
  [{ tracking_subdomain: '*' }, 'validation_error'],
  [{ tls: 'maybe' }, 'validation_error'],
  [{ open_tracking: 'yes' }, 'validation_error'],
  [{ capabilities: { sending: 'disabled' } }, 'validation_error'],
  [{ capabilities: 5 }, 'validation_error'],
])('%j is refused', async (body, name) => {
  const reply = await created(a.key, { name: 'odd.test.example', ...body })
  expect([reply.status, reply.body.name]).toEqual([422, name])
})

test("another organization's domain is not found, in the words for one that does not exist", async () => {
  const { id } = (await created(b.key, { name: 'theirs.test.example' })).body
  for (const [method, path, body] of [
    ['GET', '', undefined],
    ['PATCH', '', { open_tracking: true }],
    ['DELETE', '', undefined],
    ['POST', '/verify', undefined],
    ['POST', '/dkim/rotate', undefined],
    ['POST', '/dkim/import', { selector: 's', private_key: 'x' }],
    ['GET', '/claim', undefined],
    ['POST', '/claim/verify', undefined],
  ] as const) {
    const theirs = await api.call(method, `/domains/${id}${path}`, { key: a.key, body })
    const none = await api.call(method, `/domains/${absent}${path}`, { key: a.key, body })
    expect({ path, status: theirs.status, body: theirs.body }).toEqual({ path, status: 404, body: none.body })
  }
  expect((await resend.domains.list({ limit: 100 })).data!.data.map((each) => each.id)).not.toContain(id)
  expect((await api.call('GET', `/domains/${id}`, { key: b.key })).body.name).toBe('theirs.test.example')
})

test('a project sees the domains of its organization and changes only its own', async () => {
  const [shared] = await api.sql<{ id: string }[]>`
    insert into postel.domains (organization_id, name) values (${a.organizationId}, 'shared.test.example') returning id`
  const [others] = await api.sql<{ id: string }[]>`
    with p as (
      insert into postel.projects (organization_id, name, pool_id)
      select organization_id, 'second', pool_id from postel.projects where id = ${a.projectId} returning id
    )
    insert into postel.domains (organization_id, project_id, name)
    select ${a.organizationId}, id, 'second.test.example' from p returning id`
  const call = async (method: string, id: string) => {
    const reply = await api.call(method, `/domains/${id}`, { key: a.key })
    return `${reply.status} ${reply.body.name}`
  }
  expect(await call('GET', shared!.id)).toBe('200 shared.test.example')
  expect(await call('DELETE', shared!.id)).toBe('403 invalid_permission')
  expect(await call('GET', others!.id)).toBe('404 not_found')
  expect((await created(a.key, { name: 'second.test.example' })).status).toBe(403)
})

test('what only Postel decides cannot be given', async () => {
  const given = {
    name: 'mass.test.example',
    status: 'verified',
    verification_token: 'x',
    project_id: b.projectId,
  }
  const body = `${JSON.stringify({ ...given, id: absent, organization_id: b.organizationId }).slice(0, -1)},"__proto__":{"status":"verified"}}`
  const { id } = (await created(a.key, body)).body
  expect(id).not.toBe(absent)
  const shown = (await api.call('GET', `/domains/${id}`, { key: a.key })).body
  expect(shown).toMatchObject({ status: 'not_started', project_id: a.projectId })
})

test.each(['POST', 'GET'])('a key that only sends may not %s /domains', async (method) => {
  const reply = await api.call(method, '/domains', {
    key: a.sendingKey,
    ...(method === 'POST' && { body: { name: 'x.test.example' } }),
  })
  expect(reply.body.name).toBe('restricted_api_key')
})

const pem = (key: ReturnType<typeof generateKeyPairSync>['privateKey'] | { export: unknown }) =>
  (key as { export(options: object): string }).export({ type: 'pkcs8', format: 'pem' })
const rsa = (bits: number) => pem(generateKeyPairSync('rsa', { modulusLength: bits }).privateKey)

test('a key that is imported takes the place of the one that DNS has never shown', async () => {
  const { data } = await resend.domains.create({ name: 'import.test.example' })
  const pair = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const body = { selector: 'S1.old', private_key: pem(pair.privateKey) }
  const reply = await api.call('POST', `/domains/${data!.id}/dkim/import`, { key: a.key, body })
  const dkim = reply.body.records.filter(({ record }: { record: string }) => record === 'DKIM')
  expect(dkim.map(({ fqdn, value }: { fqdn: string; value: string }) => `${fqdn} ${value}`)).toEqual([
    `s1.old._domainkey.import.test.example v=DKIM1; k=rsa; p=${pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`,
    expect.stringMatching(/^e.* v=DKIM1; k=ed25519;/),
  ])
  const again = await api.call('POST', `/domains/${data!.id}/dkim/import`, { key: a.key, body })
  expect([again.status, again.body.message]).toEqual([422, expect.stringContaining('selector')])
})

test.each<[string, string | (() => string)]>([
  ['no key', 'x'],
  ['512 bits', () => rsa(512)],
  ['an elliptic curve', () => pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)],
  [
    'a public key',
    () => generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  ],
  [
    'a pass phrase',
    () =>
      generateKeyPairSync('ed25519')
        .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' })
        .toString(),
  ],
  ['a long text', 'a'.repeat(30_000)],
])('%s cannot be imported, and is not shown again', async (_name, key) => {
  const text = typeof key === 'string' ? key : key()
  const [domain] = await api.sql<{ id: string }[]>`
    select id from postel.domains where name = 'import.test.example'`
  const reply = await api.call('POST', `/domains/${domain!.id}/dkim/import`, {
    key: a.key,
    body: { selector: 'x', private_key: text },
  })
  expect([reply.status, reply.body.name]).toEqual([422, 'validation_error'])
  if (text.length > 1) expect(reply.body.message).not.toContain(text.slice(0, 40))
})

test('rotation adds keys of both kinds beside those in use, and asked for twice it adds no more', async () => {
  const { data } = await resend.domains.create({ name: 'rotate.test.example' })
  await api.sql`update postel.dkim_keys set active = true where domain_id = ${data!.id}`
  const rotate = async () => {
    const { body } = await api.call('POST', `/domains/${data!.id}/dkim/rotate`, { key: a.key })
    return body.records.flatMap(({ record, name }: { record: string; name: string }) =>
      record === 'DKIM' ? name[0] : [],
    )
  }
  expect(await rotate()).toEqual(['r', 'r', 'e', 'e'])
  expect(await rotate()).toEqual(['r', 'r', 'e', 'e'])
})

test('no private key can be read in the database', async () => {
  const keys = await api.sql<{ name: string; key: Buffer }[]>`
    select d.name, k.private_key as key from postel.dkim_keys k join postel.domains d on d.id = k.domain_id`
  expect(keys.length).toBeGreaterThan(2)
  for (const { key } of keys) expect(key.toString('latin1')).not.toMatch(/PRIVATE KEY/)
})
