/** A notice is always an event, and a mail to each admin where system mail is set up; it never fails. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { writeSystemSettings } from './queries/people.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { makeTenant, type Tenant, unique } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let tenant: Tenant

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
  tenant = await makeTenant(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})

async function addMember(role: string, options: { blocked?: boolean; email?: string } = {}): Promise<string> {
  const email = options.email ?? `${unique('person')}@people.test`
  await sql`
    with u as (
      insert into postel.users (name, email, blocked) values ('x', ${email}, ${options.blocked ?? false}) returning id
    )
    insert into postel.members (organization_id, user_id, role) select ${tenant.organizationId}, u.id, ${role} from u`
  return email
}

async function notify(subject: string): Promise<{ mailed: number; problem?: string }> {
  await sql`select postel.send_notice(${tenant.organizationId}, ${subject}, ${'Löschen?\nNo.'})`
  const rows = await sql<{ data: { subject: string; text: string; mailed: number; problem?: string } }[]>`
    select e.data from postel.events e
    where e.organization_id = ${tenant.organizationId} and e.type = 'notice' and e.data ->> 'subject' = ${subject}`
  expect(rows).toHaveLength(1)
  const { text, subject: _, ...rest } = rows[0]!.data
  expect(text).toBe('Löschen?\nNo.')
  return rest
}

const recipients = async (subject: string) =>
  (
    await sql<{ recipient: string }[]>`
      select d.recipient from postel.messages m join postel.deliveries d on d.message_id = m.id
      where m.subject = ${subject} order by d.recipient`
  ).map(({ recipient }) => recipient)

test('without a sender it is an event that says why', async () => {
  await addMember('admin')
  expect(await notify('one')).toEqual({ mailed: 0, problem: 'SYSTEM_MAIL_FROM is not set' })
})

test('every admin gets a mail, nobody else', async () => {
  await writeSystemSettings(sql, { mail_from: `Postel <postel@${tenant.domain}>`, mail_project: null })
  await sql`delete from postel.members where organization_id = ${tenant.organizationId}`
  const admins = [await addMember('admin'), await addMember('admin')].sort()
  await addMember('maintainer')
  await addMember('admin', { blocked: true })
  expect(await notify('two')).toEqual({ mailed: 2 })
  expect(await recipients('two')).toEqual(admins)
})

test('what cannot be mailed keeps neither the others nor the event from being', async () => {
  await sql`delete from postel.members where organization_id = ${tenant.organizationId}`
  const good = await addMember('admin')
  await addMember('admin', { email: 'not an address' })
  expect(await notify('three')).toEqual({
    mailed: 1,
    problem: expect.stringContaining('not a usable e-mail address'),
  })
  expect(await recipients('three')).toEqual([good])
  await sql`delete from postel.users where email = 'not an address'`
  await writeSystemSettings(sql, { mail_from: 'postel@unverified.test', mail_project: null })
  expect(await notify('four')).toEqual({ mailed: 0, problem: expect.stringContaining('no project') })
})

test('the project that is named is used, and a setting that is gone is gone', async () => {
  const other = await makeTenant(sql)
  const settings = { mail_from: `postel@${tenant.domain}`, mail_project: other.projectId }
  await writeSystemSettings(sql, settings)
  await addMember('admin')
  expect((await notify('five')).problem).toContain('no project')
  await writeSystemSettings(sql, { ...settings, mail_project: null })
  expect((await notify('six')).mailed).toBeGreaterThan(0)
  await writeSystemSettings(sql, { mail_from: null, mail_project: null })
  expect(await sql`table postel.system_settings`).toHaveLength(0)
})
