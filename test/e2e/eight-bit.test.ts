// 8-bit content reaches every remote: as it is where 8BITMIME is offered, else in 7 bits and signed as such, or it bounces.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { simpleParser } from 'mailparser'
import { dkimResults } from '../support/dkim-verifier.ts'
import type { FakeMx } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System
/** The first takes 8 bits, the second does not. */
let modern: FakeMx
let old: FakeMx

beforeAll(async () => {
  system = await startSystem({
    dkim: ['rsa-sha256', 'ed25519-sha256'],
    mx: [{ extensions: ['PIPELINING', '8BITMIME'] }, { extensions: ['PIPELINING'] }],
    zones: {
      'modern.test': { MX: [[10, 'mx1.remote.test']] },
      'old.test': { MX: [[10, 'mx2.remote.test']] },
    },
  })
  ;[modern, old] = system.mxs as [FakeMx, FakeMx]
})

afterAll(() => system.stop())

const latin1 = (text: string) => Buffer.from(text).toString('latin1')
const text = latin1('naïve, Größe = 1\r\n.\r\n..\r\ntrailing space \r\n\r\nПривет\r\n')
const utf8Text = 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8'
const parts = [
  '--b',
  'Content-Type: text/html; charset=utf-8',
  'Content-Transfer-Encoding: 8bit',
  '',
  latin1('<p>Grüße</p>'),
  '--b',
  'Content-Type: application/octet-stream; name=a.bin',
  'Content-Disposition: attachment; filename=a.bin',
  'Content-Transfer-Encoding: binary',
  '',
  '\x01\x80\xff\x7f',
  '--b--',
  '',
].join('\r\n')

async function read(content: string) {
  const mail = await simpleParser(Buffer.from(content, 'latin1'))
  return {
    text: mail.text,
    html: mail.html,
    attachments: mail.attachments.map((attachment) => attachment.content.toString('latin1')),
  }
}

test.each([
  ['labelled text', message(text, utf8Text, 'Content-Transfer-Encoding: 8bit')],
  ['text without any MIME header', message(text)],
  [
    'HTML and a binary attachment',
    message(parts, 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b'),
  ],
])('%s reads the same at both remotes, and both signatures hold', async (_name, data) => {
  const { postel } = system
  const id = await postel.submit({ to: ['a@modern.test', 'a@old.test'], data })
  expect(await postel.finalStates(id)).toEqual(['a@modern.test delivered', 'a@old.test delivered'])
  const [eight, seven] = [modern.messages.at(-1)!, old.messages.at(-1)!]
  expect([eight.commands[0], seven.commands[0]]).toEqual([
    'MAIL FROM:<sender@example.test> BODY=8BITMIME',
    'MAIL FROM:<sender@example.test>',
  ])
  expect(eight.content.endsWith(data.slice(data.indexOf('\r\n\r\n')))).toBe(true)
  expect(seven.wire).not.toMatch(/[^\0-\x7f]|\r(?!\n)|(?<!\r)\n|[^\r\n]{999}/)
  expect(await read(seven.content)).toEqual(await read(data))
  for (const { content } of [eight, seven])
    expect(await dkimResults(postel.sql, content)).toEqual(['ed25519-sha256 pass', 'rsa-sha256 pass'])
})

test.each([
  ['text in an unknown charset', message('na\xefve\r\n')],
  ['signed content', message(parts, 'MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b')],
  ['broken MIME', message(parts, 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed')],
])('%s is never sent raw: 5.6.3 at the remote that cannot take it', async (_name, data) => {
  const { postel } = system
  const count = old.messages.length
  const id = await postel.submit({ to: ['a@modern.test', 'a@old.test'], data })
  expect(await postel.finalStates(id)).toEqual(['a@modern.test delivered', 'a@old.test bounced'])
  const attempts = await postel.attempts(id)
  expect(attempts.map(({ number, enhanced }) => [number, enhanced]).sort()).toEqual([
    [1, '2.0.0'],
    [2, '5.6.3'],
  ])
  expect(old.messages).toHaveLength(count)
})
