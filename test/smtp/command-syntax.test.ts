// Bytes that have no place in a command line: the line is refused, the session goes on, nothing of it has an effect.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, message, type Postel, startPostel } from '../support/postel.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

describe.each(channels)('over %s', (channel) => {
  test.each([
    ['a bare CR between two commands', 'MAIL FROM:<a@example.test>\rRCPT TO:<b@dest.test>'],
    ['a bare CR at the end', 'NOOP\r'],
    ['a NUL', 'MAIL FROM:<a\0@example.test>'],
    ['a byte that is not UTF-8', 'MAIL FROM:<a\xff@example.test>'],
    ['an unfinished UTF-8 sequence', 'MAIL FROM:<a\xc3@example.test>'],
    ['a UTF-8 surrogate', 'MAIL FROM:<a\xed\xa0\x80@example.test>'],
    ['an escape sequence', 'NOOP \x1b[31m'],
    ['DEL', 'NOOP \x7f'],
  ])('%s is refused with 500 and changes nothing', async (_name, line) => {
    const client = await postel.session(channel)
    await client.say(line, /^500 5\.5\.2 /)
    await client.say('RCPT TO:<b@dest.test>', 503)
    await client.say('NOOP', 250)
    expect(client.unread).toBe('')
  })

  test('a bad line instead of a password ends the AUTH exchange', async () => {
    const client = await postel.session('STARTTLS')
    await client.say('AUTH LOGIN', 334)
    await client.say('\xff\xfe', 500)
    await client.say('NOOP', 250)
  })

  test('a command may end in a bare LF', async () => {
    const client = await postel.session(channel)
    client.write('NOOP\n')
    await client.expect(250)
  })

  test('a line of 16,384 octets is read, a longer one ends the session with 421', async () => {
    const client = await postel.session(channel)
    await client.say(`NOOP ${'x'.repeat(16_384 - 5)}`, 250)
    await client.say(`NOOP ${'x'.repeat(16_384 - 4)}`, 421)
    await client.closed()
  })

  test('a line that never ends is cut off with 421', async () => {
    const client = await postel.session(channel)
    client.write('x'.repeat(64 * 1024))
    await client.expect(421)
    await client.closed()
  })
})

test('after a refused command a valid transaction works', async () => {
  const client = await postel.session()
  await client.say('MAIL FROM:<a@example.test>\rRCPT TO:<b@dest.test>', 500)
  await client.startData()
  client.write(`${message()}.\r\n`)
  await client.expect(250)
  expect((await postel.stored()).map(({ from, recipients }) => [from, ...recipients])).toEqual([
    ['sender@example.test', 'reader@dest.test'],
  ])
})
