/** Signing in: wrong passwords tell nothing and are slowed down; one-time codes, backup codes and passkeys. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { totp } from '@postel/runtime/testing/totp'
import { Browser, forgetTries, goodPassword, makePerson, signIn, testOrigin } from '../testing/people.ts'
import { startApi, type TestApi } from '../testing/start-api.ts'

let api: TestApi

beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.stop())

test('the one-time codes of this test are those of RFC 6238', () => {
  expect(totp('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', 59_000)).toBe('287082')
  expect(totp('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', 1_111_111_109_000)).toBe('081804')
})

test('an unknown address and a wrong password get the same answer in the same time', async () => {
  const person = await makePerson(api)
  const took: Record<string, number[]> = { [person.email]: [], 'nobody@people.test': [] }
  const answers = new Set<string>()
  const ratio = () => {
    const [known, unknown] = Object.values(took).map((times) => Math.min(...times))
    return Math.max(known!, unknown!) / Math.min(known!, unknown!)
  }
  // Only the fastest of each counts: more rounds where the machine stood still in all of the first
  for (let round = 0; round < 4 || (round < 20 && ratio() >= 4); round++)
    for (const email of Object.keys(took)) {
      await forgetTries(api)
      const startedAt = performance.now()
      const { status, body } = await new Browser(api).auth('POST', '/sign-in/email', {
        email,
        password: 'not the right one 7',
      })
      took[email]!.push(performance.now() - startedAt)
      answers.add(JSON.stringify([status, body]))
    }
  expect([...answers]).toEqual([expect.stringMatching(/^\[401,.*INVALID_EMAIL_OR_PASSWORD/)])
  // A password is hashed in both cases: without that, one of them would take a tenth of the other
  expect(ratio()).toBeLessThan(4)
})

test('after ten tries a client waits, whatever it claims to be', async () => {
  const person = await makePerson(api)
  await forgetTries(api)
  const statuses: number[] = []
  let last: Headers | undefined
  for (let nth = 0; nth < 20; nth++) {
    const { status, headers } = await new Browser(api).auth(
      'POST',
      '/sign-in/email',
      { email: person.email, password: `wrong password ${nth}` },
      { 'x-forwarded-for': `192.0.2.${nth}`, 'x-postel-client-address': `192.0.2.${nth}` },
    )
    statuses.push(status)
    last = headers
  }
  expect(statuses).toEqual([...Array(10).fill(401), ...Array(10).fill(429)])
  expect(Number(last!.get('retry-after'))).toBeGreaterThan(0)
  const { status } = await new Browser(api).auth('POST', '/sign-in/email', person)
  expect(status).toBe(429)
  await signIn(api, person)
})

test('with a one-time code the password alone opens nothing; a backup code works once', async () => {
  const person = await makePerson(api)
  const browser = await signIn(api, person)
  const { body: enabled } = await browser.auth('POST', '/two-factor/enable', { password: goodPassword })
  const secret = new URL(enabled.totpURI).searchParams.get('secret')!
  expect(enabled.backupCodes).toHaveLength(10)
  expect((await browser.auth('POST', '/two-factor/verify-totp', { code: totp(secret) })).status).toBe(200)

  const [stored] = await api.sql<{ text: string }[]>`
    select t::text as text from postel.two_factors t where user_id = ${person.id}`
  expect(stored!.text).not.toContain(secret)
  for (const code of enabled.backupCodes) expect(stored!.text).not.toContain(code)

  await forgetTries(api)
  const again = new Browser(api)
  const first = await again.auth('POST', '/sign-in/email', person)
  expect(first.body).toMatchObject({ twoFactorRedirect: true, twoFactorMethods: ['totp'] })
  expect((await again.call('GET', '/me')).status).toBe(401)
  // Those of the steps around now are right as well, and any code may be one
  const right = [-1, 0, 1, 2].map((steps) => totp(secret, Date.now() + steps * 30_000))
  const wrong = ['000000', '111111', '222222', '333333', '444444'].find((code) => !right.includes(code))
  expect((await again.auth('POST', '/two-factor/verify-totp', { code: wrong })).status).toBe(401)
  expect((await again.auth('POST', '/two-factor/verify-totp', { code: totp(secret) })).status).toBe(200)
  expect((await again.call('GET', '/me')).body.person.id).toBe(person.id)

  await forgetTries(api)
  const [code] = enabled.backupCodes
  for (const expected of [200, 401]) {
    const third = new Browser(api)
    await third.auth('POST', '/sign-in/email', person)
    const { status } = await third.auth('POST', '/two-factor/verify-backup-code', { code })
    expect(status).toBe(expected)
  }
  const noted = await api.sql<{ action: string }[]>`
    select action from postel.audit_log where actor_id = ${person.id} order by id`
  expect(noted.map(({ action }) => action)).toContain('person.totp_verified')
})

test('a passkey is asked for in the name of this host, and a made-up one is refused', async () => {
  const browser = await signIn(api, await makePerson(api))
  const { status, body } = await browser.auth('GET', '/passkey/generate-register-options')
  expect(status).toBe(200)
  expect(body).toMatchObject({ rp: { id: 'localhost', name: 'Postel' }, challenge: expect.any(String) })
  const clientData = { type: 'webauthn.create', challenge: body.challenge, origin: testOrigin }
  const made = await browser.auth('POST', '/passkey/verify-registration', {
    response: {
      id: 'AAAA',
      rawId: 'AAAA',
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: Buffer.from(JSON.stringify(clientData)).toString('base64url'),
        attestationObject: Buffer.from('nothing').toString('base64url'),
      },
    },
  })
  expect(made.status).toBeGreaterThanOrEqual(400)
  expect(await api.sql`select from postel.passkeys`).toHaveLength(0)
})
