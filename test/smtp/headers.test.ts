// The header section: what must not leave is removed, what is missing is added, what readers could take in two ways is refused.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, type Postel, startPostel } from '../support/postel.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

const from = 'From: sender@example.test\r\n'

async function send(
  channel: (typeof channels)[number],
  data: string,
): Promise<{ reply: string; headers: string }> {
  const before = (await postel.stored()).length
  const client = await postel.session(channel)
  await client.startData()
  client.write(`${data}.\r\n`)
  const reply = (await client.reply()).lines.join('\n')
  await client.say('NOOP', 250)
  const stored = (await postel.stored()).slice(before)
  expect(stored).toHaveLength(reply.startsWith('250') ? 1 : 0)
  return { reply, headers: stored[0]?.raw.split('\r\n\r\n')[0] ?? '' }
}

describe.each(channels)('over %s', (channel) => {
  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'a header named %s is passed on',
    async (name) => {
      const { reply, headers } = await send(channel, `${from}${name}: x\r\n\r\nbody\r\n`)
      expect(reply).toMatch(/^250 /)
      expect(headers).toContain(`\r\n${name}: x`)
    },
  )

  test.each([
    ['a line without a colon', `${from}no colon here\r\n\r\nbody\r\n`],
    ['no header at all', '\r\nbody\r\n'],
    ['a body only', 'body\r\n'],
    ['a name with spaces inside', `${from}X Y: z\r\n\r\nbody\r\n`],
    ['an empty name', `${from}: z\r\n\r\nbody\r\n`],
    ['a control character', `${from}X-Y: a\x07b\r\n\r\nbody\r\n`],
    ['100,000 fields', `${from}${'X-A: b\r\n'.repeat(100_000)}\r\nbody\r\n`],
    ['a field of 1 MB', `${from}X-A: b\r\n${` ${'x'.repeat(900)}\r\n`.repeat(1_200)}\r\nbody\r\n`],
    ['a line of 999 octets', `${from}\r\n${'x'.repeat(999)}\r\n`],
  ])('%s is refused with 5.6.0 or 5.3.4', async (_name, data) => {
    expect((await send(channel, data)).reply).toMatch(/^55[024] 5\.(6\.0|3\.4) /)
  })

  test('a line of 998 octets is accepted', async () => {
    expect((await send(channel, `${from}\r\n${'x'.repeat(998)}\r\n`)).reply).toMatch(/^250 /)
  })

  test('51 Received fields are a loop', async () => {
    const received = 'Received: by x.test; Sat, 21 Nov 2026 12:00:00 +0000\r\n'
    expect((await send(channel, `${received.repeat(50)}${from}\r\nbody\r\n`)).reply).toMatch(/^250 /)
    expect((await send(channel, `${received.repeat(51)}${from}\r\nbody\r\n`)).reply).toMatch(/^554 5\.4\.6 /)
  })

  test.each(['From', 'Sender', 'To', 'Cc', 'Reply-To', 'Subject', 'Date', 'Message-ID'])(
    'a second %s is refused',
    async (name) => {
      const value = name === 'Date' ? 'Sat, 21 Nov 2026 12:00:00 +0000' : '<sender@example.test>'
      const twice = `${name}: ${value}\r\n${name.toUpperCase()}: ${value}\r\n`
      const { reply } = await send(channel, `${name === 'From' ? '' : from}${twice}\r\nbody\r\n`)
      expect(reply).toMatch(/^550 5\.6\.0 /)
    },
  )

  test('a missing Date and Message-ID are added, given ones stay', async () => {
    const bare = await send(channel, `${from}\r\nbody\r\n`)
    expect(bare.headers).toMatch(/\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r\n/)
    expect(bare.headers).toMatch(/\r\nMessage-ID: <[0-9a-f]{32}@example\.test>\r\n/)
    const given = 'Date: Sat, 21 Nov 2026 12:00:00 +0100\r\nMessage-ID: <mine@x.test>'
    const full = await send(channel, `${from}${given}\r\n\r\nbody\r\n`)
    expect(full.headers.match(/^(Date|Message-ID):.*$/gm)).toEqual(
      given.split('\r\n').map((line) => `${line}`),
    )
  })

  test('Bcc, forged trust headers and our control headers are removed; Received names no client', async () => {
    const dropped = [
      'Bcc: secret@dest.test',
      'bCC: secret2@dest.test,\r\n secret3@dest.test',
      'Resent-Bcc: secret4@dest.test',
      'Return-Path: <forged@x.test>',
      'Authentication-Results: mail.postel.test; dkim=pass',
      'X-Postel-Tag: campaign',
      'X-Postel-Metadata-user: 7',
    ]
    const { headers } = await send(channel, `${dropped.join('\r\n')}\r\n${from}X-Kept: 1\r\n\r\nbody\r\n`)
    expect(headers).not.toMatch(/secret|forged|Authentication-Results|X-Postel|127\.0\.0\.1|client\.test/i)
    expect(headers.split('\r\n').map((line) => line.split(/[:;]/)[0])).toEqual([
      expect.stringMatching(/^Received$/),
      expect.stringMatching(/^\t/),
      'Date',
      'Message-ID',
      'From',
      'X-Kept',
    ])
  })

  test('8-bit headers and bodies are kept and remembered', async () => {
    const { headers } = await send(channel, `${from}Subject: caf\xc3\xa9\r\n\r\nna\xc3\xafve\r\n`)
    expect(headers).toContain('Subject: caf\xc3\xa9')
    const [row] = await postel.sql`select subject, details from postel.messages order by id desc limit 1`
    expect(row).toEqual({ subject: 'café', details: { eight_bit: true, smtp_utf8: true } })
  })
})
