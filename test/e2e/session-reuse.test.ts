// Sessions are kept for the next message; one that has gone away meanwhile costs that message nothing.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { MxScript, Step } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitUntilEqual } from '../support/wait-for.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({ outbound: { DELIVERY_COMMAND_SECONDS: '5' } })
})

afterAll(() => system.stop())

/** Sends two messages, one after the other; gives the attempts of each, and how many sessions they took. */
async function sendTwo(script: MxScript, between: () => Promise<void> | void = () => {}) {
  const { postel, mx } = system
  const domain = system.freshDomain()
  const sessions = mx.sessions.length
  mx.script = script
  const results: string[] = []
  for (const name of ['one', 'two']) {
    const id = await postel.submit({ to: `${name}@${domain}`, data: message() })
    const [delivery] = await postel.settled(id)
    results.push(`${delivery!.state} ${delivery!.attempts}`)
    if (name === 'one') await between()
  }
  return { results, sessions: mx.sessions.length - sessions }
}

test('two messages share a session', async () => {
  expect(await sendTwo({})).toEqual({ results: ['delivered 1', 'delivered 1'], sessions: 1 })
})

test('a session that the remote closed while idle is replaced (D-32)', async () => {
  const closed = () => {
    system.mx.dropSessions()
    return waitUntilEqual(() => system.mx.open, 0)
  }
  expect(await sendTwo({}, closed)).toEqual({ results: ['delivered 1', 'delivered 1'], sessions: 2 })
})

test.each<[string, MxScript]>([
  ['closes', { mail: ['250 ok', { reply: '', then: 'close' }, '250 ok'] }],
  ['resets', { mail: ['250 ok', { reply: '', then: 'reset' }, '250 ok'] }],
  ['answers 421', { mail: ['250 ok', { reply: '421 4.4.2 idle', then: 'close' }, '250 ok'] }],
])(
  'a remote that %s on the next MAIL: the message goes over a new session at once (D-32)',
  async (_name, script) => {
    expect(await sendTwo(script)).toEqual({ results: ['delivered 1', 'delivered 1'], sessions: 2 })
    expect(await sendTwo({ ...script, extensions: [], mail: [...(script.mail as [])] })).toEqual({
      results: ['delivered 1', 'delivered 1'],
      sessions: 2,
    })
  },
)

test('a message that was refused leaves a session that the next one can use', async () => {
  expect(await sendTwo({ dot: ['554 5.7.1 no', '250 ok'] })).toEqual({
    results: ['bounced 1', 'delivered 1'],
    sessions: 1,
  })
})

test.each<[string, Step]>([
  ['is refused', '451 4.3.0 no'],
  ['is not answered', ''],
  ['ends it', { reply: '', then: 'close' }],
  ['resets it', { reply: '', then: 'reset' }],
])(
  'a session whose RSET %s is not used again, and what is known of its message is recorded',
  async (_name, rset) => {
    expect(await sendTwo({ dot: ['554 5.7.1 no', '250 ok'], rset })).toEqual({
      results: ['bounced 1', 'delivered 1'],
      sessions: 2,
    })
  },
)
