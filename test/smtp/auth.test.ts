// AUTH: an API key or SMTP password is the password, the user name does not matter, and nothing else gets in.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { hashSecret } from '@postel/db/queries/credentials'
import { message, type Postel, startPostel } from '../support/postel.ts'
import type { RawSmtp } from '../support/raw-smtp.ts'
import { waitFor } from '../support/wait-for.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel({ relayCidrs: [] })
})

afterAll(() => postel.stop())

const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64')

async function mayMail(client: RawSmtp): Promise<boolean> {
  const code = await client.code('MAIL FROM:<sender@example.test>')
  await client.say('RSET', 250)
  return code === 250
}

describe('in plain text', () => {
  test('AUTH is refused with 538 before the password is looked at', async () => {
    const client = await postel.session()
    await client.say(`AUTH PLAIN ${base64(`\0user\0${postel.key}`)}`, /^538 5\.7\.11 /)
    await client.say('AUTH LOGIN', 538)
    expect(await mayMail(client)).toBe(false)
  })

  test('MAIL is refused with 530', async () => {
    const client = await postel.session()
    await client.say('MAIL FROM:<sender@example.test>', /^530 5\.7\.0 /)
  })
})

describe.each(['STARTTLS', 'implicit TLS'] as const)('over %s', (channel) => {
  test('PLAIN with an initial response', async () => {
    const client = await postel.session(channel)
    expect(await client.authPlain(postel.key)).toBe(235)
    expect(await mayMail(client)).toBe(true)
  })

  test('PLAIN in two steps', async () => {
    const client = await postel.session(channel)
    await client.say('AUTH PLAIN', /^334 $/)
    await client.say(base64(`\0user\0${postel.key}`), /^235 2\.7\.0 /)
    expect(await mayMail(client)).toBe(true)
  })

  test('LOGIN', async () => {
    const client = await postel.session(channel)
    await client.say('AUTH LOGIN', 334)
    await client.say(base64('whoever'), 334)
    await client.say(base64(postel.key), 235)
    expect(await mayMail(client)).toBe(true)
  })

  test('without AUTH, MAIL is refused with 530', async () => {
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@example.test>', /^530 5\.7\.0 /)
  })

  test('a second AUTH is 503', async () => {
    const client = await postel.session(channel)
    expect(await client.authPlain(postel.key)).toBe(235)
    expect(await client.authPlain(postel.key)).toBe(503)
  })
})

test.each([
  ['no base64', 'AUTH PLAIN !!!', 501],
  ['a lone =', 'AUTH PLAIN =', 501],
  ['a * as initial response', 'AUTH PLAIN *', 501],
  ['no NUL', `AUTH PLAIN ${base64('user-password')}`, 501],
  ['one NUL', `AUTH PLAIN ${base64('user\0password')}`, 501],
  ['three NULs', `AUTH PLAIN ${base64('\0user\0pass\0word')}`, 501],
  ['control characters in the user', `AUTH PLAIN ${base64('\0us\r\ner\0password')}`, 501],
  ['two arguments', 'AUTH PLAIN YQ== YQ==', 501],
  ['an empty password', `AUTH PLAIN ${base64('\0user\0')}`, 535],
  ['a wrong password', `AUTH PLAIN ${base64('\0user\0pk_live_wrong')}`, 535],
  ['12 KB of password', `AUTH PLAIN ${base64(`\0user\0${'x'.repeat(9000)}`)}`, 535],
  ['20 KB of password', `AUTH PLAIN ${base64(`\0user\0${'x'.repeat(15_000)}`)}`, 421],
  ['no mechanism', 'AUTH', 504],
  ['CRAM-MD5', 'AUTH CRAM-MD5', 504],
  ['XOAUTH2', 'AUTH XOAUTH2 YQ==', 504],
  ['the name of an inherited property', 'AUTH constructor', 504],
])('AUTH with %s never succeeds', async (_name, line, code) => {
  const client = await postel.session('STARTTLS')
  expect(await client.code(line)).toBe(code)
  if (code !== 421) expect(await mayMail(client)).toBe(false)
})

test.each(['PLAIN', 'LOGIN'])('* gives up AUTH %s', async (mechanism) => {
  const client = await postel.session('STARTTLS')
  await client.say(`AUTH ${mechanism}`, 334)
  await client.say('*', 501)
  await client.say('NOOP', 250)
})

test('AUTH during a transaction is 503', async () => {
  const client = await postel.session('STARTTLS')
  await client.authPlain(postel.key)
  await client.say('MAIL FROM:<sender@example.test>', 250)
  expect(await client.authPlain(postel.key)).toBe(503)
})

test('who is asked for in authzid does not matter: the password says who it is (P-34)', async () => {
  const other = await postel.addOrganization('other.test')
  const client = await postel.session('STARTTLS')
  await client.say(`AUTH PLAIN ${base64(`admin\0sender@example.test\0${other}`)}`, 235)
  expect(await mayMail(client)).toBe(false)
  await client.say('MAIL FROM:<sender@other.test>', 250)
})

test('the fourth failed AUTH ends the session with 421', async () => {
  const client = await postel.session('STARTTLS')
  const codes: number[] = []
  for (let tries = 0; tries < 4; tries++) codes.push(await client.authPlain('wrong'))
  expect(codes).toEqual([535, 535, 535, 421])
  await client.closed()
})

test('an SMTP credential works, and belongs to its project', async () => {
  const secret = `sp_test_${randomBytes(12).toString('hex')}`
  await postel.sql`
    insert into postel.smtp_credentials (organization_id, project_id, name, prefix, hash)
    select organization_id, id, 'test', ${secret.slice(0, 12)}, ${hashSecret(secret)} from postel.projects
    where name = 'default'`
  const client = await postel.session('STARTTLS')
  expect(await client.authPlain(secret)).toBe(235)
  await client.startData()
  client.write(`${message()}.\r\n`)
  await client.expect(250)
  const rows = await postel.sql`
    select p.name from postel.messages m join postel.projects p on p.id = m.project_id`
  expect(rows.map(({ name }) => name)).toEqual(['default'])
})

test('a revoked key stops working within seconds, also in sessions that are open', async () => {
  const key = await postel.addOrganization('revoked.test')
  const client = await postel.session('STARTTLS')
  expect(await client.authPlain(key)).toBe(235)
  await client.say('MAIL FROM:<a@revoked.test>', 250)
  await client.say('RSET', 250)
  await postel.sql`update postel.api_keys set revoked_at = now() where hash = ${hashSecret(key)}`
  await waitFor(async () => {
    const next = await postel.session('STARTTLS')
    const code = await next.authPlain(key)
    next.destroy()
    return code === 535
  })
  expect(await client.code('MAIL FROM:<a@revoked.test>')).toBe(530)
  await client.closed()
})
