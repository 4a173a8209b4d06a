// Stuffed dots are un-stuffed, and nothing else changes, however the bytes are cut into segments.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, type Postel, startPostel } from '../support/postel.ts'
import type { RawSmtp } from '../support/raw-smtp.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

const head =
  'From: sender@example.test\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@x.test>\r\n\r\n'

async function bodyAfter(client: RawSmtp, send: () => Promise<void> | void): Promise<string> {
  await client.startData()
  await send()
  await client.expect(250)
  const { raw } = (await postel.stored()).at(-1)!
  return raw.slice(raw.indexOf('\r\n\r\n') + 4)
}

describe.each(channels)('over %s', (channel) => {
  test.each([
    ['a line of one dot', '..\r\n', '.\r\n'],
    ['two dots', '...\r\n', '..\r\n'],
    ['a dot before text', '..x\r\n', '.x\r\n'],
    ['a dot that was not stuffed', '.x\r\n', '.x\r\n'],
    ['dots inside a line', 'a..b.\r\n', 'a..b.\r\n'],
    ['dots line after line', '..\r\n..\r\n..\r\n', '.\r\n.\r\n.\r\n'],
    ['a dot at the very end', 'x\r\n..\r\n', 'x\r\n.\r\n'],
    ['an empty body', '', ''],
    ['empty lines', '\r\n\r\n', '\r\n\r\n'],
  ])('%s is stored as it was meant', async (_name, sent, stored) => {
    const client = await postel.session(channel)
    expect(await bodyAfter(client, () => client.write(`${head}${sent}.\r\n`))).toBe(stored)
    expect(await bodyAfter(client, () => client.writeBytewise(`${head}${sent}.\r\n`))).toBe(stored)
  })

  test.each([1, 2, 3, 4])('an end cut after %i of its bytes is one end', async (cut) => {
    const client = await postel.session(channel)
    const text = `${head}one\r\n..two\r\n.\r\n`
    const at = text.length - 5 + cut
    const body = await bodyAfter(client, async () => {
      client.write(text.slice(0, at))
      await client.drained()
      client.write(text.slice(at))
    })
    expect(body).toBe('one\r\n.two\r\n')
  })

  test('a first line `..` in a segment of its own does not end the message (P-21)', async () => {
    const before = (await postel.stored()).length
    const client = await postel.session(channel)
    await client.startData()
    client.write('..')
    await client.drained()
    client.write('\r\nMAIL FROM:<evil@example.test>\r\nRCPT TO:<victim@dest.test>\r\nDATA\r\n')
    client.write(`${head}smug\r\n.\r\n`)
    await client.expect(/^5/)
    await client.say('NOOP', 250)
    expect(client.unread).toBe('')
    expect((await postel.stored()).slice(before)).toEqual([])
  })

  test('a message that is nothing but the end is refused, and the session goes on', async () => {
    const client = await postel.session(channel)
    await client.startData()
    client.write('.\r\n')
    await client.expect(/^550 5\.6\.0 /)
    await client.say('NOOP', 250)
  })
})
