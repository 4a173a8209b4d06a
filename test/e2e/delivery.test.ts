// What was submitted arrives at the recipient's server, byte for byte but for the header fields that an MTA adds.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({ addresses: ['127.0.0.1'] })
})

afterAll(() => system.stop())

const given = ['Date: Sat, 21 Nov 2026 12:00:00 +0000', 'Message-ID: <1@x.test>']

test.each([
  ['plain text', 'Hello\r\n'],
  ['lines of dots', '.\r\n..\r\n...\r\n.x\r\n\r\n.\r\n'],
  ['nothing', ''],
  ['empty lines at the end', 'x\r\n\r\n\r\n\r\n'],
  ['8-bit text', 'na\xc3\xafve \xff\xfe\r\n'],
  ['control characters (ISO-2022-JP)', '\x1b$B%F%9%H\x1b(B\t\x07\r\n'],
  ['a line of 998', `${'x'.repeat(998)}\r\n`],
  ['300 KB that compress', `${'compressible '.repeat(6)}\r\n`.repeat(4_000)],
  ['300 KB of dots', '.\r\n'.repeat(100_000)],
])('a body of %s', async (_name, body) => {
  const { postel, mx } = system
  const data = message(body, ...given)
  const count = mx.messages.length
  const id = await postel.submit({ to: 'reader@dest.test', data })
  expect(await postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
  const [received, ...more] = mx.messages.slice(count)
  expect(more).toEqual([])
  expect(received!.content.replace(/^Received: .*\r\n\t.*\r\n/, '') === data).toBe(true)
  expect(received!.wire).not.toMatch(/\r(?!\n)|(?<!\r)\n|\0/)
})

test('one copy for each recipient domain, to the recipients as they were accepted', async () => {
  const { postel, mx } = system
  const count = mx.messages.length
  const to = ['a@a.test', 'b@a.test', 'x%y@b.test', '"a,b"@a.test', 'A.Case@B.test', 'c@c.test']
  const id = await postel.submit({ to, data: message() })
  expect(await postel.finalStates(id)).toEqual(
    ['a@a.test', 'b@a.test', 'x%y@b.test', '"a,b"@a.test', 'A.Case@b.test', 'c@c.test'].map(
      (r) => `${r} delivered`,
    ),
  )
  expect(mx.envelopes.slice(count).sort()).toEqual([
    'sender@example.test → a@a.test, b@a.test, "a,b"@a.test',
    'sender@example.test → c@c.test',
    'sender@example.test → x%y@b.test, A.Case@b.test',
  ])
})

test('the message leaves from the chosen source IP, with its name in EHLO', async () => {
  const { postel, mx } = system
  const id = await postel.submit({ to: `reader@${system.freshDomain()}`, data: message() })
  await postel.settled(id)
  expect([mx.messages.at(-1)!.source, mx.sessions.at(-1)!.ehlo]).toEqual(['127.0.0.1', 'mail.postel.test'])
  expect((await postel.attempts(id)).map(({ ip, mx: host, code }) => [ip, host, code])).toEqual([
    ['127.0.0.1', expect.stringMatching(/^mx1\.fresh-/), 250],
  ])
})

test('the null sender stays null', async () => {
  const { postel, mx } = system
  const id = await postel.submit({ from: '', to: 'reader@dest.test', data: message() })
  await postel.settled(id)
  expect(mx.messages.at(-1)!.commands[0]).toMatch(/^MAIL FROM:<> /)
})

test('a suppressed recipient gets nothing, the others do', async () => {
  const { postel, mx } = system
  const count = mx.messages.length
  await postel.sql`
    insert into postel.suppressions (organization_id, address, reason)
    select id, 'gone@dest.test', 'test' from postel.organizations`
  const id = await postel.submit({ to: ['Gone@dest.test', 'here@dest.test'], data: message() })
  expect(await postel.finalStates(id)).toEqual(['Gone@dest.test suppressed', 'here@dest.test delivered'])
  expect(mx.envelopes.slice(count)).toEqual(['sender@example.test → here@dest.test'])
})

test('a message inserted with postel.send is delivered', async () => {
  const { postel, mx } = system
  const [row] = await postel.sql`
    select postel.send('Jane <sender@example.test>', array['reader@dest.test'], 'From psql', 'Good day.') as id`
  expect(await postel.finalStates(row!.id)).toEqual(['reader@dest.test delivered'])
  expect(mx.messages.at(-1)!.content).toContain('\r\nSubject: From psql\r\n')
})

test('each recipient that ends makes one event', async () => {
  const { postel } = system
  const id = await postel.submit({ to: ['a@a.test', 'b@b.test'], data: message() })
  await postel.settled(id)
  const events = await waitFor(async () => {
    const rows = await postel.sql`
      select number, type from postel.events where message_id = ${id} order by number nulls first, id`
    return rows.length >= 3 && rows
  })
  expect(events.map(({ number, type }) => [number, type])).toEqual([
    [null, 'accepted'],
    [1, 'delivered'],
    [2, 'delivered'],
  ])
})
