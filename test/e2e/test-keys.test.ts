// What a test key sends goes to the sandbox mailbox whatever the delivery mode, by the same way as live mail and no further.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { makeKey } from '@postel/db/testing/make-key'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

let system: System
let testKey: string

beforeAll(async () => {
  system = await startSystem({ dkim: ['ed25519-sha256'], worker: {} })
  const [project] = await system.postel.sql<{ organizationId: string; projectId: string }[]>`
    select organization_id as "organizationId", id as "projectId" from postel.projects`
  testKey = await makeKey(system.postel.sql, { ...project!, test: true })
})
afterAll(() => system.stop())

async function submit(key: string, ...recipients: string[]): Promise<string> {
  const client = await system.postel.session('STARTTLS')
  expect(await client.authPlain(key)).toBe(235)
  await client.say('MAIL FROM:<sender@example.test>', 250)
  for (const recipient of recipients) await client.say(`RCPT TO:<${recipient}>`, 250)
  await client.say('DATA', 354)
  client.write(`${message()}.\r\n`)
  const reply = await client.expect(250, 'the message')
  client.destroy()
  return /queued as (\S+)/.exec(reply)![1]!
}

const kept = (id: string) => system.postel.sql<{ recipients: string[]; raw: Buffer }[]>`
  select s.recipients, s.raw
  from postel.sandbox_messages s
  join postel.messages m on m.id = s.message_id and m.organization_id = s.organization_id and m.project_id = s.project_id
  where m.id = ${id}
  order by s.id`

test('it is delivered into the mailbox, signed, and nobody is connected to or asked', async () => {
  const id = await submit(testKey, 'reader@dest.test', 'other@nowhere.test')
  const deliveries = await system.postel.settled(id)
  const reply = '250 2.0.0 test mail: kept in the sandbox mailbox'
  expect(deliveries).toEqual([
    { recipient: 'reader@dest.test', state: 'delivered', attempts: 1, reply },
    { recipient: 'other@nowhere.test', state: 'delivered', attempts: 1, reply },
  ])
  const [mail, ...more] = await kept(id)
  expect(more).toEqual([])
  expect(mail!.recipients).toEqual(['reader@dest.test', 'other@nowhere.test'])
  expect(mail!.raw.toString()).toMatch(/^DKIM-Signature: .*\r\n[\s\S]*\r\n\r\nHello\r\n$/)
  const events = await system.postel.sql`
    select type from postel.events where message_id = ${id} order by created_at, id`
  expect(events.map(({ type }) => type)).toEqual(['accepted', 'delivered', 'delivered'])
  expect(system.dns.asked('MX dest.test') + system.dns.asked('MX nowhere.test')).toBe(0)
  expect(system.mx.sessions).toEqual([])
})

test('bounced@ bounces and delayed@ is late once, in any domain', async () => {
  const id = await submit(
    testKey,
    'bounced@dest.test',
    'Bounced+Label@other.test',
    'delayed@dest.test',
    'reader@dest.test',
  )
  expect(await system.postel.finalStates(id)).toContain('delayed@dest.test deferred')
  await system.postel.retry(id)
  const states = await waitFor(async () => {
    const now = await system.postel.states(id)
    return now.every((state) => !/ (queued|deferred)$/.test(state)) && now
  })
  expect(states).toEqual([
    'bounced@dest.test bounced',
    'Bounced+Label@other.test bounced',
    'delayed@dest.test delivered',
    'reader@dest.test delivered',
  ])
  expect((await kept(id)).map(({ recipients }) => recipients)).toEqual([
    ['reader@dest.test'],
    ['delayed@dest.test'],
  ])
  const tries = await system.postel.attempts(id)
  expect(tries.map(({ number, outcome, code, reply, mx }) => [number, outcome, code, reply, mx])).toEqual([
    [1, 'bounced', 550, '550 5.1.1 test mail: this address bounces', null],
    [2, 'bounced', 550, '550 5.1.1 test mail: this address bounces', null],
    [3, 'deferred', 451, '451 4.3.0 test mail: this address is late', null],
    [4, 'delivered', 250, '250 2.0.0 test mail: kept in the sandbox mailbox', null],
    [3, 'delivered', 250, '250 2.0.0 test mail: kept in the sandbox mailbox', null],
  ])
  expect(system.mx.sessions).toEqual([])
})

test('complained@ gets it and complains, suppressed@ does not get it', async () => {
  const { postel } = system
  const id = await submit(testKey, 'complained+1@dest.test', 'suppressed@dest.test')
  expect(await postel.finalStates(id)).toEqual([
    'complained+1@dest.test delivered',
    'suppressed@dest.test suppressed',
  ])
  const events = await waitFor(async () => {
    const rows = await postel.sql<{ event: string }[]>`
      select type || ' ' || coalesce(number::text, '-') as event from postel.events where message_id = ${id} order by id`
    return rows.some(({ event }) => event.startsWith('complained')) && rows.map(({ event }) => event)
  })
  expect(events.sort()).toEqual(['accepted -', 'complained 1', 'delivered 1', 'suppressed 2'])
})

test('live mail of the same project leaves as always', async () => {
  const id = await submit(system.postel.key, 'bounced@dest.test')
  expect(await system.postel.finalStates(id)).toEqual(['bounced@dest.test delivered'])
  expect(system.mx.messages).toHaveLength(1)
  expect(await kept(id)).toEqual([])
})

test('live mail to the domain that stands for test mail bounces', async () => {
  const id = await submit(system.postel.key, 'reader@sandbox.postel.invalid')
  expect(await system.postel.finalStates(id)).toEqual(['reader@sandbox.postel.invalid bounced'])
  expect(await kept(id)).toEqual([])
})
