// What limits a key limits its SMTP sessions as well, also those that are open: the next MAIL asks again.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { hashSecret } from '@postel/db/queries/credentials'
import { type KeyOptions, makeKey } from '@postel/db/testing/make-key'
import { type Postel, startPostel } from '../support/postel.ts'
import type { RawSmtp } from '../support/raw-smtp.ts'
import { waitFor } from '../support/wait-for.ts'

let postel: Postel
let project: { organizationId: string; projectId: string }

beforeAll(async () => {
  postel = await startPostel({ relayCidrs: [], domains: ['example.test', 'second.test'] })
  const [row] = await postel.sql<(typeof project)[]>`
    select organization_id as "organizationId", id as "projectId" from postel.projects`
  project = row!
})
afterAll(() => postel.stop())

const key = (options: KeyOptions = {}) => makeKey(postel.sql, { ...project, ...options })

async function auth(password: string, user?: string): Promise<RawSmtp> {
  const client = await postel.session('STARTTLS')
  expect(await client.authPlain(password, user)).toBe(235)
  return client
}
async function codeOf(password: string, user?: string): Promise<number> {
  const client = await postel.session('STARTTLS')
  const code = await client.authPlain(password, user)
  client.destroy()
  return code
}
async function mail(client: RawSmtp, from = 'sender@example.test'): Promise<number> {
  const code = await client.code(`MAIL FROM:<${from}>`)
  if (code === 250) await client.say('RSET', 250)
  return code
}

test('a session whose key is revoked, expired, moved to other networks or without its project ends at the next MAIL (T-08)', async () => {
  const { sql } = postel
  const [other] = await sql<{ id: string }[]>`
    insert into postel.projects (organization_id, name, pool_id)
    select organization_id, 'to be deleted', pool_id from postel.projects where id = ${project.projectId}
    returning id`
  const keys = await Promise.all([key(), key(), key(), key({ projectId: other!.id }), key()])
  const sessions = await Promise.all(keys.map((each) => auth(each)))
  for (const session of sessions) expect(await mail(session)).toBe(250)
  const [revoked, expired, moved] = keys.map(hashSecret)
  await sql`update postel.api_keys set revoked_at = now() where hash = ${revoked!}`
  await sql`update postel.api_keys set expires_at = now() where hash = ${expired!}`
  await sql`update postel.api_keys set networks = array['192.0.2.0/24'::cidr] where hash = ${moved!}`
  await sql`update postel.projects set deleted_at = now() where id = ${other!.id}`

  for (const [index, session] of sessions.slice(0, 4).entries()) {
    await waitFor(async () => (await codeOf(keys[index]!, `user ${index}`)) === 535, 6)
    expect(await mail(session)).toBe(530)
    await session.closed()
  }
  expect(await mail(sessions[4]!)).toBe(250)
})

test('a key with networks works from these only', async () => {
  expect(await codeOf(await key({ networks: ['192.0.2.0/24', '2001:db8::/32'] }), 'outside')).toBe(535)
  expect(await codeOf(await key({ networks: ['192.0.2.0/24', '127.0.0.0/8'] }))).toBe(235)
})

test('an expired key does not work', async () => {
  expect(await codeOf(await key({ expiresInSeconds: -1 }), 'late')).toBe(535)
})

test('a key limited to a domain sends from no other, in envelope and header', async () => {
  const client = await auth(await key({ domain: 'second.test', permission: 'sending_access' }))
  expect(await mail(client)).toBe(550)
  expect(await mail(client, 'sender@second.test')).toBe(250)
  await client.startData('reader@dest.test', 'sender@second.test')
  client.write('From: sender@example.test\r\nSubject: s\r\n\r\nx\r\n.\r\n')
  await client.expect(550)
})

test('with a key of the organization the user name says the project, which must be its own', async () => {
  await postel.addOrganization('other.test')
  const wide = await makeKey(postel.sql, { organizationId: project.organizationId })
  const client = await auth(wide, 'default')
  expect(await mail(client)).toBe(250)
  expect(await codeOf(wide, project.projectId)).toBe(235)
  expect(await codeOf(wide, 'other')).toBe(535)
  expect(await codeOf(wide, 'nobody')).toBe(535)
})

test('a key of the platform sends nothing', async () => {
  expect(await codeOf(await makeKey(postel.sql), project.projectId)).toBe(535)
})

test('whoever tries passwords for a user is locked out from there; others go on (T-10)', async () => {
  const right = await key()
  const wrong = Array.from({ length: 10 }, async () => {
    const client = await postel.session('STARTTLS')
    return client.authPlain('pk_live_wrong', 'victim')
  })
  // All of them first: the right password, let in among them, would have those before it forgotten
  const codes = await Promise.all(wrong)
  expect(codes.every((code) => code === 535 || code === 421)).toBe(true)
  expect(await codeOf(right, 'victim')).toBe(421)
  const client = await auth(right, 'somebody else')
  expect(await mail(client)).toBe(250)
})

test('two hundred AUTHs at once are all answered, and the others are served meanwhile (T-11)', async () => {
  const healthy = await auth(await key())
  const clients = await Promise.all(Array.from({ length: 200 }, () => postel.session('implicit TLS')))
  const codes = Promise.all(clients.map((client, index) => client.authPlain('wrong', `user${index}`)))
  await healthy.startData()
  healthy.write('From: sender@example.test\r\nSubject: s\r\n\r\nx\r\n.\r\n')
  await healthy.expect(250)
  expect(new Set(await codes)).toEqual(new Set([535]))
})
