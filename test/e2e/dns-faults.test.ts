// A name server that fails says nothing about a domain: its mail waits, and is never bounced.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Zone } from '../support/fake-dns.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

type Fault = NonNullable<Zone['fails']>

const faults: readonly Fault[] = ['SERVFAIL', 'REFUSED', 'silence', 'cut off', 'lame', 'elsewhere', 'garbage']

let system: System

beforeAll(async () => {
  system = await startSystem({ outbound: { DNS_TIMEOUT_MS: '2000' } })
})

afterAll(() => system.stop())

async function outcome(domain: string): Promise<(string | null)[]> {
  const { postel } = system
  const id = await postel.submit({ to: `reader@${domain}`, data: message() })
  const [delivery] = await postel.settled(id, 30)
  const [attempt] = await postel.attempts(id)
  return [delivery!.state, attempt!.enhanced, attempt!.category]
}

test.each(faults)('%s for the MX defers, and never bounces (D-17)', async (fails) => {
  const domain = system.freshDomain()
  system.dns.zones[domain] = { fails, A: [system.mx.address] }
  expect(await outcome(domain)).toEqual(['deferred', '4.4.3', 'dns'])
})

test.each(faults)('%s for the address of the only MX defers (D-17)', async (fails) => {
  const domain = system.freshDomain()
  system.dns.zones[domain] = { MX: [[10, `mx.${domain}`]] }
  system.dns.zones[`mx.${domain}`] = { fails, A: [system.mx.address] }
  expect(await outcome(domain)).toEqual(['deferred', '4.4.3', 'dns'])
})

test.each(['SERVFAIL', 'silence'] as const)('%s for the first MX: the second is used', async (fails) => {
  const domain = system.freshDomain()
  system.dns.zones[domain] = {
    MX: [
      [10, `mx.${domain}`],
      [20, 'mx1.remote.test'],
    ],
  }
  system.dns.zones[`mx.${domain}`] = { fails }
  expect((await outcome(domain))[0]).toBe('delivered')
})

test.each<[string, Fault]>([
  ['cut off over UDP and whole over TCP', 'truncated'],
  ['refused to whoever asks with EDNS', 'not EDNS'],
  ['behind false ones with a wrong id or for another question', 'spoofed'],
])('an answer that is %s is found', async (_name, fails) => {
  const domain = system.freshDomain()
  system.dns.zones[domain] = { fails, A: [system.mx.address], MX: [] }
  expect((await outcome(domain))[0]).toBe('delivered')
})
