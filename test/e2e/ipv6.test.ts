/**
 * Mail leaves from an IPv6 source address for servers that have one, and says so where they have none. Needs a second
 * address on the loopback interface, which only root can add; where that cannot be had, these tests are skipped.
 */
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { FakeMx } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

const remote = 'fd70:6f73:7465:6c::25'

const describeIpv6 = changeLoopback('replace') ? describe : describe.skip

/** Adds or deletes the remote's address; false where that is not allowed. */
function changeLoopback(verb: 'replace' | 'del'): boolean {
  try {
    execFileSync('ip', ['-6', 'address', verb, `${remote}/128`, 'dev', 'lo'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describeIpv6('from ::1', () => {
  let system: System
  let six: FakeMx

  beforeAll(async () => {
    system = await startSystem({
      addresses: ['::1'],
      outbound: { OUTBOUND_ADDRESSES: '::1' },
      zones: {
        'six.test': { MX: [[10, 'mx6.test']] },
        'mx6.test': { AAAA: [remote] },
        'implicit.test': { AAAA: [remote] },
        'both.test': { MX: [[10, 'mx46.test']] },
        'mx46.test': { A: ['127.0.0.2'], AAAA: [remote] },
        'four.test': { MX: [[10, 'mx1.remote.test']] },
      },
    })
    six = await FakeMx.start({}, remote, system.mx.port)
  })
  afterAll(async () => {
    await system.stop()
    await six.stop()
    changeLoopback('del')
  })

  async function outcome(domain: string) {
    const id = await system.postel.submit({ to: `reader@${domain}`, data: message() })
    const [delivery] = await system.postel.settled(id, 30)
    const [attempt] = await system.postel.attempts(id)
    return { state: delivery!.state, ...attempt! }
  }

  test.each(['six.test', 'implicit.test', 'both.test'])('%s gets it at its IPv6 address', async (domain) => {
    expect(await outcome(domain)).toMatchObject({ state: 'delivered', ip: '::1', code: 250 })
    expect(six.messages.at(-1)!.source).toBe('::1')
  })

  test('a server without one is not written to from another address, and the mail says why it waits', async () => {
    expect(await outcome('four.test')).toMatchObject({
      state: 'deferred',
      enhanced: '4.4.4',
      reply: 'mx1.remote.test has only IPv4 addresses, and the source address is an IPv6 address',
    })
    expect(system.mx.sessions).toEqual([])
  })
})
