/** A person's address: everything about it is given out, and erased, for whoever administers the organization. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { makeKey } from '@postel/db/testing/make-key'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant
let other: Tenant
let admin: string
const ann = 'ann.marlow@person.test'

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('a.test')
  other = await api.tenant('b.test')
  admin = await makeKey(api.sql, { organizationId: tenant.organizationId })
})
afterAll(() => api.stop())

async function send(to: string[], more: object = {}, by = tenant, from = 'a.test'): Promise<string> {
  const body = { from: `us@${from}`, to, subject: 'Hello', text: 'text', ...more }
  const reply = await api.call('POST', '/emails', { key: by.key, body })
  expect(reply.status).toBe(200)
  return reply.body.id
}

/** It was tried for every recipient, and refused with the address in the reply. */
async function finish(...ids: string[]): Promise<void> {
  await api.sql`
    with gone as (delete from postel.queue where message_id = any (${ids}::uuid[])),
    tried as (
      insert into postel.attempts (message_id, number, attempt, at, duration_ms, outcome, in_doubt, code, category, reply)
      select message_id, number, 1, now(), 1, 'bounced', false, 550, 'invalid_recipient', '550 no ' || recipient
      from postel.deliveries where message_id = any (${ids}::uuid[])
    ),
    recorded as (
      insert into postel.events (organization_id, message_id, number, type, data)
      select m.organization_id, m.id, d.number, t.type, '{"ip": "192.0.2.7"}'
      from postel.messages m join postel.deliveries d on d.message_id = m.id, unnest(array['bounced', 'opened']) as t (type)
      where m.id = any (${ids}::uuid[])
    )
    update postel.deliveries set state = 'bounced', attempts = 1, last_reply = '550 no ' || recipient
    where message_id = any (${ids}::uuid[])`
}

const erase = (email: string, key = admin) => api.call('POST', '/privacy/erase', { key, body: { email } })
const exportOf = (body: object, key = admin) => api.call('POST', '/privacy/export', { key, body })

/** Every table that has this text anywhere. */
async function tablesWith(text: string): Promise<string[]> {
  const tables = await api.sql<{ name: string }[]>`
    select c.relname as name from pg_class c
    where c.relnamespace = 'postel'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition`
  const found: string[] = []
  for (const { name } of tables) {
    const like = `%${text}%`
    const hex = `%${Buffer.from(text).toString('hex')}%`
    const rows = await api.sql`
      select from postel.${api.sql(name)} t where t::text ilike ${like} or t::text ilike ${hex} limit 1`
    if (rows.length > 0) found.push(name)
  }
  return found
}

test('the address is given out with everything about it, and then it is nowhere but with others', async () => {
  const alone = await send([ann])
  const named = await send([`Ann Marlow <${ann.toUpperCase()}>`, 'bob@dest.test'], {
    subject: `For ${ann}`,
    tags: [{ name: 'kind', value: 'news' }],
  })
  const blind = await send(['bob@dest.test'], { bcc: [ann] })
  const foreign = await send([ann], {}, other, 'b.test')
  await finish(alone, named, blind, foreign)
  await api.call('POST', '/suppressions', { key: tenant.key, body: { email: ann } })
  const before = await exportOf({ email: ` ${ann} ` })
  expect(before.status).toBe(200)
  expect(before.body.emails.map(({ id }: { id: string }) => id)).toEqual([blind, named, alone])
  expect(before.body.emails[2]).toMatchObject({
    state: 'bounced',
    body: true,
    attempts: [{ outcome: 'bounced', reply: `550 no ${ann}` }],
    events: [{ type: 'bounced' }, { type: 'opened', data: { ip: '192.0.2.7' } }],
  })
  expect(before.body.suppressions).toMatchObject([{ address: ann, origin: 'manual' }])

  expect((await erase(ann)).body).toEqual({ object: 'privacy_erasure', emails: 3, pending: 0 })
  await api.sql`delete from postel.message_bodies where message_id = ${foreign}`
  await api.sql`update postel.attempts set reply = null where message_id = ${foreign}`
  await api.sql`update postel.messages set details = null where id = ${foreign}`
  await api.sql`update postel.deliveries set recipient = 'x@y.test', last_reply = null where message_id = ${foreign}`
  expect(await tablesWith(ann)).toEqual([])
  expect(await tablesWith('Ann Marlow')).toEqual([])

  const left = await api.sql<{ id: string; recipients: string[]; body: boolean }[]>`
    select m.id, array(select recipient from postel.deliveries where message_id = m.id order by number) as recipients,
      exists (select from postel.message_bodies where message_id = m.id) as body
    from postel.messages m where m.id = any (${[alone, named, blind]}::uuid[]) order by m.id`
  expect([...left]).toEqual([
    { id: alone, recipients: ['erased@erased.invalid'], body: false },
    { id: named, recipients: ['erased@erased.invalid', 'bob@dest.test'], body: false },
    { id: blind, recipients: ['bob@dest.test', 'erased@erased.invalid'], body: true },
  ])
  expect((await api.call('GET', `/emails/${named}`, { key: tenant.key })).body).toMatchObject({
    subject: 'erased@erased.invalid',
    to: ['erased@erased.invalid', 'bob@dest.test'],
  })
  expect((await exportOf({ email: ann })).body).toMatchObject({
    emails: [],
    suppressions: [{ origin: 'manual' }],
  })
})

test('it stays suppressed', async () => {
  const email = 'stays@person.test'
  await api.call('POST', '/suppressions', { key: tenant.key, body: { email } })
  await erase(email)
  const id = await send([email])
  const [row] = await api.sql`select state from postel.deliveries where message_id = ${id}`
  expect(row).toEqual({ state: 'suppressed' })
})

test('mail that has not left is cancelled; what others are still to get is erased once it is done', async () => {
  const [alone, shared] = [
    await send(['late@person.test']),
    await send(['late@person.test', 'bob@dest.test']),
  ]
  expect((await erase('late@person.test')).body).toMatchObject({ emails: 1, pending: 1 })
  const states = await api.sql<{ state: string }[]>`
    select state from postel.deliveries where message_id = any (${[alone, shared]}::uuid[])
    order by message_id, number`
  expect(states.map(({ state }) => state).filter((state) => state === 'cancelled')).toHaveLength(2)
  await api.sql`delete from postel.waiting where message_id = ${shared}`
  await api.sql`delete from postel.queue where message_id = ${shared}`
  expect((await erase('late@person.test')).body).toMatchObject({ emails: 1, pending: 0 })
  expect(await tablesWith('late@person.test')).toEqual([])
})

test('an export comes in pages', async () => {
  const ids = [
    await send(['pages@person.test']),
    await send(['pages@person.test']),
    await send(['pages@person.test']),
  ]
  const first = await exportOf({ email: 'pages@person.test', limit: 2 })
  expect(first.body).toMatchObject({ has_more: true, emails: [{ id: ids[2] }, { id: ids[1] }] })
  const second = await exportOf({ email: 'pages@person.test', limit: 2, after: ids[1] })
  expect(second.body).toMatchObject({ has_more: false, emails: [{ id: ids[0] }] })
})

test("only the organization's administrators may, and it is written down without the address", async () => {
  for (const key of [tenant.key, tenant.sendingKey]) {
    expect([401, 403]).toContain((await erase('x@person.test', key)).status)
    expect([401, 403]).toContain((await exportOf({ email: 'x@person.test' }, key)).status)
  }
  expect((await erase('no address')).status).toBe(422)
  const id = await send(['mine@person.test'])
  await finish(id)
  const stranger = await makeKey(api.sql, { organizationId: other.organizationId })
  expect((await erase('mine@person.test', stranger)).body).toMatchObject({ emails: 0, pending: 0 })
  expect((await exportOf({ email: 'mine@person.test' }, stranger)).body.emails).toEqual([])
  const rows = await api.sql`
    select actor_name, target_name, details from postel.audit_log
    where organization_id = ${other.organizationId} and action = 'privacy.erased'`
  expect([...rows]).toEqual([{ actor_name: 'made for a test', target_name: null, details: { messages: 0 } }])
})
