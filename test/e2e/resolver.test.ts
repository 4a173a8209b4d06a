// What a name server said is kept as long as it may be; one that fails is told from one that says "no such record".
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals'
import type { DnsFault } from '@postel/outbound/dns-client'
import { Resolver } from '@postel/outbound/resolver'
import { FakeDns, type Zone } from '../support/fake-dns.ts'

/** A question whose answer is late is asked again, and questions are counted here. */
const timeoutMs = 2_000

let dns: FakeDns

beforeAll(async () => {
  dns = await FakeDns.start()
})

afterAll(() => dns.stop())

afterEach(() => {
  jest.restoreAllMocks()
})

function resolver(options: Partial<ConstructorParameters<typeof Resolver>[0]> = {}): Resolver {
  return new Resolver({ servers: [dns.address], dnssec: false, timeoutMs, ...options })
}

/** Makes the clock of the resolver run ahead. */
function later(seconds: number): void {
  const now = performance.now.bind(performance)
  jest.spyOn(performance, 'now').mockImplementation(() => now() + seconds * 1000)
}

async function fault(asking: Promise<unknown>): Promise<string> {
  return asking.then(
    () => 'answered',
    (error) => (error as DnsFault).code,
  )
}

test.each(['SERVFAIL', 'REFUSED', 'silence', 'cut off', 'lame', 'elsewhere', 'garbage'] as const)(
  '%s by the first name server: the next is asked',
  async (fails) => {
    const broken = await FakeDns.start({ 'name.test': { fails } })
    dns.zones['name.test'] = { A: ['192.0.2.1'] }
    const lookup = await resolver({ servers: [broken.address, dns.address] }).lookUp('name.test', 'A')
    expect(lookup.records).toEqual(['192.0.2.1'])
    await broken.stop()
  },
)

test('a name server that is not there is passed over', async () => {
  const gone = await FakeDns.start()
  const { address } = gone
  await gone.stop()
  dns.zones['name.test'] = { A: ['192.0.2.1'] }
  const lookup = await resolver({ servers: [address, dns.address] }).lookUp('name.test', 'A')
  expect(lookup.records).toEqual(['192.0.2.1'])
})

test('many who ask the same at once ask the server once', async () => {
  dns.zones['shared.test'] = { A: ['192.0.2.1'] }
  const asked = resolver()
  await Promise.all(Array.from({ length: 50 }, () => asked.lookUp('Shared.test', 'A')))
  expect(dns.questions.filter((text) => /^A shared.test$/i.test(text))).toHaveLength(1)
})

test.each<[string, Zone | undefined, number, number]>([
  ['as long as its TTL', { A: ['192.0.2.1'], ttl: 300 }, 299, 301],
  ['for some seconds where the TTL is 0 (D-21)', { A: ['192.0.2.1'], ttl: 0 }, 4, 6],
  ['for a day at most', { A: ['192.0.2.1'], ttl: 10_000_000 }, 86_399, 86_401],
  ['no longer than a CNAME before it', { CNAME: 'target.test', ttl: 50 }, 49, 51],
  ['shortly where it is "no such name"', undefined, 29, 31],
])('an answer is kept %s', async (_name, zone, before, after) => {
  dns.zones['target.test'] = { A: ['192.0.2.2'], ttl: 300 }
  if (zone) dns.zones['kept.test'] = zone
  else delete dns.zones['kept.test']
  const asked = resolver()
  const count = () => dns.asked('A kept.test')
  const start = count()
  await asked.lookUp('kept.test', 'A')
  later(before)
  await asked.lookUp('kept.test', 'A')
  expect(count() - start).toBe(1)
  jest.restoreAllMocks()
  later(after)
  await asked.lookUp('kept.test', 'A')
  expect(count() - start).toBe(2)
})

test('while nobody answers, an old answer serves for another hour, and no longer', async () => {
  dns.zones['stale.test'] = { A: ['192.0.2.1'], ttl: 300 }
  const asked = resolver()
  await asked.lookUp('stale.test', 'A')
  dns.zones['stale.test'] = { fails: 'SERVFAIL' }
  later(300 + 3_500)
  expect((await asked.lookUp('stale.test', 'A')).records).toEqual(['192.0.2.1'])
  jest.restoreAllMocks()
  later(300 + 3_700)
  expect(await fault(asked.lookUp('stale.test', 'A'))).toBe('SERVFAIL')
})

test('an old "no TLSA record" does not serve: DANE needs fresh answers', async () => {
  dns.zones['_25._tcp.stale.test'] = { TLSA: [], ttl: 300 }
  const asked = resolver({ dnssec: true })
  expect((await asked.lookUp('_25._tcp.stale.test', 'TLSA')).status).toBe('empty')
  dns.zones['_25._tcp.stale.test'] = { fails: 'silence' }
  later(400)
  expect(await fault(asked.lookUp('_25._tcp.stale.test', 'TLSA'))).toBe('TIMEOUT')
})

test('a failure is forgotten within seconds', async () => {
  dns.zones['flaky.test'] = { fails: 'SERVFAIL' }
  const asked = resolver()
  expect(await fault(asked.lookUp('flaky.test', 'A'))).toBe('SERVFAIL')
  dns.zones['flaky.test'] = { A: ['192.0.2.1'] }
  expect(await fault(asked.lookUp('flaky.test', 'A'))).toBe('SERVFAIL')
  later(6)
  expect(await fault(asked.lookUp('flaky.test', 'A'))).toBe('answered')
})

test('CNAMEs that lead in a circle end as a failure', async () => {
  dns.zones['round.test'] = { CNAME: 'about.test' }
  dns.zones['about.test'] = { CNAME: 'round.test' }
  expect(await fault(resolver().lookUp('round.test', 'A'))).toBe('CNAME')
})

test('AD is believed only where the operator vouches for the name server', async () => {
  dns.zones['signed.test'] = { A: ['192.0.2.1'], signed: true }
  expect((await resolver().lookUp('signed.test', 'A')).authenticated).toBe(false)
  expect((await resolver({ dnssec: true }).lookUp('signed.test', 'A')).authenticated).toBe(true)
})

test('a CNAME that is not signed takes the word of what it leads to away', async () => {
  dns.zones['unsigned.test'] = { CNAME: 'signed.test', signed: false }
  dns.zones['signed.test'] = { A: ['192.0.2.1'], signed: true }
  const lookup = await resolver({ dnssec: true }).lookUp('unsigned.test', 'A')
  expect(lookup).toMatchObject({ name: 'signed.test', authenticated: false })
})

test.each([
  ['a label of 64', `${'a'.repeat(64)}.test`],
  ['more than 253 in all', `${'a'.repeat(60)}.`.repeat(5).slice(0, -1)],
  ['an empty label', 'a..test'],
])('a name with %s characters is not asked for', async (_name, name) => {
  const before = dns.questions.length
  expect((await resolver().lookUp(name, 'A')).status).toBe('missing')
  expect(dns.questions.length).toBe(before)
})
