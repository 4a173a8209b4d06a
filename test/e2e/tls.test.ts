// TLS is used wherever it works, broken TLS does not hold mail up that nobody asked to protect, and nothing said before it counts.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { FakeAuthority } from '../support/certificates.ts'
import type { MxScript } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

/** What the remote does, and whose certificate it has where that is not one that nobody vouches for. */
type Remote = MxScript & { has?: 'good' | 'expired' | 'another' }

const authority = new FakeAuthority()

let system: System
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postel-tls-'))
  await writeFile(join(directory, 'ca.pem'), authority.cert)
  system = await startSystem({
    mx: { starttls: 'works' },
    outbound: false,
  })
  await system.postel.sql`
    insert into postel.destination_rules (name, domains, tls) values ('strict', '{*.strict.test}', 'enforced')`
  await system.postel.startOutbound({
    ...system.outboundEnv,
    DELIVERY_COMMAND_SECONDS: '5',
    DELIVERY_CA_FILE: join(directory, 'ca.pem'),
  })
})

afterAll(async () => {
  await system.stop()
  await rm(directory, { recursive: true })
})

/** A domain whose mail may only leave over TLS with a good certificate. */
let strictDomains = 0
function strictDomain(): string {
  const name = `d${++strictDomains}.strict.test`
  system.dns.zones[name] = { MX: [[10, `mx1.${name}`]] }
  system.dns.zones[`mx1.${name}`] = { A: [system.mx.address] }
  return name
}

/** What became of one message to a domain without sessions: state, enhanced code, category, how often it was sent, TLS. */
async function send({ has, ...script }: Remote, domain: string, requireTls = false) {
  const { postel, mx } = system
  mx.dropSessions()
  const name = has === 'another' ? 'other.test' : `mx1.${domain}`
  const certificate = has && authority.issue(name, { expired: has === 'expired' })
  mx.script = { ...script, ...(certificate && { certificate }) }
  const count = mx.messages.length
  const client = await postel.session('STARTTLS')
  await client.say(`MAIL FROM:<sender@example.test>${requireTls ? ' REQUIRETLS' : ''}`, 250)
  await client.say(`RCPT TO:<reader@${domain}>`, 250)
  await client.say('DATA', 354)
  client.write(`${message()}.\r\n`)
  const id = /queued as (\S+)/.exec(await client.expect(250))![1]!
  const [delivery] = await postel.settled(id)
  const attempts = await postel.attempts(id)
  return {
    state: delivery!.state,
    attempts: attempts.length,
    enhanced: attempts[0]!.enhanced,
    category: attempts[0]!.category,
    tls: attempts[0]!.tls,
    reply: delivery!.reply,
    encrypted: mx.messages.slice(count).map(({ tls }) => tls),
  }
}

test('a self-signed certificate is good enough for opportunistic TLS', async () => {
  expect(await send({ starttls: 'works' }, system.freshDomain())).toMatchObject({
    state: 'delivered',
    encrypted: [true],
    tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384; unverified (DEPTH_ZERO_SELF_SIGNED_CERT); opportunistic',
  })
})

test('old TLS is better than none (D-10)', async () => {
  const result = await send({ starttls: 'works', tlsMax: 'TLSv1' }, system.freshDomain())
  expect(result).toMatchObject({ state: 'delivered', encrypted: [true] })
  expect(result.tls).toMatch(/^TLSv1 \S+; unverified \(DEPTH_ZERO_SELF_SIGNED_CERT\); opportunistic$/)
})

test('a certificate that is good is said to be', async () => {
  const { tls } = await send({ starttls: 'works', has: 'good' }, system.freshDomain())
  expect(tls).toBe('TLSv1.3 TLS_AES_256_GCM_SHA384; verified; opportunistic')
})

test.each<[MxScript['starttls'], string]>([
  [undefined, 'not offered'],
  ['refused', 'refused: 454 4.7.0 TLS not available'],
  ['garbage', 'handshake failed: packet length too long'],
  ['closes', 'handshake failed: connection closed'],
  ['resets', 'handshake failed: connection closed'],
  ['breaks off', 'handshake failed: connection closed'],
])('STARTTLS %s: in plain text, and the attempt says why (D-10)', async (starttls, why) => {
  const result = await send(starttls ? { starttls } : {}, system.freshDomain())
  expect(result).toMatchObject({
    state: 'delivered',
    attempts: 1,
    encrypted: [false],
    tls: `plain text; opportunistic (${why})`,
  })
})

test('after the message was offered there is no fallback to plain text (D-10)', async () => {
  const result = await send({ starttls: 'works', data: { reply: '', then: 'reset' } }, system.freshDomain())
  expect(result).toMatchObject({ state: 'deferred', attempts: 1, encrypted: [] })
  expect(system.mx.sessions.at(-1)!.tls).toBe(true)
})

test.each<[string, Remote, string]>([
  ['is not offered', {}, '4.7.4'],
  ['is refused', { starttls: 'refused' }, '4.7.4'],
  ['breaks', { starttls: 'garbage' }, '4.7.5'],
  ['is closed', { starttls: 'closes' }, '4.7.5'],
  ['is an old version', { starttls: 'works', tlsMax: 'TLSv1.1', has: 'good' }, '4.7.5'],
  ['has a certificate that nobody vouches for', { starttls: 'works' }, '4.7.5'],
  ['has an expired certificate', { starttls: 'works', has: 'expired' }, '4.7.5'],
  ["has another host's certificate", { starttls: 'works', has: 'another' }, '4.7.5'],
])('where TLS is enforced and %s: the mail waits (D-10)', async (_name, script, enhanced) => {
  expect(await send(script, strictDomain())).toMatchObject({
    state: 'deferred',
    enhanced,
    category: 'tls',
    encrypted: [],
  })
})

test('where TLS is enforced and the certificate is good: delivered', async () => {
  expect(await send({ starttls: 'works', has: 'good' }, strictDomain())).toMatchObject({
    state: 'delivered',
    encrypted: [true],
    tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384; verified; enforced',
  })
})

test.each<[string, Remote, string]>([
  ['is not offered', {}, 'deferred'],
  ['is refused', { starttls: 'refused' }, 'deferred'],
  ['breaks', { starttls: 'garbage' }, 'deferred'],
  ['has a certificate that nobody vouches for', { starttls: 'works' }, 'deferred'],
  [
    'is good, and neither DNSSEC nor MTA-STS vouches for the MX',
    { starttls: 'works', has: 'good' },
    'bounced',
  ],
])('REQUIRETLS, and STARTTLS %s: never sent (RFC 8689)', async (_name, script, state) => {
  const result = await send({ ...script, extensions: ['REQUIRETLS'] }, system.freshDomain(), true)
  expect(result).toMatchObject({ state, category: 'tls', encrypted: [] })
})

test('replies injected behind the 220 of STARTTLS are not believed (D-11)', async () => {
  const { mx } = system
  const script: MxScript = {
    starttls: { injects: '250-evil.test\r\n250 SIZE 10' },
    extensions: ['8BITMIME'],
  }
  expect(await send(script, system.freshDomain())).toMatchObject({
    state: 'delivered',
    reply: '250 2.0.0 ok',
    encrypted: [true],
  })
  expect(mx.sessions.at(-1)!.commands.filter((line) => line.startsWith('EHLO'))).toHaveLength(2)
})

test('a session in plain text is not used for mail that must be encrypted', async () => {
  const { postel, mx } = system
  mx.dropSessions()
  mx.script = {}
  const strict = strictDomain()
  system.dns.zones['relaxed.test'] = system.dns.zones[strict]!
  const first = await postel.submit({ to: 'reader@relaxed.test', data: message() })
  expect(await postel.finalStates(first)).toEqual(['reader@relaxed.test delivered'])
  const second = await postel.submit({ to: `reader@${strict}`, data: message() })
  expect(await postel.finalStates(second)).toEqual([`reader@${strict} deferred`])
})
