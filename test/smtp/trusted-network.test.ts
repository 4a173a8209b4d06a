// Clients of a trusted network submit without AUTH, as that network's project; others must authenticate.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { channels, message, type Postel, startPostel } from '../support/postel.ts'

let trusting: Postel
let strict: Postel

beforeAll(async () => {
  ;[trusting, strict] = await Promise.all([
    startPostel({ relayCidrs: ['127.0.0.0/8', '2001:db8::/32'] }),
    startPostel({ relayCidrs: ['10.0.0.0/8'] }),
  ])
})

afterAll(() => Promise.all([trusting.stop(), strict.stop()]))

test.each(channels)('from inside, over %s', async (channel) => {
  const client = await trusting.session(channel)
  await client.startData()
  client.write(`${message()}.\r\n`)
  await client.expect(250)
})

test.each(channels)('from outside, over %s', async (channel) => {
  const client = await strict.session(channel)
  await client.say('MAIL FROM:<sender@example.test>', /^530 5\.7\.0 /)
})

test("from inside, a key's own project still counts", async () => {
  const key = await trusting.addOrganization('other.test')
  const client = await trusting.session('STARTTLS')
  await client.say('MAIL FROM:<a@other.test>', 550)
  expect(await client.authPlain(key)).toBe(235)
  await client.say('MAIL FROM:<a@other.test>', 250)
})
