// Commands that arrive together are answered in order, and content never becomes commands.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, message, type Postel, startPostel } from '../support/postel.ts'
import type { RawSmtp } from '../support/raw-smtp.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

async function codes(client: RawSmtp, count: number): Promise<number[]> {
  const seen: number[] = []
  for (let index = 0; index < count; index++) seen.push((await client.reply()).code)
  return seen
}

const envelope = (to: string) => `MAIL FROM:<sender@example.test>\r\nRCPT TO:<${to}>\r\nDATA\r\n`
const evil =
  'MAIL FROM:<evil@example.test>\r\nRCPT TO:<victim@dest.test>\r\nDATA\r\nFrom: evil@example.test\r\n\r\n'

describe.each(channels)('over %s', (channel) => {
  test('two messages and QUIT in one segment are two messages (P-23)', async () => {
    const before = (await postel.stored()).length
    const client = await postel.session(channel)
    client.write(
      `${envelope('one@dest.test')}${message('one\r\n')}.\r\n${envelope('two@dest.test')}${message('two\r\n')}.\r\nQUIT\r\n`,
    )
    expect(await codes(client, 9)).toEqual([250, 250, 354, 250, 250, 250, 354, 250, 221])
    await client.closed()
    const stored = (await postel.stored()).slice(before)
    expect(stored.map(({ recipients, raw }) => [...recipients, raw.split('\r\n\r\n')[1]])).toEqual([
      ['one@dest.test', 'one\r\n'],
      ['two@dest.test', 'two\r\n'],
    ])
  })

  test('content that does not wait for 354 is content (P-24)', async () => {
    const before = (await postel.stored()).length
    const client = await postel.session(channel)
    client.write(`${envelope('reader@dest.test')}${message(evil)}.\r\n`)
    expect(await codes(client, 4)).toEqual([250, 250, 354, 250])
    await client.say('NOOP', 250)
    expect((await postel.stored()).slice(before).map(({ recipients }) => recipients)).toEqual([
      ['reader@dest.test'],
    ])
  })

  test('content behind a refused DATA is not executed (P-25)', async () => {
    const before = (await postel.stored()).length
    const client = await postel.session(channel)
    client.write(`${envelope('nobody@localhost')}${message(evil)}.\r\nQUIT\r\n`)
    expect(await codes(client, 4)).toEqual([250, 501, 503, 421])
    await client.closed()
    expect((await postel.stored()).slice(before)).toEqual([])
  })

  test('a client that pipelined DATA behind refused recipients may go on', async () => {
    const client = await postel.session(channel)
    client.write(envelope('nobody@localhost'))
    expect(await codes(client, 3)).toEqual([250, 501, 503])
    await client.say('RSET', 250)
    client.write(`${envelope('reader@dest.test')}${message()}.\r\n`)
    expect(await codes(client, 4)).toEqual([250, 250, 354, 250])
  })
})
