// A server that refuses us at the greeting says nothing about the others: a message bounces only when all have said so.
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { connectTo } from '@postel/outbound/connect'
import { Resolver } from '@postel/outbound/resolver'
import { Router } from '@postel/outbound/route'
import { TlsContexts } from '@postel/outbound/tls-contexts'
import { FakeDns } from '../support/fake-dns.ts'
import { FakeMx } from '../support/fake-mx.ts'

const refuses = { greeting: '554 5.7.1 no', quit: '221 bye' }

let mxs: FakeMx[]
let dns: FakeDns
let router: Router

beforeEach(async () => {
  mxs = await FakeMx.startAll([refuses, refuses])
  dns = await FakeDns.start({
    'dest.test': {
      MX: [
        [10, 'mx1.test'],
        [20, 'mx2.test'],
      ],
    },
    'mx1.test': { A: ['127.0.0.2'] },
    'mx2.test': { A: ['127.0.0.3'] },
  })
  router = new Router({
    resolver: new Resolver({ servers: [dns.address], dnssec: false }),
    port: mxs[0]!.port,
    allowPrivate: true,
  })
})

afterEach(async () => {
  jest.restoreAllMocks()
  await Promise.all([...mxs.map((mx) => mx.stop()), dns.stop()])
})

/** What connecting led to, and how many sessions each server saw. */
async function connect() {
  const result = await connectTo(await router.resolve('dest.test', '127.0.0.1'), {
    ip: { ipId: 1, address: '127.0.0.1', ehloName: null } as Parameters<typeof connectTo>[1]['ip'],
    ehloName: 'mail.postel.test',
    commandSeconds: 5,
    finalDotSeconds: 5,
    implicitTls: false,
    floor: 'opportunistic',
    contexts: new TlsContexts(),
    signal: new AbortController().signal,
  })
  return ['verdict' in result ? result.verdict.outcome : undefined, ...mxs.map((mx) => mx.sessions.length)]
}

test('all of them refuse: bounced', async () => {
  expect(await connect()).toEqual(['bounced', 1, 1])
})

test('time is up before all were asked: it waits', async () => {
  const now = performance.now.bind(performance)
  const passed = () => (mxs[0]!.sessions.length > 0 ? 130_000 : 0)
  jest.spyOn(performance, 'now').mockImplementation(() => now() + passed())
  expect(await connect()).toEqual(['deferred', 1, 0])
})

test('there are more addresses than are tried at once: it waits', async () => {
  dns.zones['mx1.test'] = { A: ['127.0.0.2'] }
  const hosts = Array.from({ length: 13 }, (_, index) => `mx${index + 10}.test`)
  for (const host of hosts) dns.zones[host] = { A: ['127.0.0.2'] }
  dns.zones['dest.test'] = { MX: hosts.map((host) => [10, host] as const) }
  expect(await connect()).toEqual(['deferred', 12, 0])
})

test('where one of them is nobody knows: it waits', async () => {
  dns.zones['mx2.test'] = { fails: 'SERVFAIL' }
  expect(await connect()).toEqual(['deferred', 1, 0])
})
