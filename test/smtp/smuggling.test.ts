// Whatever looks like the end of a message but is not CRLF.CRLF never ends it: what follows is content, not commands.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { channels, message, type Postel, startPostel } from '../support/postel.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

/** Would be a message of its own, and allowed, if the end before it were taken for one. */
const smuggled =
  'MAIL FROM:<evil@example.test>\r\nRCPT TO:<victim@dest.test>\r\nDATA\r\nFrom: evil@example.test\r\n\r\nsmug\r\n.\r\n'

const falseEnds = [
  { id: 'P-01', end: '\n.\n', code: 250 },
  { id: 'P-02', end: '\n.\r\n', code: 250 },
  { id: 'P-03', end: '\r.\r\n', code: 250 },
  { id: 'P-04', end: '\r\n.\n', code: 250 },
  { id: 'P-05', end: '\r.\r', code: 250 },
  { id: 'P-06', end: '\n.\r', code: 250 },
  { id: 'P-07', end: '\r.\n', code: 250 },
  { id: 'P-08', end: '\r\n.\r', code: 250 },
  { id: 'P-09', end: '\r\n\0.\r\n', code: 554 },
  { id: 'P-10', end: '\r\n.\0\r\n', code: 554 },
  { id: 'P-11', end: '\r\n.\r\r\n', code: 250 },
  { id: 'P-12', end: '\r\r\n.\r\r\n', code: 250 },
  { id: 'P-13', end: '\n..\r\n', code: 250 },
].flatMap((row) =>
  channels.flatMap((channel) =>
    (['one write', 'one byte per write'] as const).map((mode) => ({
      ...row,
      name: JSON.stringify(row.end),
      channel,
      mode,
    })),
  ),
)

test.each(falseEnds)(
  '$id $name does not end a message ($channel, $mode)',
  async ({ end, code, channel, mode }) => {
    const before = (await postel.stored()).length
    const client = await postel.session(channel)
    await client.startData()
    const input = message(`body${end}${smuggled}`)
    if (mode === 'one write') client.write(input)
    else await client.writeBytewise(input)
    expect((await client.reply()).code).toBe(code)
    await client.say('NOOP', 250)
    expect(client.unread).toBe('')
    client.destroy()

    const stored = (await postel.stored()).slice(before)
    expect(stored.map(({ recipients }) => recipients)).toEqual(code === 250 ? [['reader@dest.test']] : [])
    for (const { raw } of stored) {
      expect(raw).not.toMatch(/\r(?!\n)|(?<!\r)\n|\0/)
      expect(raw).toMatch(/\r\nsmug\r\n$/)
    }
  },
)
