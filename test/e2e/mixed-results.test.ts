// Each recipient gets his own result, and a retry carries only those who were deferred.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System

beforeAll(async () => {
  system = await startSystem()
})

afterAll(() => system.stop())

const extensions = { pipelined: ['PIPELINING', '8BITMIME'], 'one by one': ['8BITMIME'] }

describe.each(['pipelined', 'one by one'] as const)('%s', (mode) => {
  async function send(script: System['mx']['script'], names: readonly string[]) {
    const { postel, mx } = system
    const domain = system.freshDomain()
    const count = mx.messages.length
    mx.script = { extensions: extensions[mode], ...script }
    if (script.rcpt && typeof script.rcpt === 'object' && !('reply' in script.rcpt))
      mx.script.rcpt = Object.fromEntries(
        Object.entries(script.rcpt).map(([name, step]) => [`${name}@${domain}`, step]),
      )
    const id = await postel.submit({ to: names.map((name) => `${name}@${domain}`), data: message() })
    const deliveries = await postel.settled(id)
    return {
      id,
      sent: () => mx.messages.slice(count).map(({ to }) => to.map((address) => address.split('@')[0])),
      results: deliveries.map(
        ({ recipient, state, reply }) => `${recipient.split('@')[0]} ${state}: ${reply}`,
      ),
    }
  }

  test('250, 451 and 550: one delivered, one deferred, one bounced; the retry carries the deferred one (D-06)', async () => {
    const { id, results, sent } = await send({ rcpt: { b: '451 4.2.1 later', c: '550 5.1.1 nobody' } }, [
      'a',
      'b',
      'c',
    ])
    expect(results).toEqual([
      'a delivered: 250 2.0.0 ok',
      'b deferred: 451 4.2.1 later',
      'c bounced: 550 5.1.1 nobody',
    ])
    system.mx.script = { extensions: extensions[mode] }
    await system.postel.retry(id)
    expect((await system.postel.settled(id)).map(({ state, attempts }) => `${state} ${attempts}`)).toEqual([
      'delivered 1',
      'delivered 2',
      'bounced 1',
    ])
    expect(sent()).toEqual([['a'], ['b']])
  })

  test('550 and 451, nobody accepted: one bounced, one deferred (D-07)', async () => {
    const { results, sent } = await send({ rcpt: { a: '550 5.1.1 nobody', b: '451 4.2.1 later' } }, [
      'a',
      'b',
    ])
    expect(results).toEqual(['a bounced: 550 5.1.1 nobody', 'b deferred: 451 4.2.1 later'])
    expect(sent()).toEqual([])
  })

  test.each([
    ['554 5.7.1 no', 'bounced'],
    ['451 4.3.0 not now', 'deferred'],
  ])('DATA %s counts for all who were accepted (D-08)', async (reply, state) => {
    const { results } = await send({ data: reply, rcpt: { b: '550 5.1.1 nobody' } }, ['a', 'b', 'c'])
    expect(results).toEqual([`a ${state}: ${reply}`, 'b bounced: 550 5.1.1 nobody', `c ${state}: ${reply}`])
  })

  test.each([
    ['550 5.7.1 spam', 'bounced'],
    ['451 4.3.0 not now', 'deferred'],
  ])('%s to the final dot counts for all who were accepted (D-08)', async (reply, state) => {
    const script = { dot: reply, rcpt: { b: '550 5.1.1 nobody', c: '451 4.2.1 later' } }
    const { results } = await send(script, ['a', 'b', 'c', 'd'])
    expect(results).toEqual([
      `a ${state}: ${reply}`,
      'b bounced: 550 5.1.1 nobody',
      'c deferred: 451 4.2.1 later',
      `d ${state}: ${reply}`,
    ])
  })

  test.each([
    ['550 5.7.1 go away', 'bounced'],
    ['451 4.7.1 not now', 'deferred'],
  ])('MAIL %s counts for all (D-05)', async (reply, state) => {
    const { results } = await send({ mail: reply }, ['a', 'b'])
    expect(results).toEqual([`a ${state}: ${reply}`, `b ${state}: ${reply}`])
  })

  test('552 to RCPT is "too many recipients" and deferred, to the dot it is final', async () => {
    const { results } = await send({ rcpt: { a: '552 5.5.3 too many' } }, ['a', 'b'])
    expect(results).toEqual(['a deferred: 552 5.5.3 too many', 'b delivered: 250 2.0.0 ok'])
    const { results: dot } = await send({ dot: '552 5.2.2 full' }, ['a'])
    expect(dot).toEqual(['a bounced: 552 5.2.2 full'])
  })

  test('a server that takes one recipient at a time gets the others later (D-27)', async () => {
    const { id, results, sent } = await send({ rcpt: { b: '452 4.5.3 too many' } }, ['a', 'b'])
    expect(results).toEqual(['a delivered: 250 2.0.0 ok', 'b deferred: 452 4.5.3 too many'])
    system.mx.script = { extensions: extensions[mode] }
    await system.postel.retry(id)
    await system.postel.settled(id)
    expect(sent()).toEqual([['a'], ['b']])
  })
})
