// Mail is never sent to ourselves, nor past ourselves to worse exchangers (RFC 5321 §5.1): that would go in circles.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Resolver } from '@postel/outbound/resolver'
import { Router } from '@postel/outbound/route'
import type { MxScript } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

const us = 'mail.postel.test'
const busy: MxScript = { greeting: '421 4.3.2 busy' }

let system: System

beforeAll(async () => {
  // 127.0.0.1 sends; the other belongs to the system too, wherever it is held
  system = await startSystem({
    outbound: false,
    mx: [busy, {}],
    addresses: ['127.0.0.1', '127.0.0.77'],
    zones: {
      'to-us.test': { MX: [[10, us]] },
      'to-us-upper.test': { MX: [[10, us.toUpperCase()]] },
      'to-our-ehlo-name.test': { MX: [[10, 'out2.postel.test']] },
      'to-our-address.test': { MX: [[10, 'innocent.test']] },
      'innocent.test': { A: ['127.0.0.77'] },
      'to-our-sender.test': { MX: [[10, 'sender.test']] },
      'sender.test': { A: ['127.0.0.1'] },
      'implicit.test': { A: ['127.0.0.77'] },
      'cname.test': { MX: [[10, 'alias.test']] },
      'alias.test': { CNAME: 'innocent.test' },
      'before-us.test': {
        MX: [
          [5, 'mx1.remote.test'],
          [10, us],
          [10, 'mx2.remote.test'],
          [20, 'mx2.remote.test'],
        ],
      },
      'before-our-address.test': {
        MX: [
          [5, 'mx1.remote.test'],
          [10, 'innocent.test'],
          [10, 'mx2.remote.test'],
          [20, 'mx2.remote.test'],
        ],
      },
      'after-us.test': {
        MX: [
          [10, us],
          [20, 'mx2.remote.test'],
        ],
      },
    },
  })
  await system.postel.sql`
    update postel.ip_addresses set ehlo_name = 'OUT2.postel.test' where address = '127.0.0.77'`
  await system.postel.startOutbound(system.outboundEnv)
})

afterAll(() => system.stop())

async function outcome(domain: string): Promise<(string | null)[]> {
  const { postel } = system
  const id = await postel.submit({ to: `reader@${domain}`, data: message() })
  const [delivery] = await postel.settled(id)
  const [attempt] = await postel.attempts(id)
  return [delivery!.state, attempt!.mx, attempt!.enhanced, attempt!.category]
}

test.each([
  ['our host name', 'to-us.test'],
  ['our host name in capitals', 'to-us-upper.test'],
  ['the EHLO name of one of our IPs', 'to-our-ehlo-name.test'],
  ['a host with one of our addresses', 'to-our-address.test'],
  ['a host with the sending address', 'to-our-sender.test'],
  ['a CNAME of such a host', 'cname.test'],
  ['us, and worse ones are others', 'after-us.test'],
])('the best MX is %s: bounced as a loop, nobody is connected to (D-22)', async (_name, domain) => {
  expect(await outcome(domain)).toEqual(['bounced', null, '5.4.6', 'routing'])
  expect(system.mxs[1]!.sessions).toEqual([])
})

test('an IPv6 address of ours is known however a name server writes it (D-22)', async () => {
  const { dns, postel } = system
  // The database compresses the second run of zeros, and DNS packets are often read with the first compressed
  const [row] = await postel.sql<[{ host: string }]>`select host('2001:db8:0:0:1:0:0:0'::inet) as host`
  dns.zones['six.test'] = { AAAA: ['2001:db8:0:0:1:0:0:0'] }
  const router = new Router({
    resolver: new Resolver({ servers: [dns.address], dnssec: false }),
    port: 25,
    allowPrivate: true,
    isOurs: (hostOrAddress) => hostOrAddress === row.host,
  })
  expect(await router.resolve('six.test', '2001:db8::2')).toMatchObject({
    verdict: { outcome: 'bounced', reply: expect.stringContaining('would come back to this system') },
  })
})

test('without MX, an address of ours is a loop too (D-22)', async () => {
  expect(await outcome('implicit.test')).toEqual(['bounced', null, '5.4.6', 'routing'])
})

test.each(['before-us.test', 'before-our-address.test'])(
  '%s: an exchanger better than us is tried, equals and worse ones are not (D-22)',
  async (domain) => {
    expect(await outcome(domain)).toEqual(['deferred', 'mx1.remote.test', '4.3.2', 'remote_system'])
    expect(system.mxs[1]!.sessions).toEqual([])
  },
)
