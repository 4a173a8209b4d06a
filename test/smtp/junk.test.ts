// What is not SMTP, or not for strangers, is refused without disclosing anything, and too much of it ends the session.

import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, message, type Postel, startPostel } from '../support/postel.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

describe.each(channels)('over %s', (channel) => {
  test.each([
    ['unknown commands', 'FOO bar', 500, 10],
    ['lines that are no commands', '\xff\xfe', 500, 10],
    ['commands that are not implemented', 'ETRN example.test', 502, 10],
    ['NOOP', 'NOOP', 250, 100],
    ['RSET', 'RSET', 250, 100],
  ])('a flood of %s ends with 421', async (_name, line, code, most) => {
    const client = await postel.session(channel)
    client.write(`${line}\r\n`.repeat(150))
    let answered = 0
    for (;;) {
      const reply = await client.reply()
      if (reply.code === 421) break
      expect(reply.code).toBe(code)
      answered++
    }
    expect(answered).toBeGreaterThan(most - 5)
    expect(answered).toBeLessThanOrEqual(most)
    await client.closed()
  })

  test.each(['GET / HTTP/1.1', 'POST /mail HTTP/1.1', 'CONNECT /x HTTP/1.0'])(
    '%s ends the session',
    async (line) => {
      const client = await postel.session(channel)
      client.write(`${line}\r\nHost: mail.postel.test\r\n\r\nMAIL FROM:<sender@example.test>\r\n`)
      await client.expect(421)
      await client.closed()
      expect(client.unread).toBe('')
    },
  )

  test.each([
    ['VRFY root', /^252 2\.5\.2 Cannot verify/],
    ['VRFY sender@example.test', /^252 2\.5\.2 Cannot verify/],
    ['EXPN staff', /^502 5\.5\.1 /],
    ["ETRN x'; drop table messages; --", /^502 5\.5\.1 /],
    ['TURN', /^502 5\.5\.1 /],
    ['HELP', /^502 5\.5\.1 /],
    ['XCLIENT ADDR=10.0.0.1 LOGIN=admin', /^502 5\.5\.1 /],
    ['XFORWARD ADDR=10.0.0.1', /^502 5\.5\.1 /],
    ['SSH-2.0-OpenSSH_9.2', /^500 5\.5\.\d /],
    ['MAIL_FROM_OK', /^500 5\.5\.2 /],
  ])('%s', async (line, pattern) => {
    const client = await postel.session(channel)
    await client.say(line, pattern)
    await client.say('NOOP', 250)
  })

  test('BDAT is refused, and its chunk is not read as commands (P-53)', async () => {
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@example.test>', 250)
    await client.say('RCPT TO:<reader@dest.test>', 250)
    client.write(
      `BDAT 90 LAST\r\nRSET\r\nMAIL FROM:<evil@example.test>\r\nRCPT TO:<v@dest.test>\r\nDATA\r\n${message()}.\r\n`,
    )
    await client.expect(/^502 5\.5\.1 /)
    await client.closed()
    expect(client.unread).toBe('')
    expect(await postel.stored()).toEqual([])
  })

  test('BODY=BINARYMIME is refused', async () => {
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@example.test> BODY=BINARYMIME', 501)
  })
})

test('a TLS handshake on the plain port disturbs nobody', async () => {
  const socket = connectTls({ port: postel.ports.submission, host: '127.0.0.1', rejectUnauthorized: false })
  await new Promise((resolve) => socket.once('error', resolve))
  socket.destroy()
  const client = await postel.session()
  await client.say('NOOP', 250)
})
