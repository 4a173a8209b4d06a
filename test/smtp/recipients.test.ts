// Recipients: those beyond the limit are refused and the others kept; the same one named again is one delivery.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, message, type Postel, startPostel } from '../support/postel.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel({ inbound: { SMTP_MAX_RECIPIENTS: '3' } })
})

afterAll(() => postel.stop())

describe.each(channels)('over %s', (channel) => {
  test('the one beyond the limit gets 452 4.5.3, and the message goes to the others', async () => {
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@example.test>', 250)
    for (const name of ['a', 'b', 'c']) await client.say(`RCPT TO:<${name}@dest.test>`, 250)
    await client.say('RCPT TO:<d@dest.test>', /^452 4\.5\.3 /)
    await client.say('RCPT TO:<a@dest.test>', 250)
    await client.say('DATA', 354)
    client.write(`${message()}.\r\n`)
    await client.expect(250)
    expect((await postel.stored()).at(-1)!.recipients).toEqual(['a@dest.test', 'b@dest.test', 'c@dest.test'])
  })

  test('one recipient named three times, in two spellings, is one delivery', async () => {
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@example.test>', 250)
    for (const address of ['a@dest.test', 'a@dest.test', 'A@DEST.test'])
      await client.say(`RCPT TO:<${address}>`, 250)
    await client.say('DATA', 354)
    client.write(`${message()}.\r\n`)
    await client.expect(250)
    expect((await postel.stored()).at(-1)!.recipients).toEqual(['A@dest.test'])
  })

  test('a refused recipient does not cost the others', async () => {
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@example.test>', 250)
    await client.say('RCPT TO:<bad@localhost>', 501)
    await client.say('RCPT TO:<good@dest.test>', 250)
    await client.say('DATA', 354)
    client.write(`${message()}.\r\n`)
    await client.expect(250)
    expect((await postel.stored()).at(-1)!.recipients).toEqual(['good@dest.test'])
  })
})
