/** Whoever gets hold of a dump of the database can use nothing of it: no key, no password, no private key (T-12). */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { makeKey } from '@postel/db/testing/make-key'
import { startApi, type Tenant, type TestApi } from './testing/start-api.ts'

let api: TestApi
let tenant: Tenant

beforeAll(async () => {
  api = await startApi({ WEBHOOKS_ALLOW_PRIVATE: true })
  tenant = await api.tenant('example.test')
})
afterAll(() => api.stop())

const post = async (path: string, body: object, caller = tenant.key) => {
  const reply = await api.call('POST', path, { key: caller, body })
  expect([200, 201]).toContain(reply.status)
  return reply.body
}

/** Every row of every table, as text; bytes are hexadecimal. */
async function dump(): Promise<string> {
  const tables = await api.sql<{ name: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('postel', 'graphile_worker') and c.relkind in ('r', 'p')`
  let text = ''
  for (const { name } of tables) {
    const [row] = await api.sql.unsafe(`select string_agg(to_jsonb(t)::text, e'\\n') as text from ${name} t`)
    text += row!.text ?? ''
  }
  return text
}

test('a dump of the database shows no usable secret', async () => {
  const key = (await post('/api-keys', { name: 'k' })).token
  const password = (await post('/smtp-credentials', { name: 's' })).password
  const webhook = await post('/webhooks', { endpoint: 'https://127.0.0.1/hook', events: ['email.sent'] })
  await post('/domains', { name: 'signed.test' })
  const smarthost = 'smtps://us:correct-horse-battery@relay.test'
  await post('/destination-rules', { name: 'relayed', smarthost }, await makeKey(api.sql))
  const email = { from: 'a@example.test', to: 'x@dest.test', subject: 's', text: 't' }
  for (const each of [key, password])
    expect((await api.call('POST', '/emails', { key: each, body: email })).status).toBe(200)

  const text = await dump()
  // It is the whole of it, and bytes are found in it
  expect(text).toContain('signed.test')
  expect(text).toContain('relay.test')
  expect(text).toContain(Buffer.from('Subject: s').toString('hex'))
  const signing = Buffer.from(webhook.signing_secret.slice('whsec_'.length), 'base64')
  expect(signing.length).toBeGreaterThanOrEqual(24)
  const secrets = [
    tenant.key,
    key.slice(12),
    password.slice(12),
    webhook.signing_secret.slice(6),
    'correct-horse-battery',
    'PRIVATE KEY',
  ]
  for (const secret of secrets) {
    expect(text).not.toContain(secret)
    expect(text).not.toContain(Buffer.from(secret).toString('hex'))
    expect(text).not.toContain(Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -1))
  }
  expect(text).not.toContain(signing.toString('hex'))
})
