// Replies that nobody asked for never acknowledge anything, and no reply can cost memory, time, or a clean record.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { MxScript } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({ outbound: { DELIVERY_COMMAND_SECONDS: '5' } })
})

afterAll(() => system.stop())

async function send(script: MxScript) {
  const { postel, mx } = system
  mx.script = script
  const id = await postel.submit({ to: `reader@${system.freshDomain()}`, data: message() })
  const [delivery] = await postel.settled(id)
  const [attempt] = await postel.attempts(id)
  return { ...delivery!, ...attempt! }
}

describe.each([['pipelined', ['PIPELINING']] as const, ['one by one', []] as const])(
  '%s',
  (_mode, extensions) => {
    test.each<[string, MxScript]>([
      [
        'MAIL answered for all that follows, final dot included',
        { mail: '250 ok\r\n250 ok\r\n354 go\r\n250 fake' },
      ],
      ['RCPT answered for all that follows', { rcpt: '250 ok\r\n354 go\r\n250 fake' }],
      ['DATA answered for the final dot, too', { data: '354 go\r\n250 fake' }],
      [
        'EHLO answered for all that follows',
        { ehlo: '250 fake.test\r\n250 ok\r\n250 ok\r\n354 go\r\n250 fake' },
      ],
      [
        'the greeting and everything else at once',
        { greeting: '220 hi\r\n250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n250 fake' },
      ],
    ])('%s: not delivered (D-13)', async (_name, script) => {
      const result = await send({ extensions, dot: '554 5.7.1 refused', ...script })
      expect([result.state, result.inDoubt]).toEqual(['deferred', false])
    })
  },
)

test('one reply too many to MAIL, the true ones late: not delivered', async () => {
  const late = (reply: string) => ({ reply, afterMs: 100 })
  const result = await send({
    extensions: [],
    mail: '250 ok\r\n250 ok\r\n354 go',
    rcpt: late('250 ok'),
    data: late('354 go'),
    dot: late('554 5.7.1 refused'),
  })
  expect([result.state, result.inDoubt]).toEqual(['deferred', false])
})

test.each<[string, MxScript]>([
  ['an endless reply', { ehlo: `${`250-${'x'.repeat(900)}\r\n`.repeat(200)}250-more` }],
  ['an endless line', { mail: `250-${'x'.repeat(200_000)}` }],
  ['no reply', { mail: '' }],
  ['text without a code', { mail: 'hello there' }],
  ['a code that does not exist', { mail: '999 what' }],
])('%s: deferred (D-13)', async (_name, script) => {
  expect((await send(script)).state).toBe('deferred')
})

test.each([
  ['a code without text', '250', '250'],
  ['an unusual 2yz', '299 fine', '299 fine'],
  ['several lines', '250-2.0.0 one\r\n250 2.0.0 two', '250-2.0.0 one 250 2.0.0 two'],
])('%s to the dot is a delivery', async (_name, dot, reply) => {
  const result = await send({ dot })
  expect([result.state, result.reply]).toEqual(['delivered', reply])
})

test.each([
  [
    'UTF-8',
    '550 5.1.1 <b>x</b> \x1b[31mred\x07 \0 caf\xc3\xa9 \xe2\x80\xa8',
    '550 5.1.1 <b>x</b> [31mred café',
  ],
  ['no UTF-8', '550 5.1.1 <b>x</b> \x1b[31mred\x07 \0 caf\xe9 \xff', '550 5.1.1 <b>x</b> [31mred café ÿ'],
])(
  'of a reply in %s, control characters and line separators are not kept, and the text is bounded (D-14)',
  async (_name, text, kept) => {
    const { state, reply } = await send({ rcpt: `${text} ${'y'.repeat(4_000)}` })
    expect(state).toBe('bounced')
    expect(reply!.replace(/ +/g, ' ').startsWith(kept)).toBe(true)
    expect(reply).toHaveLength(1_000)
    expect(reply).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
  },
)
