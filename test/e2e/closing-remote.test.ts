// 421 or an end before the final dot defers the message, and the session is not used again; another MX is asked where none has spoken.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { MxScript, Step } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let single: System
let double: System

beforeAll(async () => {
  ;[single, double] = await Promise.all([startSystem(), startSystem({ mx: [{}, {}] })])
})

afterAll(() => Promise.all([single.stop(), double.stop()]))

const steps = ['greeting', 'ehlo', 'mail', 'rcpt', 'data', 'dot'] as const
const ends: [string, Step][] = [
  ['421', { reply: '421 4.3.2 closing', then: 'close' }],
  ['421 without closing', '421 4.3.2 closing'],
]
const breaks: [string, Step][] = [
  ['close', { reply: '', then: 'close' }],
  ['reset', { reply: '', then: 'reset' }],
]

describe.each([['pipelined', ['PIPELINING']] as const, ['one by one', []] as const])(
  '%s',
  (_mode, extensions) => {
    test.each(
      steps.flatMap((step) =>
        [...ends, ...(step === 'dot' ? [] : breaks)].map(([name, end]) => ({ step, name, end })),
      ),
    )(
      '$name at $step: deferred, not in doubt, and the next message gets through (D-04)',
      async ({ step, end }) => {
        const { postel, mx } = single
        const domain = single.freshDomain()
        mx.script = { extensions, [step]: [end, ...usual(step)] } as MxScript
        const id = await postel.submit({ to: `reader@${domain}`, data: message() })
        expect((await postel.settled(id)).map(({ state, attempts }) => [state, attempts])).toEqual([
          ['deferred', 1],
        ])
        expect((await postel.attempts(id)).map(({ inDoubt }) => inDoubt)).toEqual([false])
        const next = await postel.submit({ to: `reader@${domain}`, data: message() })
        expect((await postel.settled(next)).map(({ state }) => state)).toEqual(['delivered'])
      },
    )
  },
)

function usual(step: (typeof steps)[number]): Step[] {
  const replies = {
    greeting: '220 ok',
    ehlo: '250-fake.test\r\n250 8BITMIME',
    mail: '250 ok',
    rcpt: '250 ok',
    data: '354 go on',
    dot: '250 ok',
  }
  return [replies[step]]
}

test.each<[string, Step]>([
  ['421', '421 4.3.2 busy'],
  ['554', '554 5.3.2 no mail here'],
  ['a close', { reply: '', then: 'close' }],
])('%s for a greeting: the next MX gets it (D-15)', async (_name, greeting) => {
  const { postel, mxs } = double
  const count = mxs[1]!.messages.length
  mxs[0]!.script = { greeting }
  const id = await postel.submit({ to: `reader@${double.freshDomain()}`, data: message() })
  expect((await postel.settled(id)).map(({ state, attempts }) => [state, attempts])).toEqual([
    ['delivered', 1],
  ])
  expect(mxs[1]!.messages.length - count).toBe(1)
})

test.each([
  ['554 5.3.2 no', '554 5.3.2 neither', 'bounced'],
  ['554 5.3.2 no', '421 4.3.2 busy', 'deferred'],
  ['421 4.3.2 busy', '554 5.3.2 no', 'deferred'],
])('greetings %s and %s: %s', async (first, second, state) => {
  const { postel, mxs } = double
  mxs[0]!.script = { greeting: first }
  mxs[1]!.script = { greeting: second }
  const id = await postel.submit({ to: `reader@${double.freshDomain()}`, data: message() })
  expect((await postel.settled(id)).map((delivery) => delivery.state)).toEqual([state])
  mxs[1]!.script = {}
})

test('a 5yz to MAIL on the first MX is final: the second is not asked', async () => {
  const { postel, mxs } = double
  const count = mxs[1]!.sessions.length
  mxs[0]!.script = { mail: '550 5.7.1 no' }
  const id = await postel.submit({ to: `reader@${double.freshDomain()}`, data: message() })
  expect((await postel.settled(id)).map(({ state }) => state)).toEqual(['bounced'])
  expect(mxs[1]!.sessions.length - count).toBe(0)
})
