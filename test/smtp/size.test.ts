// The size limit holds whatever the client declares, and to the byte.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, message, type Postel, startPostel } from '../support/postel.ts'

const max = 5000
let postel: Postel

beforeAll(async () => {
  postel = await startPostel({ inbound: { MAX_MESSAGE_BYTES: String(max) } })
})

afterAll(() => postel.stop())

function messageOf(bytes: number): string {
  const text = message()
  const line = `${'x'.repeat(70)}\r\n`
  const room = bytes - text.length
  return `${text}${line.repeat(Math.floor(room / 72) - 1)}${'y'.repeat((room % 72) + 70)}\r\n`
}

describe.each(channels)('over %s', (channel) => {
  test.each([
    ['at the limit', String(max), 250],
    ['over it', String(max + 1), 552],
    ['2^63', '9223372036854775808', 552],
    ['negative', '-1', 501],
    ['no number', 'abc', 501],
    ['a float', '1e9', 501],
    ['empty', '', 501],
  ])('SIZE= %s', async (_name, size, code) => {
    const client = await postel.session(channel)
    expect(await client.code(`MAIL FROM:<sender@example.test> SIZE=${size}`)).toBe(code)
  })

  test.each([
    [max, 250, 1],
    [max + 1, 552, 0],
    [20 * max, 552, 0],
  ])('a message of %i bytes, declared as 100, gets %i', async (bytes, code, stored) => {
    const before = (await postel.stored()).length
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@example.test> SIZE=100', 250)
    await client.say('RCPT TO:<reader@dest.test>', 250)
    await client.say('DATA', 354)
    const text = messageOf(bytes)
    expect(text).toHaveLength(bytes)
    client.write(`${text}.\r\n`)
    await client.expect(code === 552 ? /^552 5\.3\.4 / : 250)
    expect((await postel.stored()).length - before).toBe(stored)
    await client.startData()
    client.write(`${message()}.\r\n`)
    await client.expect(250)
  })

  test('stuffed dots do not count', async () => {
    const client = await postel.session(channel)
    await client.startData()
    const text = messageOf(max - 40 * 3)
    client.write(`${text}${'..\r\n'.repeat(40)}.\r\n`)
    await client.expect(250)
  })
})
