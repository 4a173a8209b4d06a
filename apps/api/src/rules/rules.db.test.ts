/** Operators have rules of their own for destinations, which come before the shipped ones. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readPolicies } from '@postel/db/queries/policies'
import { makeKey } from '@postel/db/testing/make-key'
import { openSmarthost, sealSmarthost } from '@postel/runtime/sealed-smarthost'
import { createSecretBox } from '@postel/runtime/secret-box'
import { startApi, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let operator: string
const POSTEL_SECRET = randomBytes(32).toString('base64')
const box = createSecretBox(POSTEL_SECRET)

beforeAll(async () => {
  api = await startApi({ POSTEL_SECRET })
  operator = await makeKey(api.sql)
})
afterAll(() => api.stop())

const call = (method: string, path: string, body?: unknown) => api.call(method, path, { key: operator, body })

const inForce = async (name: string) =>
  (await readPolicies(api.sql)).rules.find((rule) => rule.name === name && rule.origin === 'operator')

const smarthostOf = async (name: string) => {
  const rule = await inForce(name)
  return rule!.smarthost!
}

test('a rule is made, changed field by field, and deleted, and outbound reads each', async () => {
  const { status, body } = await call('POST', '/destination-rules', {
    name: 'google',
    domains: ['Gmail.com', '*.example.test'],
    connections_max: 3,
  })
  expect(status).toBe(201)
  expect(body).toMatchObject({
    object: 'destination_rule',
    origin: 'operator',
    domains: ['gmail.com', '*.example.test'],
    mx: [],
    connections_max: 3,
    tls: null,
  })
  expect(await inForce('google')).toMatchObject({ connectionsMax: 3 })
  const changed = await call('PATCH', `/destination-rules/${body.id}`, {
    connections_max: null,
    tls: 'enforced',
  })
  expect(changed.body).toMatchObject({
    connections_max: null,
    tls: 'enforced',
    domains: ['gmail.com', '*.example.test'],
  })
  expect((await call('POST', '/destination-rules', { name: 'google' })).status).toBe(409)
  expect((await call('GET', `/destination-rules/${body.id}`)).body.tls).toBe('enforced')
  expect((await call('DELETE', `/destination-rules/${body.id}`)).body.deleted).toBe(true)
  expect(await inForce('google')).toBeUndefined()
  expect((await call('PATCH', `/destination-rules/${body.id}`, {})).status).toBe(404)
})

test('shipped rules are listed and stay as they are', async () => {
  const { body } = await call('GET', '/destination-rules?limit=100')
  const shipped = body.data.find(({ name }: { name: string }) => name === 'google')
  expect(shipped.origin).toBe('shipped')
  expect((await call('PATCH', `/destination-rules/${shipped.id}`, { connections_max: 1 })).status).toBe(409)
  expect((await call('DELETE', `/destination-rules/${shipped.id}`)).status).toBe(409)
})

test('the password of a smarthost is told to nobody again, and not by the audit log', async () => {
  const smarthost = 'smtps://us:hunter2@relay.test:465'
  const { body } = await call('POST', '/destination-rules', { name: 'relayed', smarthost })
  expect(body.smarthost).toBe('smtps://us:***@relay.test:465')
  const stored = await smarthostOf('relayed')
  expect(stored).not.toContain('hunter2')
  expect(openSmarthost(stored, box)).toBe(smarthost)
  const noted = await call('PATCH', `/destination-rules/${body.id}`, { note: 'since May' })
  expect(noted.body).toMatchObject({ note: 'since May', smarthost: body.smarthost })
  expect(await smarthostOf('relayed')).toBe(stored)
  const shown = await call('PATCH', `/destination-rules/${body.id}`, { smarthost: body.smarthost })
  expect(shown.status).toBe(422)
  const another = 'smtp://us:hunter22@other.test'
  const moved = await call('PATCH', `/destination-rules/${body.id}`, { smarthost: another })
  expect(moved.body.smarthost).toBe('smtp://us:***@other.test')
  expect(openSmarthost(await smarthostOf('relayed'), box)).toBe(another)
  const [{ log }] = (await api.sql`select json_agg(a)::text as log from postel.audit_log a`) as unknown as [
    { log: string },
  ]
  expect(log).toContain('relay.test')
  expect(log).not.toContain('hunter2')
  const none = await call('PATCH', `/destination-rules/${body.id}`, { smarthost: null })
  expect(none.body.smarthost).toBeNull()
})

test.each([
  ['name', { name: 'Not So' }],
  ['domains', { name: 'x', domains: ['a b'] }],
  ['domains', { name: 'x', domains: 'a.test' }],
  ['mx', { name: 'x', mx: ['*.a.test'] }],
  ['connections_max', { name: 'x', connections_max: 0 }],
  ['messages_per_minute', { name: 'x', messages_per_minute: 1.5 }],
  ['tls', { name: 'x', tls: 'on' }],
  ['smarthost', { name: 'x', smarthost: 'http://relay.test' }],
  ['smarthost', { name: 'x', smarthost: '\0' }],
  ['smarthost', { name: 'x', smarthost: sealSmarthost('smtp://us:hunter2@relay.test', box) }],
  ['smarthost', { name: 'x', smarthost: 'smtp://u:p%zz@relay.test' }],
])('a rule with a wrong %s is refused by name: %j', async (field, body) => {
  const reply = await call('POST', '/destination-rules', body)
  expect(reply.status).toBe(422)
  expect(reply.body.message).toContain(field)
})
