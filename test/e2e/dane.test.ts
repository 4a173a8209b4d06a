// Where DNSSEC says which certificate an exchanger has (RFC 7672), mail goes to that certificate or waits.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { FakeAuthority, tlsaData } from '../support/certificates.ts'
import type { TlsaZone, Zone } from '../support/fake-dns.ts'
import type { MxScript } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

/** The exchanger's certificate is for this name, by an authority that nobody trusts. */
const host = 'mx.dane.test'
const authority = new FakeAuthority()
const own = authority.issue(host)
const expired = authority.issue(host, { expired: true })
const forAnother = authority.issue('other.test')
const good: MxScript = { starttls: 'works', certificate: own }

const tlsa = (usage: number, selector: number, matchingType: number, of = own.x509): TlsaZone => ({
  usage,
  selector,
  matchingType,
  data: tlsaData(of, selector, matchingType),
})
const ee = tlsa(3, 1, 1)
const wrong = tlsa(3, 1, 1, forAnother.x509)
const ta = (selector = 0, matchingType = 1) => tlsa(2, selector, matchingType, authority.x509)

let system: System
let domains = 0

beforeAll(async () => {
  system = await startSystem({ mx: good, outbound: { DNS_DNSSEC: 'true', DNS_TIMEOUT_MS: '2000' } })
})

afterAll(() => system.stop())

/** A domain whose exchanger has these TLSA records, everything signed unless said otherwise. */
function domainWith(records: readonly TlsaZone[], change: { mx?: Zone; host?: Zone; tlsa?: Zone } = {}) {
  const domain = `d${++domains}.dane.test`
  const { zones, mx } = { zones: system.dns.zones, mx: system.mx }
  // Exchangers of different names, so that each domain is a site of its own; the certificate is for all of them
  zones[domain] = { MX: [[10, `mx.${domain}`]], signed: true, ...change.mx }
  zones[`mx.${domain}`] = { A: [mx.address], signed: true, ...change.host }
  zones[`_${mx.port}._tcp.mx.${domain}`] = { TLSA: records, signed: true, ...change.tlsa }
  return domain
}

/** State, enhanced code and TLS of one message. */
async function send(domain: string, script: MxScript = good): Promise<(string | null)[]> {
  const { postel, mx } = system
  mx.script = script
  const id = await postel.submit({ to: `reader@${domain}`, data: message() })
  const [delivery] = await postel.settled(id, 20)
  const [attempt] = await postel.attempts(id)
  return [delivery!.state, attempt!.enhanced?.replace(/^2.*/, '') ?? null, attempt!.tls]
}

const verified = 'TLSv1.3 TLS_AES_256_GCM_SHA384; verified; dane'

test.each<[string, TlsaZone[]]>([
  ['the key, SHA-256', [ee]],
  ['the key, SHA-512', [tlsa(3, 1, 2)]],
  ['the key in full', [tlsa(3, 1, 0)]],
  ['the certificate, SHA-256', [tlsa(3, 0, 1)]],
  ['the certificate in full', [tlsa(3, 0, 0)]],
  ['one of two', [wrong, ee]],
  ['one beside unusable ones', [tlsa(0, 0, 1), { ...ee, matchingType: 7 }, ee]],
])('%s matches (usage 3): delivered, whatever name the certificate is for', async (_name, records) => {
  expect(await send(domainWith(records))).toEqual(['delivered', '', verified])
})

test('the dates of a certificate that DNSSEC names do not count (RFC 7672 §3.1.1)', async () => {
  const domain = domainWith([tlsa(3, 1, 1, expired.x509)])
  expect(await send(domain, { ...good, certificate: expired })).toEqual(['delivered', '', verified])
})

test.each<[string, TlsaZone[], MxScript]>([
  ['no record matches', [wrong], good],
  ['the digest is another', [{ ...ee, data: '00'.repeat(32) }], good],
  ['there is no TLS (D-12)', [ee], {}],
  ['TLS is refused', [ee], { starttls: 'refused' }],
  ['TLS breaks', [ee], { starttls: 'garbage' }],
  ['TLS is old', [ee], { ...good, tlsMax: 'TLSv1.1' }],
  ['the authority is named and the certificate is for another name', [ta()], good],
])('%s: the mail waits and never leaves', async (_name, records, script) => {
  const count = system.mx.messages.length
  const [state, enhanced, tls] = await send(domainWith(records), script)
  expect([state, enhanced!.slice(0, 4), tls]).toEqual(['deferred', '4.7.', null])
  expect(system.mx.messages.length).toBe(count)
})

test.each<[string, TlsaZone]>([
  ['certificate, SHA-256', ta()],
  ['certificate in full', ta(0, 0)],
  ['key, SHA-512', ta(1, 2)],
])(
  "the authority's %s (usage 2): a certificate of it for the exchanger's name is good",
  async (_name, record) => {
    const domain = domainWith([record])
    const certificate = authority.issue(`mx.${domain}`)
    expect(await send(domain, { ...good, certificate })).toEqual(['delivered', '', verified])
  },
)

test('of an authority (usage 2) an expired certificate is not good', async () => {
  const domain = domainWith([ta()])
  const certificate = authority.issue(`mx.${domain}`, { expired: true })
  expect((await send(domain, { ...good, certificate })).slice(0, 2)).toEqual(['deferred', '4.7.5'])
})

test("of an authority (usage 2) another's certificate under its name is not good", async () => {
  const domain = domainWith([ta()])
  const certificate = new FakeAuthority().issue(`mx.${domain}`)
  expect((await send(domain, { ...good, certificate })).slice(0, 2)).toEqual(['deferred', '4.7.5'])
})

const unusable: TlsaZone[] = [tlsa(0, 0, 1), tlsa(1, 1, 1), { ...ee, data: 'abcd' }]

test('records of which none is usable: TLS is needed, the certificate is not looked at (RFC 7672 §2.2)', async () => {
  const [state, , tls] = await send(domainWith(unusable))
  expect([state, tls!.replace(/\(.*\)/, '()')]).toEqual([
    'delivered',
    'TLSv1.3 TLS_AES_256_GCM_SHA384; unverified (); dane',
  ])
  expect((await send(domainWith(unusable), {})).slice(0, 2)).toEqual(['deferred', '4.7.4'])
})

test.each<[string, Parameters<typeof domainWith>[1]]>([
  ['the MX', { mx: { signed: false } }],
  ["the exchanger's address", { host: { signed: false } }],
  ['the TLSA record', { tlsa: { signed: false } }],
])('where %s is not signed there is no DANE', async (_name, change) => {
  expect(await send(domainWith([wrong], change), {})).toEqual([
    'delivered',
    '',
    'plain text; opportunistic (not offered)',
  ])
})

test('a domain without MX has DANE by its own name, as far as "no MX" is signed', async () => {
  for (const signed of [true, false]) {
    const domain = `d${++domains}.dane.test`
    const { zones } = system.dns
    zones[domain] = { A: [system.mx.address], signed }
    zones[`_${system.mx.port}._tcp.${domain}`] = { TLSA: [wrong], signed: true }
    expect((await send(domain))[0]).toBe(signed ? 'deferred' : 'delivered')
  }
})

test.each(['SERVFAIL', 'silence', 'garbage'] as const)(
  'where %s hides the TLSA records, that exchanger is not used',
  async (fails) => {
    const count = system.mx.sessions.length
    const domain = domainWith([ee], { tlsa: { fails } })
    expect((await send(domain)).slice(0, 2)).toEqual(['deferred', '4.4.3'])
    expect(system.mx.sessions.length).toBe(count)
    // Another one is
    const { zones } = system.dns
    zones[`both-${domain}`] = {
      MX: [
        [10, `mx.${domain}`],
        [20, `mx.${domainWith([ee])}`],
      ],
      signed: true,
    }
    expect(await send(`both-${domain}`)).toEqual(['delivered', '', verified])
  },
)

test('the TLSA records of the name that a CNAME leads to come first (RFC 7672 §2.2.2)', async () => {
  const target = domainWith([ee])
  const domain = domainWith([wrong], { host: { A: [], CNAME: `mx.${target}`, signed: true } })
  expect(await send(domain)).toEqual(['delivered', '', verified])
})

test('without DNS_DNSSEC nothing of this is believed', async () => {
  const other = await startSystem({ mx: {}, outbound: {} })
  const domain = other.freshDomain()
  for (const zone of Object.values(other.dns.zones)) zone.signed = true
  other.dns.zones[`_${other.mx.port}._tcp.mx1.${domain}`] = { TLSA: [wrong], signed: true }
  const id = await other.postel.submit({ to: `reader@${domain}`, data: message() })
  expect(await other.postel.finalStates(id)).toEqual([`reader@${domain} delivered`])
  expect(other.dns.questions.filter((question) => question.startsWith('TLSA'))).toEqual([])
  await other.stop()
})

test('REQUIRETLS is satisfied by DNSSEC, DANE and the extension (RFC 8689)', async () => {
  const { postel, mx } = system
  mx.script = { ...good, extensions: ['REQUIRETLS'] }
  const domain = domainWith([ee])
  const client = await postel.session('STARTTLS')
  await client.say('MAIL FROM:<sender@example.test> REQUIRETLS', 250)
  await client.say(`RCPT TO:<reader@${domain}>`, 250)
  await client.say('DATA', 354)
  client.write(`${message()}.\r\n`)
  const id = /queued as (\S+)/.exec(await client.expect(250))![1]!
  expect(await postel.finalStates(id)).toEqual([`reader@${domain} delivered`])
  expect(mx.messages.at(-1)!.commands[0]).toMatch(/ REQUIRETLS$/)
})

test('sessions are counted for TLS reports, by domain, policy, exchanger and result', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postel-dane-'))
  await writeFile(join(directory, 'ca.pem'), authority.cert)
  const other = await startSystem({ mx: good, outbound: false })
  const outbound = await other.postel.startOutbound({
    ...other.outboundEnv,
    DNS_DNSSEC: 'true',
    DELIVERY_CA_FILE: join(directory, 'ca.pem'),
  })
  const { zones } = other.dns
  const [broken, plain] = [other.freshDomain(), other.freshDomain()]
  for (const zone of Object.values(zones)) zone.signed = true
  zones[`_${other.mx.port}._tcp.mx1.${broken}`] = { TLSA: [wrong], signed: true }
  for (const domain of [broken, plain]) {
    const id = await other.postel.submit({ to: `reader@${domain}`, data: message() })
    await other.postel.settled(id)
  }
  await outbound.stop()
  const rows = await other.postel.sql`
    select policy_domain as domain, policy_type as type, mx_host as mx, ip_id > 0 as ip, result, sessions::int
    from postel.tls_results where day >= (now() at time zone 'UTC')::date - 1 order by policy_domain`
  expect(rows.map((row) => ({ ...row }))).toEqual([
    {
      domain: broken,
      type: 'tlsa',
      mx: `mx1.${broken}`,
      ip: true,
      result: 'validation-failure',
      sessions: 1,
    },
    { domain: plain, type: 'no-policy-found', mx: `mx1.${plain}`, ip: true, result: 'success', sessions: 1 },
  ])
  await other.stop()
  await rm(directory, { recursive: true })
})
