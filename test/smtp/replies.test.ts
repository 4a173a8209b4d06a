// Every reply is well-formed, short, carries an enhanced status code of its own class, and echoes nothing dangerous.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Channel, channels, message, type Postel, startPostel } from '../support/postel.ts'
import type { Reply } from '../support/raw-smtp.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

const long = 'x'.repeat(9_000)
const lines = [
  'NOOP',
  'NOOP with words',
  'FOO',
  `FOO ${long}`,
  'RSET',
  'VRFY x',
  'HELP',
  'AUTH PLAIN AA==',
  'MAIL FROM:<sender@example.test> SIZE=99999999999',
  `MAIL FROM:<${long}@example.test>`,
  `MAIL FROM:<a@${long}>`,
  'MAIL FROM:<a@not-ours-<script>.test>',
  'MAIL FROM:<a@not-ours.test>',
  'RCPT TO:<a@dest.test>',
  'DATA',
  'RSET',
  'MAIL FROM:<sender@example.test>',
  `RCPT TO:<${long}@dest.test>`,
  'RCPT TO:<a@dest.test> FOO=bar',
  'RCPT TO:<a@dest.test>',
]

async function repliesOf(channel: Channel): Promise<Reply[]> {
  const client = await postel.session(channel)
  const replies: Reply[] = []
  const add = async () => replies.push(await client.reply())
  for (const line of lines) {
    client.write(`${line}\r\n`)
    await add()
  }
  client.write('DATA\r\n')
  await client.expect(354)
  client.write('From: "<b>x</b>" <a@not-ours.test>\r\n\r\nx\r\n.\r\n')
  await add()
  await client.startData()
  client.write(`${message()}.\r\n`)
  await add()
  client.write('QUIT\r\n')
  await add()
  return replies
}

test.each(channels)('over %s', async (channel) => {
  for (const { code, lines: text } of await repliesOf(channel)) {
    for (const line of text) {
      expect(line.length).toBeLessThanOrEqual(510)
      expect(line).toMatch(new RegExp(`^${code}[ -]${String(code)[0]}\\.\\d{1,3}\\.\\d{1,3} [\\x20-\\x7e]+$`))
      expect(line).not.toMatch(/<script>|<b>|xxxxx/)
    }
  }
})

test('the greeting and EHLO carry no enhanced code, and EHLO does not echo the name', async () => {
  const client = await postel.connect()
  expect((await client.reply()).lines).toEqual(['220 mail.postel.test ESMTP Postel'])
  client.write("EHLO <script>'; drop table x; --\r\n")
  expect((await client.reply()).lines).toEqual(['501 Error: syntax: EHLO hostname'])
  client.write(`EHLO ${'x'.repeat(1_000)}\r\n`)
  expect((await client.reply()).code).toBe(501)
  client.write("EHLO <script>'drop\r\n")
  expect((await client.reply()).lines[0]).toBe('250-mail.postel.test at your service')
})
