// A domain's MTA-STS policy binds from the first mail on until it expires, whatever an attacker does to DNS, HTTPS and SMTP.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { fetchPolicy } from '@postel/outbound/mta-sts-fetch'
import { Resolver } from '@postel/outbound/resolver'
import { TlsContexts } from '@postel/outbound/tls-contexts'
import { FakeAuthority } from '../support/certificates.ts'
import type { MxScript } from '../support/fake-mx.ts'
import { FakePolicyHost, type PolicyAnswer, policyFile } from '../support/fake-policy-host.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor, waitUntilEqual } from '../support/wait-for.ts'

/** Who has the certificate of all exchangers here. */
const host = 'mx.sts.test'
const authority = new FakeAuthority()
const good: MxScript = { starttls: 'works', certificate: authority.issue(host) }
const stripped: MxScript = {}

let system: System
let web: FakePolicyHost
let directory: string
let outboundEnv: Record<string, string>

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postel-sts-'))
  await writeFile(join(directory, 'ca.pem'), authority.cert)
  web = await FakePolicyHost.start(authority)
  outboundEnv = {
    DELIVERY_COMMAND_SECONDS: '5',
    DELIVERY_CA_FILE: join(directory, 'ca.pem'),
    MTA_STS_PORT: String(web.port),
  }
  system = await startSystem({ mx: good, outbound: outboundEnv })
  system.dns.zones[host] = { A: [system.mx.address] }
})

afterAll(async () => {
  await system.stop()
  await web.stop()
  await rm(directory, { recursive: true })
})

beforeEach(() => {
  system.mx.script = good
})

/** A new domain with this policy. */
function domainWith(policy: PolicyAnswer, id = '1'): string {
  const domain = system.freshDomain()
  system.dns.zones[domain] = { MX: [[10, host]] }
  announce(domain, id)
  system.dns.zones[`mta-sts.${domain}`] = { A: ['127.0.0.1'] }
  web.policies[domain] = policy
  return domain
}

function announce(domain: string, id: string): void {
  system.dns.zones[`_mta-sts.${domain}`] = { TXT: [`v=STSv1; id=${id};`], ttl: 0 }
}

/** State, enhanced code and TLS of one message that needs a session of its own. */
async function send(domain: string): Promise<(string | null)[]> {
  const { postel, mx } = system
  mx.dropSessions()
  await waitUntilEqual(() => mx.open, 0)
  const id = await postel.submit({ to: `reader@${domain}`, data: message() })
  const [delivery] = await postel.settled(id, 20)
  const [attempt] = await postel.attempts(id)
  return [delivery!.state, attempt!.enhanced?.replace(/^2.*/, '') ?? null, attempt!.tls]
}

const verified = 'TLSv1.3 TLS_AES_256_GCM_SHA384; verified'
const enforce = policyFile('enforce', [host])
const testing = policyFile('testing', [host])

test('enforce: a session that is as it should be carries mail', async () => {
  expect(await send(domainWith(enforce))).toEqual(['delivered', '', `${verified}; mta-sts`])
})

test.each<[string, string, MxScript, string]>([
  ['STARTTLS stripped (D-12)', enforce, stripped, '4.7.4'],
  ['STARTTLS refused', enforce, { starttls: 'refused' }, '4.7.4'],
  ['STARTTLS broken', enforce, { starttls: 'garbage' }, '4.7.5'],
  ['a certificate that nobody vouches for', enforce, { starttls: 'works' }, '4.7.5'],
  [
    "another host's certificate",
    enforce,
    { starttls: 'works', certificate: authority.issue('other.test') },
    '4.7.5',
  ],
  [
    'an expired certificate',
    enforce,
    { starttls: 'works', certificate: authority.issue(host, { expired: true }) },
    '4.7.5',
  ],
  ['an MX that the policy does not name', policyFile('enforce', ['mx.other.test', '*.test']), good, '4.7.5'],
])(
  'enforce, and %s: the first mail waits already, and never leaves',
  async (_name, policy, script, enhanced) => {
    const { mx } = system
    mx.script = script
    const count = mx.messages.length
    expect(await send(domainWith(policy))).toEqual(['deferred', enhanced, null])
    expect(mx.messages.length).toBe(count)
  },
)

test.each<[string, MxScript, string]>([
  ['STARTTLS stripped', stripped, 'plain text; mta-sts testing (not offered)'],
  [
    'STARTTLS broken',
    { starttls: 'garbage' },
    'plain text; mta-sts testing (handshake failed: packet length too long)',
  ],
  [
    'a bad certificate',
    { starttls: 'works' },
    'TLSv1.3 TLS_AES_256_GCM_SHA384; unverified (DEPTH_ZERO_SELF_SIGNED_CERT); mta-sts testing',
  ],
])('testing, and %s: the mail goes all the same', async (_name, script, tls) => {
  system.mx.script = script
  expect(await send(domainWith(testing))).toEqual(['delivered', '', tls])
})

test.each<[string, PolicyAnswer]>([
  ['mode none', policyFile('none', [])],
  ['404', { status: 404 }],
  ['a redirect', { status: 301, location: 'https://mta-sts.a.test/.well-known/mta-sts.txt', body: enforce }],
  ['another media type', { type: 'text/html', body: enforce }],
  ['a file that is no policy', 'mode: enforce'],
  ['64 KiB and more', enforce + '\n'.repeat(64 * 1024)],
])('%s: no policy, the mail goes as without', async (_name, policy) => {
  system.mx.script = stripped
  expect(await send(domainWith(policy))).toEqual(['delivered', '', 'plain text; opportunistic (not offered)'])
})

test("a policy host with another's certificate has no policy", async () => {
  system.mx.script = stripped
  const domain = domainWith(enforce)
  web.wrongCertificate.add(domain)
  expect((await send(domain))[0]).toBe('delivered')
  expect(web.asked).not.toContain(domain)
})

test('a policy is not fetched from a private address', async () => {
  const domain = domainWith(enforce)
  const fetching = fetchPolicy(domain, {
    resolver: new Resolver({ servers: [system.dns.address], dnssec: false }),
    port: web.port,
    allowPrivate: false,
    contexts: new TlsContexts(Buffer.from(authority.cert)),
  })
  await expect(fetching).rejects.toThrow(`mta-sts.${domain} has no address`)
  expect(web.asked).not.toContain(domain)
})

test('without a TXT record nobody asks for a policy', async () => {
  system.mx.script = stripped
  const domain = domainWith(enforce)
  delete system.dns.zones[`_mta-sts.${domain}`]
  expect((await send(domain))[0]).toBe('delivered')
  expect(web.asked).not.toContain(domain)
})

test('a policy that was seen binds while DNS and HTTPS are blocked, after a restart too (D-12)', async () => {
  const domain = domainWith(enforce)
  expect((await send(domain))[0]).toBe('delivered')
  await waitFor(async () => (await storedPolicies(domain)).length)
  system.dns.zones[`_mta-sts.${domain}`] = { fails: 'SERVFAIL' }
  web.policies[domain] = { status: 500 }
  system.mx.script = stripped
  expect((await send(domain)).slice(0, 2)).toEqual(['deferred', '4.7.4'])
  // The record may be gone as well: only a policy that says so, or time, ends a policy
  delete system.dns.zones[`_mta-sts.${domain}`]
  const other = await startSystem({
    mx: stripped,
    outbound: false,
  })
  other.dns.zones[domain] = { MX: [[10, host]] }
  other.dns.zones[host] = { A: [other.mx.address] }
  await other.postel.sql`
    insert into postel.mta_sts_policies ${other.postel.sql(await storedPolicies(domain))}`
  await other.postel.startOutbound({ ...other.outboundEnv, ...outboundEnv })
  const id = await other.postel.submit({ to: `reader@${domain}`, data: message() })
  expect(await other.postel.finalStates(id)).toEqual([`reader@${domain} deferred`])
  await other.stop()
})

function storedPolicies(domain: string): Promise<Record<string, string>[]> {
  return system.postel.sql<Record<string, string>[]>`
    select domain, policy_id, policy, fetched_at, expires_at
    from postel.mta_sts_policies where domain = ${domain}`
}

test('an expired policy binds no more', async () => {
  const domain = domainWith(policyFile('enforce', [host], 1))
  expect((await send(domain))[0]).toBe('delivered')
  delete system.dns.zones[`_mta-sts.${domain}`]
  web.policies[domain] = { status: 404 }
  system.mx.script = stripped
  await waitFor(async () => (await send(domain))[0] === 'delivered')
})

test('many first mails fetch a policy once, and a slow policy host holds them up a few seconds at most', async () => {
  const { postel, mx } = system
  mx.script = stripped
  const domain = domainWith({ body: enforce, afterMs: 8_000 })
  const ids = await Promise.all(
    [1, 2, 3].map((n) => postel.submit({ to: `reader${n}@${domain}`, data: message() })),
  )
  const states = await Promise.all(ids.map((id) => postel.finalStates(id, 20)))
  expect(states.flat().map((text) => text.split(' ')[1])).toEqual(['delivered', 'delivered', 'delivered'])
  expect(web.asked.filter((name) => name === domain)).toHaveLength(1)
  // It arrives all the same, and binds from then on
  await waitFor(async () => (await storedPolicies(domain)).length, 20)
  expect((await send(domain))[0]).toBe('deferred')
})

async function submitRequireTls(domain: string): Promise<string> {
  const client = await system.postel.session('STARTTLS')
  await client.say('MAIL FROM:<sender@example.test> REQUIRETLS', 250)
  await client.say(`RCPT TO:<reader@${domain}>`, 250)
  await client.say('DATA', 354)
  client.write(`${message()}.\r\n`)
  return /queued as (\S+)/.exec(await client.expect(250))![1]!
}

test.each<[string, (domain: string) => void]>([
  [
    'the name server does not tell',
    (domain) => {
      system.dns.zones[`_mta-sts.${domain}`] = { fails: 'SERVFAIL' }
    },
  ],
  [
    'the policy host is slow',
    (domain) => {
      web.policies[domain] = { body: enforce, afterMs: 8_000 }
    },
  ],
])('REQUIRETLS, and %s: the mail waits, and does not bounce', async (_name, spoil) => {
  const { postel, mx } = system
  mx.script = { ...good, extensions: ['REQUIRETLS'] }
  mx.dropSessions()
  await waitUntilEqual(() => mx.open, 0)
  const domain = domainWith(enforce)
  spoil(domain)
  const id = await submitRequireTls(domain)
  const [delivery] = await postel.settled(id, 20)
  const [attempt] = await postel.attempts(id)
  expect([delivery!.state, attempt!.enhanced, attempt!.category]).toEqual(['deferred', '4.7.5', 'tls'])
})

test('a session opened for mail that any TLS is good enough for does not carry what must be protected', async () => {
  const { postel, mx } = system
  const relaxed = system.freshDomain()
  system.dns.zones[relaxed] = { MX: [[10, host]] }
  expect((await send(relaxed))[0]).toBe('delivered')
  const sessions = mx.sessions.length
  const id = await postel.submit({ to: `reader@${domainWith(enforce)}`, data: message() })
  const [delivery] = await postel.settled(id, 20)
  expect([delivery!.state, mx.sessions.length - sessions]).toEqual(['delivered', 1])
  // The other way round it may
  const back = await postel.submit({ to: `reader@${relaxed}`, data: message() })
  await postel.settled(back)
  expect(mx.sessions.length - sessions).toBe(1)
})

test('REQUIRETLS is satisfied by MTA-STS, a good certificate and the extension (RFC 8689)', async () => {
  const { postel, mx } = system
  for (const [extensions, state] of [
    [['REQUIRETLS'], 'delivered'],
    [[], 'bounced'],
  ] as const) {
    mx.script = { ...good, extensions: [...extensions] }
    const domain = domainWith(enforce)
    const id = await submitRequireTls(domain)
    expect(await postel.finalStates(id)).toEqual([`reader@${domain} ${state}`])
    const [attempt] = await postel.attempts(id)
    expect(attempt!.enhanced?.replace(/^2.*/, '') ?? null).toBe(state === 'bounced' ? '5.7.30' : '')
    mx.dropSessions()
    await waitUntilEqual(() => mx.open, 0)
  }
})
