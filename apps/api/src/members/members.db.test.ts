/** Who belongs to an organization, and how one comes in, changes and goes. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { linkIn, mailTo } from '../testing/mail.ts'
import { Browser, goodPassword, makePerson, signIn, type TestPerson } from '../testing/people.ts'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant
let admin: Browser
let adminPerson: TestPerson

beforeAll(async () => {
  api = await startApi({ SYSTEM_MAIL_FROM: 'Postel <postel@system.test>' })
  await api.tenant('system.test')
  tenant = await api.tenant()
  adminPerson = await makePerson(api, { roles: { [tenant.organizationId]: 'admin' } })
  admin = await signIn(api, adminPerson)
})
afterAll(() => api.stop())

const member = (role: string) => makePerson(api, { roles: { [tenant.organizationId]: role } })

async function invite(email: string, role = 'read_only'): Promise<string> {
  const before = await api.sql`select from postel.deliveries where recipient = ${email.toLowerCase()}`
  const { status } = await admin.call('POST', '/invitations', { body: { email, role } })
  expect(status).toBe(200)
  const link = linkIn(await mailTo(api, email.toLowerCase(), before.length + 1))
  return new URLSearchParams(new URL(link).hash.slice(1)).get('token')!
}

const accept = (body: object, headers: Record<string, string> = {}) =>
  api.call('POST', '/invitations/accept', { body, headers })

test('members are listed page by page, with roles, and only those of the organization', async () => {
  const { organizationId } = await api.tenant()
  const people = [
    await makePerson(api, { roles: { [organizationId]: 'admin' } }),
    await makePerson(api, { roles: { [organizationId]: 'read_only' } }),
    await makePerson(api, { roles: { [organizationId]: 'maintainer' } }),
  ]
  const browser = await signIn(api, people[1]!)
  const first = await browser.call('GET', '/members?limit=2')
  expect(first.body.has_more).toBe(true)
  const second = await browser.call('GET', `/members?limit=2&after=${first.body.data[1].user_id}`)
  const seen = [...first.body.data, ...second.body.data]
  expect(seen.map(({ email, role }) => [email, role])).toEqual([
    [people[2]!.email, 'maintainer'],
    [people[1]!.email, 'read_only'],
    [people[0]!.email, 'admin'],
  ])
})

test('an invited person without an account makes one with the link, once, and is in', async () => {
  const email = 'New.Person@people.test'
  const token = await invite(email, 'maintainer')
  const person = { token, name: 'New Person', password: goodPassword }
  expect((await accept({ token })).body.name).toBe('missing_required_field')
  expect((await accept({ ...person, password: 'password1234' })).status).toBe(422)
  const { status, body } = await accept(person)
  expect(status).toBe(200)
  expect(body).toMatchObject({ organization_id: tenant.organizationId, role: 'maintainer' })
  expect((await accept(person)).status).toBe(404)
  const browser = await signIn(api, { id: body.user_id, email: email.toLowerCase(), password: goodPassword })
  expect((await browser.call('GET', '/me')).body.role).toBe('maintainer')
  expect((await admin.call('POST', '/invitations', { body: { email } })).status).toBe(409)
})

test('with an account one joins by its session; the account of another address does not', async () => {
  const person = await makePerson(api)
  const token = await invite(person.email)
  expect((await accept({ token, name: 'x', password: goodPassword })).status).toBe(401)
  const other = await signIn(api, await makePerson(api))
  expect((await other.call('POST', '/invitations/accept', { body: { token } })).status).toBe(403)
  const own = await signIn(api, person)
  const fromElsewhere = { headers: { origin: 'https://evil.test' }, body: { token } }
  expect((await own.call('POST', '/invitations/accept', fromElsewhere)).status).toBe(403)
  expect((await own.call('POST', '/invitations/accept', { body: { token } })).status).toBe(200)
  expect((await own.call('GET', '/me')).body.role).toBe('read_only')
})

test('of many who use one link at once, one account is made', async () => {
  const token = await invite('many@people.test')
  const answers = await Promise.all(
    [1, 2, 3, 4].map((nth) => accept({ token, name: `Person ${nth}`, password: goodPassword })),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404, 404])
  expect(await api.sql`select from postel.users where email = 'many@people.test'`).toHaveLength(1)
})

test.each(['taken back', 'made anew', 'too old', 'never made'])(
  'an invitation that is %s is none',
  async (how) => {
    const email = `${how.replaceAll(' ', '-')}@people.test`
    const token = await invite(email)
    const { body } = await admin.call('GET', '/invitations')
    const { id } = body.data.find((each: { email: string }) => each.email === email)
    if (how === 'taken back') expect((await admin.call('DELETE', `/invitations/${id}`)).status).toBe(200)
    if (how === 'made anew') await invite(email)
    if (how === 'too old') await api.sql`update postel.invitations set expires_at = now() where id = ${id}`
    const { status } = await accept({
      token: how === 'never made' ? `${token}x` : token,
      name: 'x',
      password: goodPassword,
    })
    expect(status).toBe(404)
  },
)

test('only admins invite and change; another organization is not there', async () => {
  const { organizationId } = await api.tenant()
  const stranger = await signIn(api, await makePerson(api, { roles: { [organizationId]: 'admin' } }))
  const { body: list } = await admin.call('GET', '/invitations')
  const invitation =
    list.data[0]?.id ??
    (await admin.call('POST', '/invitations', { body: { email: 'x@people.test' } })).body.id
  expect((await stranger.call('DELETE', `/invitations/${invitation}`)).status).toBe(404)
  expect(
    (await stranger.call('PATCH', `/members/${adminPerson.id}`, { body: { role: 'read_only' } })).status,
  ).toBe(404)
  expect((await stranger.call('DELETE', `/members/${adminPerson.id}`)).status).toBe(404)
  const maintainer = await signIn(api, await member('maintainer'))
  expect((await maintainer.call('POST', '/invitations', { body: { email: 'y@people.test' } })).status).toBe(
    403,
  )
  expect(
    (await maintainer.call('PATCH', `/members/${adminPerson.id}`, { body: { role: 'read_only' } })).status,
  ).toBe(403)
  expect((await maintainer.call('DELETE', `/members/${adminPerson.id}`)).status).toBe(403)
  expect((await api.call('GET', '/members', { key: tenant.sendingKey })).status).toBe(401)
  expect(
    (await api.call('POST', '/invitations', { key: tenant.key, body: { email: 'z@people.test' } })).status,
  ).toBe(403)
})

test.each([
  ['no address', { email: 'nothing' }],
  ['two addresses', { email: 'a@b.test, c@d.test' }],
  ['a name', { email: 'Ann <a@b.test>' }],
  ['an unknown role', { email: 'a@b.test', role: 'operator' }],
  ['a line break', { email: 'a@b.test\r\nBcc: c@d.test' }],
])('an invitation with %s is refused by the field', async (_name, body) => {
  const { status, body: problem } = await admin.call('POST', '/invitations', { body })
  expect(status).toBe(422)
  expect(problem.message).toMatch(/`(email|role)`/)
})

test('a member may leave; every change is in the audit log with who made it', async () => {
  const person = await member('read_only')
  const browser = await signIn(api, person)
  expect((await admin.call('PATCH', `/members/${person.id}`, { body: { role: 'maintainer' } })).status).toBe(
    200,
  )
  expect((await browser.call('GET', '/me')).body.role).toBe('maintainer')
  expect((await browser.call('DELETE', `/members/${person.id}`)).body).toMatchObject({ deleted: true })
  expect((await browser.call('GET', '/me')).body.organizations).toEqual([])
  const logged = await api.sql`
    select action, actor_kind, actor_name, target_name, host(address) as address from postel.audit_log
    where organization_id = ${tenant.organizationId} and target_id = ${person.id} order by id`
  expect([...logged]).toEqual([
    {
      action: 'member.updated',
      actor_kind: 'person',
      actor_name: adminPerson.email,
      target_name: person.email,
      address: '127.0.0.1',
    },
    {
      action: 'member.deleted',
      actor_kind: 'person',
      actor_name: person.email,
      target_name: person.email,
      address: '127.0.0.1',
    },
  ])
})

test('two admins who take each other out at one moment leave one', async () => {
  for (let round = 0; round < 3; round++) {
    const { organizationId } = await api.tenant()
    const roles = { [organizationId]: 'admin' }
    const [one, two] = [await makePerson(api, { roles }), await makePerson(api, { roles })]
    const [first, second] = [await signIn(api, one), await signIn(api, two)]
    const answers = await Promise.all([
      first.call('DELETE', `/members/${two.id}`),
      second.call('PATCH', `/members/${one.id}`, { body: { role: 'read_only' } }),
    ])
    const left = await api.sql`
      select user_id from postel.members where organization_id = ${organizationId} and role = 'admin'`
    expect(left).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  }
})

test('the last admin neither leaves nor is made less', async () => {
  const { organizationId } = await api.tenant()
  const person = await makePerson(api, { roles: { [organizationId]: 'admin' } })
  const browser = await signIn(api, person)
  for (const [method, body] of [
    ['DELETE', undefined],
    ['PATCH', { role: 'maintainer' }],
  ] as const) {
    const { status, body: problem } = await browser.call(
      method,
      `/members/${person.id}`,
      body ? { body } : {},
    )
    expect([status, problem.name]).toEqual([409, 'resource_locked'])
  }
})

test('where no mail can be sent the error says what to set', async () => {
  const silent = await startApi()
  try {
    const { organizationId } = await silent.tenant()
    const browser = await signIn(silent, await makePerson(silent, { roles: { [organizationId]: 'admin' } }))
    const { status, body } = await browser.call('POST', '/invitations', { body: { email: 'a@b.test' } })
    expect([status, body.message]).toEqual([503, expect.stringContaining('SYSTEM_MAIL_FROM')])
    const reset = await new Browser(silent).auth('POST', '/request-password-reset', { email: 'a@b.test' })
    expect([reset.status, reset.body.message]).toEqual([503, expect.stringContaining('SYSTEM_MAIL_FROM')])
    const closed = await new Browser(silent).auth('POST', '/sign-up/email', {
      email: 'a@b.test',
      password: goodPassword,
      name: 'x',
    })
    expect(closed.status).toBeGreaterThanOrEqual(400)
    expect(await silent.sql`select from postel.users where email = 'a@b.test'`).toHaveLength(0)
  } finally {
    await silent.stop()
  }
})
