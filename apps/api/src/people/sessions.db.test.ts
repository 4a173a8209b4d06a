/** A person signs in, is that person, and stops being it when the session ends, however it ends. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Browser, goodPassword, makePerson, signIn } from '../testing/people.ts'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('a.test')
})
afterAll(() => api.stop())

const member = (role = 'read_only') => makePerson(api, { roles: { [tenant.organizationId]: role } })
const tokenOf = (browser: Browser) => browser.cookies.get('postel.session_token')!

test('the cookie is HttpOnly and SameSite=Lax, and only its hash is in the database', async () => {
  const person = await member()
  const browser = await signIn(api, person)
  expect(browser.lastCookies.join()).toMatch(
    /postel\.session_token=[^;]+; Max-Age=604800; Path=\/; HttpOnly; SameSite=Lax/,
  )
  const token = decodeURIComponent(tokenOf(browser)).split('.')[0]!
  const rows = await api.sql<{ row: string; token: string }[]>`
    select s.token, s::text as row from postel.sessions s where user_id = ${person.id}`
  expect(rows).toEqual([
    { token: expect.stringMatching(/^sha256:[\w-]{43}$/), row: expect.not.stringContaining(token) },
  ])
  const { body } = await browser.call('GET', '/me')
  expect(body).toMatchObject({
    kind: 'person',
    role: 'read_only',
    organization_id: tenant.organizationId,
    person: { id: person.id, email: person.email, platform_admin: false },
    api_key: null,
    organizations: [{ id: tenant.organizationId, role: 'read_only' }],
  })

  // What the database has opens nothing, signed or not
  const signature = decodeURIComponent(tokenOf(browser)).split('.').slice(1).join('.')
  for (const value of [rows[0]!.token, `${rows[0]!.token}.${signature}`, token, `${token}.AAAA`]) {
    const cookie = `postel.session_token=${encodeURIComponent(value)}`
    expect((await api.call('GET', '/me', { headers: { cookie } })).status).toBe(401)
  }
})

test('each sign-in makes a new session; signing out ends it for good', async () => {
  const person = await member()
  const browser = await signIn(api, person)
  const first = tokenOf(browser)
  await browser.auth('POST', '/sign-in/email', person)
  expect(tokenOf(browser)).not.toBe(first)
  const kept = { cookie: browser.cookie }
  expect((await browser.auth('POST', '/sign-out', {})).status).toBe(200)
  const { status, body } = await api.call('GET', '/me', { headers: kept })
  expect([status, body.name]).toEqual([401, 'missing_api_key'])
})

test('sessions are listed without what opens them, and revoked one by one or all but this one', async () => {
  const person = await member()
  const [one, two, three] = [await signIn(api, person), await signIn(api, person), await signIn(api, person)]
  const { body: list } = await one.auth('GET', '/list-sessions')
  expect(list).toHaveLength(3)
  const text = JSON.stringify(list)
  for (const browser of [two, three])
    expect(text).not.toContain(decodeURIComponent(tokenOf(browser)).split('.')[0])
  const own = await one.auth('GET', '/get-session')
  const ofTwo = await two.auth('GET', '/get-session')
  const { token } = list.find(({ id }: { id: string }) => id === ofTwo.body.session.id)
  expect((await one.auth('POST', '/revoke-session', { token })).status).toBe(200)
  expect((await two.call('GET', '/me')).status).toBe(401)
  expect((await one.auth('POST', '/revoke-other-sessions')).status).toBe(200)
  expect((await three.call('GET', '/me')).status).toBe(401)
  expect((await one.auth('GET', '/get-session')).body.session.id).toBe(own.body.session.id)
})

test('nobody revokes the session of somebody else', async () => {
  const victim = await signIn(api, await member())
  const [row] = await api.sql<
    { token: string }[]
  >`select token from postel.sessions order by created_at desc limit 1`
  const other = await signIn(api, await member())
  await other.auth('POST', '/revoke-session', { token: row!.token })
  expect((await victim.call('GET', '/me')).status).toBe(200)
})

test('a new password ends every other session', async () => {
  const person = await member()
  const [here, elsewhere] = [await signIn(api, person), await signIn(api, person)]
  const change = { currentPassword: goodPassword, newPassword: 'another harbour 91 ladder' }
  expect(
    (await here.auth('POST', '/change-password', { ...change, revokeOtherSessions: false })).status,
  ).toBe(200)
  expect((await elsewhere.call('GET', '/me')).status).toBe(401)
  expect((await here.call('GET', '/me')).status).toBe(200)
  const { status } = await new Browser(api).auth('POST', '/sign-in/email', person)
  expect(status).toBe(401)
  await signIn(api, { ...person, password: change.newPassword })
})

test('a session that is over is none', async () => {
  const person = await member()
  const browser = await signIn(api, person)
  await api.sql`update postel.sessions set expires_at = now() - interval '1 second' where user_id = ${person.id}`
  expect((await browser.call('GET', '/me')).status).toBe(401)
})

test('a role that is changed, taken or blocked is felt at the next request', async () => {
  const person = await member('admin')
  const browser = await signIn(api, person)
  expect((await browser.call('GET', '/members')).status).toBe(200)
  expect((await browser.call('GET', '/me')).body.role).toBe('admin')
  await api.sql`update postel.members set role = 'maintainer' where user_id = ${person.id}`
  const invite = { body: { email: 'new@people.test', role: 'read_only' } }
  expect((await browser.call('POST', '/invitations', invite)).body).toMatchObject({
    statusCode: 403,
    name: 'invalid_permission',
  })
  await api.sql`delete from postel.members where user_id = ${person.id}`
  expect((await browser.call('GET', '/members')).status).toBe(422)
  await api.sql`update postel.users set blocked = true where id = ${person.id}`
  expect((await browser.call('GET', '/me')).status).toBe(401)
  const { status, body } = await new Browser(api).auth('POST', '/sign-in/email', person)
  expect([status, body.code]).toEqual([403, 'BLOCKED'])
})

test('a person of several organizations names one; another is not found', async () => {
  const other = await api.tenant('b.test')
  const stranger = await api.tenant()
  const person = await makePerson(api, {
    roles: { [tenant.organizationId]: 'admin', [other.organizationId]: 'read_only' },
  })
  const browser = await signIn(api, person)
  const inOne = (organization: string) => ({ headers: { 'postel-organization': organization } })
  expect((await browser.call('GET', '/me')).body).toMatchObject({ organization_id: null, role: 'read_only' })
  const unnamed = await browser.call('GET', '/members')
  expect([unnamed.status, unnamed.body.message]).toEqual([
    422,
    expect.stringContaining('Postel-Organization'),
  ])
  expect((await browser.call('GET', '/me', inOne(tenant.organizationId))).body.role).toBe('admin')
  expect((await browser.call('GET', '/me', inOne(other.organizationId.toUpperCase()))).body.role).toBe(
    'read_only',
  )
  for (const unknown of [stranger.organizationId, 'nothing', '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'])
    expect((await browser.call('GET', '/members', inOne(unknown))).status).toBe(404)
})

test('people send in a project that they name, but not with a role that only reads', async () => {
  const email = { from: 'a@a.test', to: 'x@dest.test', subject: 's', text: 't' }
  const headers = { 'postel-project': 'test' }
  const maintainer = await signIn(api, await member('maintainer'))
  expect((await maintainer.call('POST', '/emails', { body: email, headers })).status).toBe(200)
  expect((await maintainer.call('POST', '/emails', { body: email })).status).toBe(422)
  const reader = await signIn(api, await member('read_only'))
  expect((await reader.call('POST', '/emails', { body: email, headers })).status).toBe(403)
})

test('an operator acts anywhere, once the organization is named', async () => {
  const operator = await signIn(api, await makePerson(api, { platformAdmin: true }))
  expect((await operator.call('GET', '/me')).body).toMatchObject({ role: 'operator', organization_id: null })
  expect((await operator.call('GET', '/members')).status).toBe(422)
  const headers = { 'postel-organization': tenant.organizationId }
  expect((await operator.call('GET', '/members', { headers })).status).toBe(200)
})

test('writes from another site are refused, whoever is signed in; there is no CORS', async () => {
  const browser = await signIn(api, await member('admin'))
  const write = (headers: Record<string, string>) =>
    api.call('PATCH', `/organizations/${tenant.organizationId}`, {
      body: { name: 'taken over' },
      headers: { cookie: browser.cookie, ...headers },
    })
  for (const headers of [
    { origin: 'https://evil.test' },
    { origin: 'null' },
    { origin: 'http://localhost:3000.evil.test' },
    { referer: 'https://evil.test/http://localhost:3000' },
    {} as Record<string, string>,
  ])
    expect((await write(headers)).body).toMatchObject({ statusCode: 403, name: 'invalid_permission' })
  const asText = await write({ origin: 'http://localhost:3000', 'content-type': 'text/plain' })
  expect(asText.status).toBe(415)
  const preflight = await fetch(`${api.url}/emails`, {
    method: 'OPTIONS',
    headers: { origin: 'https://evil.test', 'access-control-request-method': 'POST' },
  })
  await preflight.arrayBuffer()
  expect([...preflight.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])

  for (const path of [
    '/sign-in/email',
    '/sign-out',
    '/update-user',
    '/change-password',
    '/two-factor/enable',
  ]) {
    const evil = await browser.auth('POST', path, { name: 'x' }, { origin: 'https://evil.test' })
    expect([path, evil.status]).toEqual([path, 403])
  }
  const form = await fetch(`${api.url}/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'email=a%40b.test&password=x',
  })
  await form.arrayBuffer()
  expect(form.status).toBe(415)
})

test('what nobody may set is not set by naming it', async () => {
  const person = await member()
  const browser = await signIn(api, person)
  await browser.auth('POST', '/update-user', {
    name: 'New Name',
    emailVerified: false,
    platformAdmin: true,
    platform_admin: true,
    blocked: true,
    twoFactorEnabled: true,
    role: 'admin',
    id: '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e',
  })
  await browser.auth('POST', '/update-user', { name: 'New Name' })
  const rows = await api.sql`
    select id, name, email_verified, platform_admin, blocked, two_factor_enabled from postel.users where id = ${person.id}`
  expect([...rows]).toEqual([
    {
      id: person.id,
      name: 'New Name',
      email_verified: true,
      platform_admin: false,
      blocked: false,
      two_factor_enabled: false,
    },
  ])
})

test('strange bodies are refused, not faults', async () => {
  const browser = await signIn(api, await member())
  const ends: [string, unknown][] = [
    ['/revoke-session', { token: 'nothing' }],
    ['/revoke-session', { token: 7 }],
    ['/passkey/delete-passkey', { id: 'nothing' }],
    ['/sign-in/email', { email: 'a\u0000@b.test', password: 'x' }],
    ['/sign-in/email', []],
    ['/no-such-thing', {}],
  ]
  for (const [path, body] of ends) {
    const { status } = await browser.auth('POST', path, body)
    expect([path, status < 500]).toEqual([path, true])
  }
})
