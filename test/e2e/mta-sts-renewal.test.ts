// MTA-STS policies are renewed in the background, each domain in its turn, and nobody makes us fetch them at will.
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals'
import type { StoredPolicy } from '@postel/db/queries/tls'
import { StsPolicies, type StsPoliciesOptions } from '@postel/outbound/mta-sts'
import { Resolver } from '@postel/outbound/resolver'
import { TlsContexts } from '@postel/outbound/tls-contexts'
import { FakeAuthority } from '../support/certificates.ts'
import { FakeDns } from '../support/fake-dns.ts'
import { FakePolicyHost, type PolicyAnswer, policyFile } from '../support/fake-policy-host.ts'
import { waitFor } from '../support/wait-for.ts'

const file = policyFile('enforce', ['mx.test'])
const dayMs = 24 * 3_600_000
const authority = new FakeAuthority()
const contexts = new TlsContexts(Buffer.from(authority.cert))

let dns: FakeDns
let web: FakePolicyHost
let policies: StsPolicies | undefined
let domains = 0

beforeAll(async () => {
  dns = await FakeDns.start()
  web = await FakePolicyHost.start(authority)
})

afterEach(() => {
  jest.restoreAllMocks()
  policies?.stop()
})

afterAll(async () => {
  await Promise.all([dns.stop(), web.stop()])
})

function domainWith(answer: PolicyAnswer, id = '1'): string {
  const domain = `d${++domains}.test`
  announce(domain, id)
  dns.zones[`mta-sts.${domain}`] = { A: ['127.0.0.1'] }
  web.policies[domain] = answer
  return domain
}

function announce(domain: string, id: string): void {
  dns.zones[`_mta-sts.${domain}`] = { TXT: [`v=STSv1; id=${id};`], ttl: 0 }
}

/** With policies that were fetched by another process long ago. */
async function start(stored: StoredPolicy[] = [], options: Partial<StsPoliciesOptions> = {}) {
  policies = new StsPolicies({
    resolver: new Resolver({ servers: [dns.address], dnssec: false }),
    port: web.port,
    allowPrivate: true,
    contexts,
    store: { load: async () => stored.splice(0), save: async () => {} },
    onError: (error) => {
      throw error
    },
    ...options,
  })
  await policies.start()
  return policies
}

function stored(domain: string, expiresInMs = dayMs): StoredPolicy {
  return {
    domain,
    policyId: '1',
    policy: file,
    fetchedAt: new Date(Date.now() - 2 * dayMs),
    expiresAt: new Date(Date.now() + expiresInMs),
  }
}

/** Makes all clocks run ahead, by so much in all. */
function later(seconds: number): void {
  jest.restoreAllMocks()
  for (const clock of [performance, Date]) {
    const now = clock.now.bind(clock)
    jest.spyOn(clock, 'now').mockImplementation(() => now() + seconds * 1000)
  }
}

const timesAsked = (domain: string) => web.asked.filter((name) => name === domain).length

test('a policy that is announced anew is there before the next mail', async () => {
  const domain = domainWith(policyFile('testing', ['mx.test']), '2')
  const { policy, unknown } = await (await start([stored(domain)])).lookUp(domain)
  expect([policy?.id, policy?.mode, unknown]).toEqual(['2', 'testing', false])
})

test('a domain that announces one policy after another is asked once in five minutes', async () => {
  const domain = domainWith(file)
  const { lookUp } = bound(await start())
  expect((await lookUp(domain)).policy?.id).toBe('1')
  announce(domain, '2')
  later(10)
  expect(await lookUp(domain)).toMatchObject({ policy: { id: '1' }, unknown: true })
  expect(timesAsked(domain)).toBe(1)
  later(300)
  expect((await lookUp(domain)).policy?.id).toBe('2')
})

test('a policy that lives for seconds is fetched again, twice a minute at most', async () => {
  const domain = domainWith(policyFile('enforce', ['mx.test'], 1))
  const { lookUp } = bound(await start())
  await lookUp(domain)
  later(10)
  expect(await lookUp(domain)).toEqual({ policy: undefined, fault: undefined, unknown: true })
  later(30)
  expect((await lookUp(domain)).policy?.id).toBe('1')
  expect(timesAsked(domain)).toBe(2)
})

test.each<[string, (domain: string) => void, unknown]>([
  [
    'there is no record',
    (domain) => delete dns.zones[`_mta-sts.${domain}`],
    { fault: undefined, unknown: false },
  ],
  [
    'the name server does not tell',
    (domain) => {
      dns.zones[`_mta-sts.${domain}`] = { fails: 'SERVFAIL' }
    },
    { fault: undefined, unknown: true },
  ],
  [
    'the policy host is slow',
    (domain) => {
      web.policies[domain] = { body: file, afterMs: 10_000 }
    },
    { fault: undefined, unknown: true },
  ],
  [
    'the policy host has none',
    (domain) => {
      web.policies[domain] = { status: 404 }
    },
    { fault: 'sts-policy-fetch-error', unknown: true },
  ],
])('%s: what is sure is told from what is not', async (_name, spoil, lookup) => {
  const domain = domainWith(file)
  spoil(domain)
  const { lookUp } = bound(await start([], { waitMs: 5_000 }))
  expect(await lookUp(domain)).toEqual({ policy: undefined, ...(lookup as object) })
})

test('dead policy hosts do not keep the policies of others from being renewed', async () => {
  const dead = Array.from({ length: 50 }, () => domainWith({ status: 404 }))
  const fine = domainWith(file)
  await start(
    [...dead, fine].map((domain) => stored(domain)),
    { upkeepEveryMs: 20 },
  )
  await waitFor(() => timesAsked(fine), 20)
})

test('policies that have expired are not renewed', async () => {
  const expired = domainWith(file)
  const fine = domainWith(file)
  await start([stored(expired, -1), stored(fine)], { upkeepEveryMs: 20 })
  await waitFor(() => timesAsked(fine))
  expect(timesAsked(expired)).toBe(0)
})

test('one look after the policies ends before the next begins', async () => {
  const slow = domainWith({ body: file, afterMs: 500 })
  let loads = 0
  let loadsWhenSaved: number | undefined
  await start([], {
    upkeepEveryMs: 20,
    store: {
      load: async () => (loads++ === 0 ? [stored(slow)] : []),
      save: async () => {
        loadsWhenSaved ??= loads
      },
    },
  })
  await waitFor(() => loadsWhenSaved)
  expect(loadsWhenSaved).toBe(2)
})

function bound(of: StsPolicies): { lookUp: StsPolicies['lookUp'] } {
  return { lookUp: (domain) => of.lookUp(domain) }
}
