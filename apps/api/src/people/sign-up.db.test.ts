/** Accounts: made by anybody or by the invited, confirmed by mail, reset by mail; and none of it is usable from a dump. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { linkIn, mailTo } from '../testing/mail.ts'
import { Browser, forgetTries, goodPassword, makePerson, signIn } from '../testing/people.ts'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let system: Tenant

beforeAll(async () => {
  api = await startApi({ AUTH_SIGNUP: 'open', SYSTEM_MAIL_FROM: 'Postel <postel@system.test>' })
  system = await api.tenant('system.test')
})
afterAll(() => api.stop())

const tokenIn = (link: string) => new URLSearchParams(new URL(link).hash.slice(1)).get('token')!

test('who signs up confirms the address before signing in, and may make an organization', async () => {
  await forgetTries(api)
  const person = { email: 'ann@new.test', password: goodPassword }
  const browser = new Browser(api)
  const signUp = { ...person, name: '<b>Free money</b> https://evil.test', platformAdmin: true }
  expect((await browser.auth('POST', '/sign-up/email', signUp)).status).toBe(200)
  expect((await browser.auth('POST', '/sign-in/email', person)).body.code).toBe('EMAIL_NOT_VERIFIED')
  const mail = await mailTo(api, person.email)
  expect(mail.from!.value).toEqual([{ address: 'postel@system.test', name: 'Postel' }])
  expect(mail.text + String(mail.html)).not.toMatch(/Free money|evil/)
  const link = new URL(linkIn(mail))
  expect(link.origin).toBe('http://localhost:3000')
  const confirmed = await browser.auth('GET', link.pathname.replace('/auth', '') + link.search)
  expect(confirmed.status).toBe(302)
  await browser.auth('POST', '/sign-in/email', person)
  expect((await browser.call('GET', '/me')).body).toMatchObject({
    person: { email: person.email, platform_admin: false },
    organizations: [],
  })
  const { status, body } = await browser.call('POST', '/organizations', { body: { name: 'Ann & Co' } })
  expect([status, body.name, body.role]).toEqual([200, 'Ann & Co', 'admin'])
})

test('whether an address has an account is not to be learned from signing up or asking for a new password', async () => {
  const known = await makePerson(api)
  const answers: Record<string, unknown[]> = { [known.email]: [], 'nobody@people.test': [] }
  for (const email of Object.keys(answers)) {
    await forgetTries(api)
    const up = await new Browser(api).auth('POST', '/sign-up/email', {
      email,
      password: goodPassword,
      name: 'x',
    })
    const reset = await new Browser(api).auth('POST', '/request-password-reset', { email })
    answers[email] = [
      up.status,
      Object.keys(up.body).sort(),
      Object.keys(up.body.user).sort(),
      reset.status,
      reset.body,
    ]
  }
  const [one, other] = Object.values(answers)
  expect(one).toEqual(other)
  expect(one![0]).toBe(200)
})

test('a new password by mail: the link works once, ends every session, and is told', async () => {
  await forgetTries(api)
  const person = await makePerson(api)
  const session = await signIn(api, person)
  const browser = new Browser(api)
  await browser.auth('POST', '/request-password-reset', { email: person.email })
  const token = tokenIn(linkIn(await mailTo(api, person.email)))
  const newPassword = 'another harbour 91 ladder'
  const weak = await browser.auth('POST', '/reset-password', { token, newPassword: 'password1234' })
  expect([weak.status, weak.body.code]).toEqual([400, 'PASSWORD_NOT_ACCEPTED'])
  expect((await browser.auth('POST', '/reset-password', { token, newPassword })).status).toBe(200)
  expect((await browser.auth('POST', '/reset-password', { token, newPassword })).status).toBe(400)
  expect((await session.call('GET', '/me')).status).toBe(401)
  expect((await mailTo(api, person.email, 2)).subject).toBe('Your password was changed')
  await signIn(api, { ...person, password: newPassword })
})

test('the links of the platform lead straight there, also where links are followed and mail can be unsubscribed', async () => {
  await api.sql`
    update postel.domains set click_tracking = true, open_tracking = true, tracking_subdomain = 'links',
      tracking_verified_at = now()
    where organization_id = ${system.organizationId}`
  await api.sql`update postel.projects set unsubscribe = true where id = ${system.projectId}`
  await forgetTries(api)
  const person = await makePerson(api)
  await new Browser(api).auth('POST', '/request-password-reset', { email: person.email })
  const mail = await mailTo(api, person.email)
  expect(String(mail.html)).toContain('href="http://localhost:3000/reset-password#token=')
  expect(String(mail.html)).not.toContain('<img')
  expect(mail.headers.has('list')).toBe(false)
})

test('nobody reads the links in the mail of the platform through the API of its project', async () => {
  await forgetTries(api)
  const person = await makePerson(api, { platformAdmin: true })
  await new Browser(api).auth('POST', '/request-password-reset', { email: person.email })
  await mailTo(api, person.email)
  const { body: list } = await api.call('GET', '/emails', { key: system.key })
  const found = list.data.find(({ to }: { to: string[] }) => to.includes(person.email))
  const { body } = await api.call('GET', `/emails/${found.id}`, { key: system.key })
  expect(body).toMatchObject({ subject: 'Choose a new password', text: null, html: null })
})

test('a copy of the tables has no session, link, code or invitation that works', async () => {
  const secrets: string[] = []
  const tenant = await api.tenant()
  const admin = await signIn(api, await makePerson(api, { roles: { [tenant.organizationId]: 'admin' } }))
  secrets.push(decodeURIComponent(admin.cookies.get('postel.session_token')!).split('.')[0]!)

  const person = await makePerson(api)
  await admin.auth('POST', '/request-password-reset', { email: person.email })
  secrets.push(tokenIn(linkIn(await mailTo(api, person.email))))

  const invited = 'invited@people.test'
  expect((await admin.call('POST', '/invitations', { body: { email: invited, role: 'admin' } })).status).toBe(
    200,
  )
  secrets.push(tokenIn(linkIn(await mailTo(api, invited))))

  const { body: codes } = await admin.auth('POST', '/two-factor/enable', { password: goodPassword })
  secrets.push(new URL(codes.totpURI).searchParams.get('secret')!, ...codes.backupCodes, goodPassword)

  const tables = await api.sql<{ name: string }[]>`
    select c.relname as name from pg_class c
    where c.relnamespace = 'postel'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      -- Mail that is under way has its link in it, as it must
      and c.relname <> 'message_bodies'`
  const names = tables.map(({ name }) => name)
  expect(names).toEqual(
    expect.arrayContaining(['users', 'sessions', 'verifications', 'two_factors', 'invitations']),
  )
  for (const name of names) {
    const [dump] = await api.sql<{ text: string }[]>`
      select coalesce(string_agg(t::text, ' '), '') as text from ${api.sql(`postel.${name}`)} t`
    for (const secret of secrets)
      expect({ name, holds: dump!.text.includes(secret) }).toEqual({ name, holds: false })
  }
})
