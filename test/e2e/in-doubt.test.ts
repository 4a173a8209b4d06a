// After the final dot: no reply means "in doubt", which is never answered by trying elsewhere; a 250 is a 250 whatever follows.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Step } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({
    mx: [{ starttls: 'works' }, {}],
    outbound: { DELIVERY_FINAL_DOT_SECONDS: '5' },
  })
})

afterAll(() => system.stop())

async function send(dot: Step, extensions = ['PIPELINING']): Promise<string> {
  system.mx.script = { dot, extensions, starttls: 'works' }
  return system.postel.submit({ to: `reader@${system.freshDomain()}`, data: message() })
}

test.each<[string, Step, string[]]>([
  ['closes', { reply: '', then: 'close' }, ['PIPELINING']],
  ['closes, without PIPELINING', { reply: '', then: 'close' }, []],
  ['resets', { reply: '', then: 'reset' }, ['PIPELINING']],
  ['says nothing for longer than we wait', '', ['PIPELINING']],
  ['says something that is no reply', 'thanks', ['PIPELINING']],
  ['says half a code', '25', ['PIPELINING']],
  ['closes in the middle of its reply', { reply: '25', unfinished: true, then: 'close' }, ['PIPELINING']],
])(
  'the remote %s: deferred in doubt, no other MX, no weaker TLS, no retry at once (D-01, D-02)',
  async (_name, dot, extensions) => {
    const { postel, mxs } = system
    const [first, second] = [mxs[0]!.messages.length, mxs[1]!.sessions.length]
    const id = await send(dot, extensions)
    expect((await postel.settled(id)).map(({ state, attempts }) => [state, attempts])).toEqual([
      ['deferred', 1],
    ])
    expect(
      (await postel.attempts(id)).map(({ outcome, inDoubt, category }) => [outcome, inDoubt, category]),
    ).toEqual([['deferred', true, 'in_doubt']])
    expect((await postel.waits(id)).every((seconds) => seconds > 500)).toBe(true)
    expect([mxs[0]!.messages.length - first, mxs[1]!.sessions.length - second]).toEqual([1, 0])
    expect(mxs[0]!.messages.at(-1)!.tls).toBe(true)
  },
)

test.each<[string, Step]>([
  ['resets', { reply: '250 2.0.0 ok', then: 'reset' }],
  ['closes', { reply: '250 2.0.0 ok', then: 'close' }],
  ['says 421', '250 2.0.0 ok\r\n421 4.3.2 bye'],
  ['says more than was asked', '250 2.0.0 ok\r\n250 2.0.0 again\r\n554 5.0.0 or not'],
])('250, and then the remote %s: delivered once (D-03)', async (_name, dot) => {
  const { postel, mx } = system
  const count = mx.messages.length
  const id = await send(dot)
  expect((await postel.settled(id)).map(({ state, attempts, reply }) => [state, attempts, reply])).toEqual([
    ['delivered', 1, '250 2.0.0 ok'],
  ])
  expect(mx.messages.length - count).toBe(1)
  expect(await postel.waits(id)).toEqual([])
})

test('a remote that does not answer QUIT does not hold anything up', async () => {
  const { postel, mx } = system
  mx.script = { quit: '' }
  const id = await postel.submit({ to: `reader@${system.freshDomain()}`, data: message() })
  expect((await postel.settled(id)).map(({ state }) => state)).toEqual(['delivered'])
})
