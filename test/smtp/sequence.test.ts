// Commands out of order are refused with 503, and a transaction that was given up leaves nothing behind.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, message, type Postel, startPostel } from '../support/postel.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

const mail = 'MAIL FROM:<sender@example.test>'
const rcpt = 'RCPT TO:<reader@dest.test>'

describe.each(channels)('over %s', (channel) => {
  test.each([
    ['DATA before MAIL', ['DATA'], [503]],
    ['RCPT before MAIL', [rcpt], [503]],
    ['MAIL twice', [mail, mail], [250, 503]],
    ['DATA without RCPT', [mail, 'DATA'], [250, 503]],
    ['DATA after RSET', [mail, rcpt, 'RSET', 'DATA'], [250, 250, 250, 503]],
    ['RCPT after RSET', [mail, rcpt, 'RSET', rcpt], [250, 250, 250, 503]],
    ['DATA after EHLO in mid-transaction', [mail, rcpt, 'EHLO client.test', 'DATA'], [250, 250, 250, 503]],
  ])('%s', async (_name, lines, codes) => {
    const client = await postel.session(channel)
    const seen: number[] = []
    for (const line of lines) seen.push(await client.code(line))
    expect(seen).toEqual(codes)
    await client.say('RSET', 250)
    await client.startData()
    client.write(`${message()}.\r\n`)
    await client.expect(250)
  })

  test('recipients from before RSET do not get the next message', async () => {
    const before = (await postel.stored()).length
    const client = await postel.session(channel)
    await client.say(mail, 250)
    await client.say('RCPT TO:<old@dest.test>', 250)
    await client.say('RSET', 250)
    await client.startData('new@dest.test')
    client.write(`${message()}.\r\n`)
    await client.expect(250)
    expect((await postel.stored()).slice(before).map(({ recipients }) => recipients)).toEqual([
      ['new@dest.test'],
    ])
  })
})

test.each(['MAIL FROM:<sender@example.test>', 'DATA'])('%s before EHLO', async (line) => {
  const client = await postel.connect()
  await client.expect(220)
  await client.say(line, 503)
  await client.ehlo()
})
