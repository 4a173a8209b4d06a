// What arrives carries an RSA and an Ed25519 signature that an independent verifier accepts, and that no added header survives.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { dkimResults } from '../support/dkim-verifier.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({ dkim: ['rsa-sha256', 'ed25519-sha256'] })
})

afterAll(() => system.stop())

const verify = (raw: string) => dkimResults(system.postel.sql, raw)

async function arrived(data: string, from = 'sender@example.test'): Promise<string> {
  const { postel, mx } = system
  await postel.settled(await postel.submit({ from, to: 'reader@dest.test', data }))
  return mx.messages.at(-1)!.content
}

const passes = ['ed25519-sha256 pass', 'rsa-sha256 pass']
const fails = ['ed25519-sha256 fail', 'rsa-sha256 fail']

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
  ['lines of 998 octets', message(`${'.'.repeat(998)}\r\n`.repeat(50), `X-A: ${'a'.repeat(993)}`)],
  ['raw octets', message('\x01\x7f\x80\xff\t\r\n\xe9')],
  ['empty headers', message('x\r\n', 'To:', 'Cc: ', 'Reply-To:\r\n ')],
  [
    'one-click unsubscription',
    message(
      'x\r\n',
      'List-Unsubscribe: <https://example.test/u?t=1>,\r\n <mailto:u@example.test>',
      'List-Unsubscribe-Post: List-Unsubscribe=One-Click',
    ),
  ],
])('%s', async (_name, data) => {
  expect(await verify(await arrived(data))).toEqual(passes)
})

test('a subdomain is signed by the domain it belongs to', async () => {
  const raw = await arrived('From: a@news.example.test\r\n\r\nx\r\n', 'a@news.example.test')
  expect(await verify(raw)).toEqual(passes)
  expect(raw).toMatch(/^DKIM-Signature:.* d=example\.test;/)
})

const oversigned = [
  'From: evil@x.test',
  'Subject: other',
  'To: victim@x.test',
  'Date: now',
  'Message-ID: <other@x.test>',
  'Reply-To: evil@x.test',
  'Cc: x@x.test',
  'List-Unsubscribe: <https://x.test>',
  'List-Unsubscribe-Post: List-Unsubscribe=One-Click',
]

test.each(oversigned)('another "%s" breaks both signatures, wherever it stands', async (header) => {
  const raw = await arrived(message('Hello\r\n', 'To: reader@dest.test'))
  const top = raw.indexOf('\r\nReceived:') + 2
  const bottom = raw.indexOf('\r\n\r\n') + 2
  const added = [0, top, bottom].map((at) => `${raw.slice(0, at)}${header}\r\n${raw.slice(at)}`)
  expect(await verify(raw)).toEqual(passes)
  for (const changed of added) expect(await verify(changed)).toEqual(fails)
})

test.each([
  ['a letter of the body', (raw: string) => raw.replace('Hello', 'Hullo')],
  [
    'a line end at the end of the body, changed to a space',
    (raw: string) => raw.replace('Hello\r\n', 'Hello \r\n'),
  ],
  ['the subject', (raw: string) => raw.replace('Subject: test', 'Subject: text')],
  ['a header taken away', (raw: string) => raw.replace('Subject: test\r\n', '')],
])('%s breaks both signatures', async (_name, change) => {
  const raw = await arrived(message('Hello\r\n'))
  expect(change(raw)).not.toBe(raw)
  expect((await verify(change(raw))).filter((result) => result.endsWith('pass'))).toEqual([])
})
