// What arrives carries an RSA and an Ed25519 signature that an independent verifier accepts, and that no added header survives.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { dkimVerify } from 'mailauth/lib/dkim/verify.js'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System
let records: Map<string, string>

beforeAll(async () => {
  system = await startSystem({ dkim: ['rsa-sha256', 'ed25519-sha256'] })
  const keys = await system.postel.sql`
    select d.name, k.selector, k.algorithm, k.public_key from postel.dkim_keys k
    join postel.domains d on d.id = k.domain_id`
  records = new Map(
    keys.map(({ name, selector, algorithm, public_key }) => [
      `${selector}._domainkey.${name}`,
      `v=DKIM1; k=${algorithm.split('-')[0]}; p=${public_key}`,
    ]),
  )
})

afterAll(() => system.stop())

async function resolver(name: string, type: string): Promise<string[][]> {
  const record = type === 'TXT' ? records.get(name) : undefined
  if (!record) throw Object.assign(new Error(`no ${type} ${name}`), { code: 'ENOTFOUND' })
  return [[record]]
}

/** `rsa-sha256 pass`, in order. */
async function verify(raw: string): Promise<string[]> {
  const { results } = await dkimVerify(Buffer.from(raw, 'latin1'), { resolver })
  return results.map(({ algo, status }) => `${algo} ${status.result}`).sort()
}

async function arrived(data: string, from = 'sender@example.test'): Promise<string> {
  const { postel, mx } = system
  await postel.settled(await postel.submit({ from, to: 'reader@dest.test', data }))
  return mx.messages.at(-1)!.content
}

const passes = ['ed25519-sha256 pass', 'rsa-sha256 pass']

test.each([
  ['plain text', message('Hello\r\n', 'To: reader@dest.test')],
  ['dots and empty lines', message('..\r\n.x\r\n\r\n\r\n')],
  ['an empty body', message('')],
  ['bare line feeds', message('one\ntwo\n\nthree\n')],
  [
    'folded and 8-bit headers',
    message('x\r\n', 'To: reader@dest.test,\r\n\tother@dest.test', 'X-A: caf\xc3\xa9'),
  ],
  ['spaces everywhere', message('a  b \t\r\n \r\n', 'Reply-To:    <a@example.test>  ')],
  ['100 KB', message(`${'0123456789'.repeat(7)}\r\n`.repeat(1_500))],
])('%s', async (_name, data) => {
  expect(await verify(await arrived(data))).toEqual(passes)
})

test('a subdomain is signed by the domain it belongs to', async () => {
  const raw = await arrived('From: a@news.example.test\r\n\r\nx\r\n', 'a@news.example.test')
  expect(await verify(raw)).toEqual(passes)
  expect(raw).toMatch(/^DKIM-Signature:.* d=example\.test;/)
})

test.each([
  'From: evil@x.test',
  'Subject: other',
  'To: victim@x.test',
  'Date: now',
  'Reply-To: evil@x.test',
  'Cc: x@x.test',
])('another "%s" breaks both signatures', async (header) => {
  const raw = await arrived(message('Hello\r\n', 'To: reader@dest.test'))
  const signatures = raw.indexOf('\r\nReceived:') + 2
  const changed = `${raw.slice(0, signatures)}${header}\r\n${raw.slice(signatures)}`
  expect(await verify(raw)).toEqual(passes)
  expect(await verify(changed)).toEqual(['ed25519-sha256 fail', 'rsa-sha256 fail'])
})
