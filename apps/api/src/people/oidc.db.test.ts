/** Signing in with an identity provider: found by its issuer, believed by its signature, and only for the invited. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Browser, forgetTries, makePerson, signIn } from '../testing/people.ts'
import { startApi, type TestApi } from '../testing/start-api.ts'

const clientId = 'postel-test'
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

type Grant = { challenge: string; claims: Record<string, unknown>; key: typeof privateKey }

let provider: Server
let issuer: string
let api: TestApi
/** What a code stands for. */
const grants = new Map<string, Grant>()

beforeAll(async () => {
  provider = createServer(async (request, response) => {
    const reply = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (request.url === '/.well-known/openid-configuration')
      return reply(200, {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        userinfo_endpoint: `${issuer}/userinfo`,
        jwks_uri: `${issuer}/jwks`,
        id_token_signing_alg_values_supported: ['RS256'],
      })
    if (request.url === '/jwks')
      return reply(200, {
        keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }],
      })
    if (request.url !== '/token') return reply(404, {})
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    const grant = grants.get(form.get('code') ?? '')
    const verifier = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (!grant || verifier !== grant.challenge) return reply(400, { error: 'invalid_grant' })
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: issuer, aud: clientId, iat: now, exp: now + 60, ...grant.claims }
    const signed = `${base64({ alg: 'RS256', kid: 'one', typ: 'JWT' })}.${base64(claims)}`
    const signature = sign('sha256', Buffer.from(signed), grant.key).toString('base64url')
    reply(200, {
      access_token: 'opaque-access',
      token_type: 'Bearer',
      expires_in: 60,
      id_token: `${signed}.${signature}`,
    })
  })
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
  issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
  api = await startApi({
    AUTH_OIDC_ISSUER: issuer,
    AUTH_OIDC_CLIENT_ID: clientId,
    AUTH_OIDC_CLIENT_SECRET: 'secret',
    AUTH_OIDC_NAME: 'Example',
  })
})
afterAll(async () => {
  await api.stop()
  await new Promise((resolve) => provider.close(resolve))
})

/** Goes to the provider and comes back with what it says about this person. */
async function comeBack(
  claims: Record<string, unknown>,
  changes: { key?: typeof privateKey; nonce?: string } = {},
): Promise<Browser> {
  await forgetTries(api)
  const browser = new Browser(api)
  const { body } = await browser.auth('POST', '/sign-in/social', { provider: 'oidc', callbackURL: '/' })
  await followed(browser, body.url, claims, changes)
  return browser
}

async function followed(
  browser: Browser,
  address: string,
  claims: Record<string, unknown>,
  changes: { key?: typeof privateKey; nonce?: string } = {},
): Promise<void> {
  const url = new URL(address)
  expect(url.origin).toBe(issuer)
  expect(url.searchParams.get('redirect_uri')).toBe('http://localhost:3000/auth/callback/oidc')
  const code = `code-${grants.size}`
  grants.set(code, {
    challenge: url.searchParams.get('code_challenge')!,
    claims: { nonce: changes.nonce ?? url.searchParams.get('nonce'), ...claims },
    key: changes.key ?? privateKey,
  })
  const back = new URLSearchParams({ code, state: url.searchParams.get('state')! })
  const { status } = await browser.auth('GET', `/callback/oidc?${back}`)
  expect(status).toBe(302)
}

const usersOf = (email: string) => api.sql`select id from postel.users where email = ${email}`

async function invite(email: string): Promise<void> {
  const { organizationId } = await api.tenant()
  await api.sql`
    insert into postel.invitations (organization_id, email, role, token_hash, invited_by, expires_at)
    values (${organizationId}, ${email}, 'read_only', ${createHash('sha256').update(email).digest()}, 'x', now() + interval '1 day')`
}

test('an invited person gets an account, and comes back to the same one; tokens are not kept in the clear', async () => {
  const claims = { sub: 'ann-1', email: 'ann@id.test', email_verified: true, name: 'Ann' }
  await invite(claims.email)
  const first = await comeBack(claims)
  const { body: one } = await first.call('GET', '/me')
  expect(one.person).toMatchObject({ email: claims.email, name: 'Ann', platform_admin: false })
  const { body: two } = await (await comeBack(claims)).call('GET', '/me')
  expect(two.person.id).toBe(one.person.id)
  const [row] = await api.sql<{ text: string }[]>`
    select a::text as text from postel.accounts a where a.user_id = ${one.person.id}`
  expect(row!.text).not.toContain('opaque-access')
})

test('who was not invited gets none', async () => {
  const browser = await comeBack({ sub: 'bob-1', email: 'bob@id.test', email_verified: true, name: 'Bob' })
  expect((await browser.call('GET', '/me')).status).toBe(401)
  expect(await usersOf('bob@id.test')).toHaveLength(0)
})

test('an address that the provider has not verified opens nobody\u2019s account', async () => {
  const person = await makePerson(api)
  const browser = await comeBack({ sub: 'mallory-1', email: person.email, email_verified: false, name: 'M' })
  expect((await browser.call('GET', '/me')).status).toBe(401)
})

test('an account with a password is linked by its owner only, and then opens', async () => {
  const person = await makePerson(api)
  const claims = { sub: 'owner-1', email: person.email, email_verified: true, name: 'Owner' }
  expect((await (await comeBack(claims)).call('GET', '/me')).status).toBe(401)
  const browser = await signIn(api, person)
  const { body } = await browser.auth('POST', '/link-social', { provider: 'oidc', callbackURL: '/' })
  await followed(browser, body.url, claims)
  const { body: me } = await (await comeBack(claims)).call('GET', '/me')
  expect(me.person.id).toBe(person.id)
})

test.each([
  ['signed by another', { key: stranger }],
  ['for another request', { nonce: 'another' }],
])('a token that is %s is not believed', async (_name, changes) => {
  const email = `eve-${_name.length}@id.test`
  await invite(email)
  const browser = await comeBack({ sub: 'eve', email, email_verified: true, name: 'Eve' }, changes)
  expect((await browser.call('GET', '/me')).status).toBe(401)
  expect(await usersOf(email)).toHaveLength(0)
})

test('a blocked person is not let in by an identity elsewhere', async () => {
  const claims = { sub: 'carl-1', email: 'carl@id.test', email_verified: true, name: 'Carl' }
  await invite(claims.email)
  await comeBack(claims)
  await api.sql`update postel.users set blocked = true where email = ${claims.email}`
  expect((await (await comeBack(claims)).call('GET', '/me')).status).toBe(401)
})

test('people with a password still sign in with it', async () => {
  const browser = await signIn(api, await makePerson(api))
  expect((await browser.call('GET', '/me')).status).toBe(200)
})
