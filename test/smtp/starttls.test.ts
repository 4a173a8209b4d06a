// STARTTLS: nothing that was said in plain text counts, and nothing sent along with the command is read inside TLS.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Postel, startPostel } from '../support/postel.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

test.each([
  ['a command', 'MAIL FROM:<injected@example.test>\r\n'],
  ['half a command', 'MAIL FROM:<injected@exam'],
  ['two hundred commands', 'NOOP\r\n'.repeat(200)],
  [
    'a whole message',
    'EHLO x\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\nFrom: a@example.test\r\n\r\nx\r\n.\r\n',
  ],
])('%s in the segment of STARTTLS is not answered inside TLS (P-30)', async (_name, injected) => {
  const client = await postel.session()
  let failed = false
  await client.starttls(injected).catch(() => {
    failed = true
  })
  if (!failed) {
    await client.ehlo()
    expect(client.unread).toBe('')
    await client.say('RCPT TO:<b@dest.test>', 503)
  }
  expect(await postel.stored()).toEqual([])
})

test('a transaction begun in plain text is gone inside TLS', async () => {
  const client = await postel.session()
  await client.say('MAIL FROM:<sender@example.test>', 250)
  await client.say('RCPT TO:<reader@dest.test>', 250)
  await client.starttls()
  await client.say('DATA', 503)
  await client.ehlo()
  await client.say('DATA', 503)
})

test('STARTTLS inside TLS is 503, with an argument 501, and is offered only in plain text', async () => {
  const client = await postel.session()
  await client.say('STARTTLS now', /^501 5\.5\.4 /)
  expect(await client.ehlo()).toContain('STARTTLS')
  await client.starttls()
  expect(await client.ehlo()).not.toContain('STARTTLS')
  await client.say('STARTTLS', /^503 5\.5\.1 /)
})

test('garbage instead of a handshake ends that connection only', async () => {
  const client = await postel.session()
  await client.say('STARTTLS', 220)
  client.write('NOOP\r\nMAIL FROM:<a@example.test>\r\n')
  await client.closed()
  const next = await postel.session('STARTTLS')
  await next.say('NOOP', 250)
})
