// A message that was answered with 250 is stored once, as it was sent, on every channel.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Channel, message, type Postel, startPostel } from '../support/postel.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

test.each<Channel>(['plain', 'STARTTLS', 'implicit TLS'])(
  'a message over %s is stored once',
  async (channel) => {
    const before = (await postel.stored()).length
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@example.test>', /^250 2\.1\.0 /)
    await client.say('RCPT TO:<Reader@dest.test>', /^250 2\.1\.5 /)
    await client.say('DATA', 354)
    client.write(`${message('Body.\r\n')}.\r\n`)
    await client.expect(/^250 2\.6\.0 queued as [0-9a-f-]{36}$/)
    await client.say('QUIT', /^221 /)
    await client.closed()
    const [stored, ...more] = (await postel.stored()).slice(before)
    expect(more).toEqual([])
    expect({ ...stored, raw: stored!.raw.slice(stored!.raw.indexOf('From:')) }).toEqual({
      from: 'sender@example.test',
      recipients: ['Reader@dest.test'],
      raw: message('Body.\r\n'),
    })
  },
)
