// Messages of one session share nothing: not recipients, not parameters, not what a refused command said.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, message, type Postel, startPostel } from '../support/postel.ts'
import type { RawSmtp } from '../support/raw-smtp.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel({ domains: ['example.test', 'other.test'] })
})

afterAll(() => postel.stop())

async function finish(client: RawSmtp): Promise<void> {
  await client.say('DATA', 354)
  client.write(`${message()}.\r\n`)
  await client.expect(250)
}

async function detailsOfLast(): Promise<unknown> {
  const [row] = await postel.sql`select details from postel.messages order by id desc limit 1`
  return row!.details
}

describe.each(channels)('over %s', (channel) => {
  test('each message goes to its own recipients only', async () => {
    const before = (await postel.stored()).length
    const client = await postel.session(channel)
    for (const to of ['a@dest.test', 'b@dest.test']) {
      await client.startData(to)
      client.write(`${message(`for ${to}\r\n`)}.\r\n`)
      await client.expect(250)
    }
    const stored = (await postel.stored()).slice(before)
    expect(stored.map(({ recipients, raw }) => [...recipients, raw.split('\r\n\r\n')[1]])).toEqual([
      ['a@dest.test', 'for a@dest.test\r\n'],
      ['b@dest.test', 'for b@dest.test\r\n'],
    ])
  })

  test('recipients of a message that was refused do not get the next one', async () => {
    const before = (await postel.stored()).length
    const client = await postel.session(channel)
    await client.startData('a@dest.test')
    client.write('No-From: here\r\n\r\nx\r\n.\r\n')
    await client.expect(550)
    await client.startData('b@dest.test')
    client.write(`${message()}.\r\n`)
    await client.expect(250)
    expect((await postel.stored()).slice(before).map(({ recipients }) => recipients)).toEqual([
      ['b@dest.test'],
    ])
  })

  test('DSN and SMTPUTF8 of one message do not stick to the next', async () => {
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@example.test> SMTPUTF8 RET=HDRS ENVID=one', 250)
    await client.say('RCPT TO:<a@dest.test> NOTIFY=NEVER', 250)
    await finish(client)
    expect(await detailsOfLast()).toEqual({
      smtp_utf8: true,
      dsn: { ret: 'HDRS', envid: 'one', recipients: { 'a@dest.test': { notify: 'NEVER' } } },
    })
    await client.say('MAIL FROM:<sender@example.test>', 250)
    await client.say('RCPT TO:<a@dest.test>', 250)
    await finish(client)
    expect(await detailsOfLast()).toBeNull()
  })

  test('parameters of a refused MAIL do not stick to the next', async () => {
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@not-ours.test> SMTPUTF8 RET=FULL ENVID=two', 550)
    await client.say('MAIL FROM:<sender@example.test>', 250)
    await client.say('RCPT TO:<a@dest.test>', 250)
    await finish(client)
    expect(await detailsOfLast()).toBeNull()
  })
})

test('the sender of one message is not that of the next', async () => {
  const before = (await postel.stored()).length
  const client = await postel.session()
  for (const from of ['sender@example.test', '', 'sender@other.test']) {
    await client.startData('a@dest.test', from)
    client.write(`${message()}.\r\n`)
    await client.expect(250)
  }
  expect((await postel.stored()).slice(before).map(({ from }) => from)).toEqual([
    'sender@example.test',
    '',
    'sender@other.test',
  ])
})
