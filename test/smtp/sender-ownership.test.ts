// Nobody sends as a domain that is not verified for his organization: not in MAIL FROM, not in From, not in Sender.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, type Postel, startPostel } from '../support/postel.ts'

let postel: Postel
let otherKey: string

beforeAll(async () => {
  postel = await startPostel({ domains: ['example.test'] })
  otherKey = await postel.addOrganization('other.test')
  await postel.sql`
    insert into postel.domains (organization_id, name, status)
    select id, 'pending.test', 'pending' from postel.organizations where name = 'default'`
})

afterAll(() => postel.stop())

describe.each(channels)('over %s', (channel) => {
  test.each([
    ['the domain', 'a@example.test', 250],
    ['in capitals', 'a@EXAMPLE.test', 250],
    ['a subdomain', 'a@news.example.test', 250],
    ['a name that only ends like it', 'a@evilexample.test', 550],
    ['a name that only begins like it', 'a@example.test.evil.test', 550],
    ['the parent', 'a@test.test', 550],
    ["another organization's domain", 'a@other.test', 550],
    ['a domain that is not verified yet', 'a@pending.test', 550],
    ['the null sender', '', 250],
  ])('MAIL FROM with %s', async (_name, from, code) => {
    const client = await postel.session(channel)
    expect(await client.code(`MAIL FROM:<${from}>`)).toBe(code)
  })

  test.each([
    ['one mailbox', 'From: a@example.test', 250],
    ['a name and a mailbox', 'From: "Doe, Jane" <a@example.test>', 250],
    ['a subdomain', 'From: a@news.example.test', 250],
    ['a name that only ends like the domain', 'From: a@evilexample.test', 550],
    ["another organization's domain", 'From: a@other.test', 550],
    ['a second mailbox', 'From: a@example.test, b@other.test', 550],
    ['a second mailbox of ours', 'From: a@example.test, b@example.test', 550],
    ['a second From', 'From: a@example.test\r\nFrom: b@other.test', 550],
    ['a second From, spelled otherwise', 'From: a@example.test\r\nfROM: b@other.test', 550],
    ['a second From with a space before the colon', 'From: a@example.test\r\nFrom : b@other.test', 554],
    ['a folded second mailbox', 'From: a@example.test,\r\n b@other.test', 550],
    ['a group', 'From: us: a@example.test;', 550],
    ['an address for a name', 'From: a@example.test <b@other.test>', 550],
    ['a quoted address for a name, the mailbox not ours', 'From: "a@example.test" <b@other.test>', 550],
    ['a comment that hides the end', 'From: a@example.test(x)evil.test', 550],
    ['nothing', 'X-None: 1', 550],
    ['an empty From', 'From:', 550],
    ['a Sender of another organization', 'From: a@example.test\r\nSender: b@other.test', 550],
    ['a Sender of ours', 'From: a@example.test\r\nSender: b@example.test', 250],
  ])('a message with %s', async (_name, header, code) => {
    const before = (await postel.stored()).length
    const client = await postel.session(channel)
    await client.startData()
    client.write(`${header}\r\nSubject: x\r\n\r\nx\r\n.\r\n`)
    expect((await client.reply()).code).toBe(code)
    await client.say('NOOP', 250)
    expect((await postel.stored()).length - before).toBe(code === 250 ? 1 : 0)
  })
})

test('with the null sender the From still has to be ours', async () => {
  const client = await postel.session()
  await client.startData('reader@dest.test', '')
  client.write('From: a@other.test\r\n\r\nx\r\n.\r\n')
  await client.expect(/^550 5\.7\.1 /)
  await client.startData('reader@dest.test', '')
  client.write('From: a@example.test\r\n\r\nx\r\n.\r\n')
  await client.expect(250)
})

test("another organization's key may use its domain and no other", async () => {
  const client = await postel.session('STARTTLS')
  expect(await client.authPlain(otherKey)).toBe(235)
  await client.say('MAIL FROM:<a@example.test>', /^550 5\.7\.1 /)
  await client.startData('reader@dest.test', 'a@other.test')
  client.write('From: a@example.test\r\n\r\nx\r\n.\r\n')
  await client.expect(/^550 5\.7\.1 /)
  await client.startData('reader@dest.test', 'a@other.test')
  client.write('From: a@other.test\r\n\r\nx\r\n.\r\n')
  await client.expect(250)
})
