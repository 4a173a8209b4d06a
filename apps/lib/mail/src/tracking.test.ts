/** What is added to which messages, read back by a MIME parser that is not ours. */
import { randomBytes, randomUUID } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { simpleParser } from 'mailparser'
import { composeMessage } from './compose.ts'
import { normaliseMessage } from './normalise.ts'
import { type MailFeatures, MailLinks } from './tracking.ts'

const all: MailFeatures = {
  unsubscribe: true,
  openTracking: true,
  clickTracking: true,
  trackingHost: 'links.example.test',
}
const projectId = randomUUID()
const one = [{ address: 'bob@dest.test' }]
const two = [...one, { address: 'ann@dest.test' }]

function linksWith(features: MailFeatures | undefined): MailLinks {
  return new MailLinks({
    secrets: [randomBytes(32).toString('base64')],
    publicUrl: 'https://mail.example.test:8443',
    featuresOf: () => features,
  })
}

const links = linksWith(all)

function normalised(message: string | Buffer): Buffer {
  const result = normaliseMessage(Buffer.from(message), {
    hostname: 'mx.test',
    now: new Date(0),
    protocol: 'ESMTP',
  })
  if ('refused' in result) throw new Error(result.reason)
  return result.raw
}

function add(raw: Buffer, recipients = one, by = links) {
  return by.add({ projectId, signingDomain: 'example.test', recipients, raw })
}

const html = '<body><a href="https://shop.test/?a=1&amp;b=ü">Shop</a> <a href="mailto:x@y.test">m</a></body>'

async function composed(parts: { html?: string; text?: string; attachments?: [] } = { html, text: 'hi' }) {
  const result = await composeMessage({
    from: 'a@example.test',
    to: ['bob@dest.test'],
    subject: 's',
    attachments: [
      { filename: 'a.html', content: Buffer.from(html), contentType: 'text/html' },
      { filename: 'i.png', content: randomBytes(500), contentType: 'image/png', contentId: 'i' },
    ],
    ...parts,
  })
  if ('field' in result) throw new Error(result.problem)
  return normalised(result.raw)
}

const rfc822 = (type: string, body: string, ...fields: string[]) =>
  normalised(
    ['From: a@example.test', 'MIME-Version: 1.0', `Content-Type: ${type}`, ...fields, '', body].join('\r\n'),
  )

test('List-Unsubscribe names the recipient and the project, and stands in the header', async () => {
  const raw = await composed()
  const added = (await add(raw))!
  const headers = added.raw.toString('latin1', 0, added.raw.indexOf('\r\n\r\n'))
  expect(headers).toContain('\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click')
  const [, url, token] =
    /\r\nList-Unsubscribe: <(https:\/\/mail\.example\.test:8443\/unsubscribe\/([\w-]+))>/.exec(headers)!
  expect(url!.length).toBeLessThan(900)
  expect(links.tokens.read('unsubscribe', token!)).toEqual({
    projectId,
    ref: added.ref,
    at: expect.any(Date),
    number: 1,
    text: 'bob@dest.test',
  })
})

test.each<[string, MailFeatures, { address: string }[], string[]]>([
  ['to several recipients', { ...all, trackingHost: null }, two, []],
  [
    'with a List-Unsubscribe of its own',
    { ...all, trackingHost: null },
    one,
    ['List-Unsubscribe: <mailto:a@b.test>'],
  ],
  ['with a signature of its own', all, one, ['DKIM-Signature: v=1; h=from; b=x']],
  ['where nothing is on', { ...all, unsubscribe: false, trackingHost: null }, one, []],
])('a message passes untouched: %s', async (_name, features, recipients, fields) => {
  const raw = rfc822('text/html', html, ...fields)
  expect(await add(raw, recipients, linksWith(features))).toBeUndefined()
})

test('of a message with all sorts of parts, only the HTML that is shown changes', async () => {
  const raw = await composed()
  const before = await simpleParser(raw)
  const added = (await add(raw))!
  const after = await simpleParser(added.raw)
  const [, token] = /href="https:\/\/links\.example\.test:8443\/c\/([\w-]+)"/.exec(String(after.html))!
  expect(links.tokens.read('click', token!)).toMatchObject({
    text: 'https://shop.test/?a=1&b=ü',
    ref: added.ref,
  })
  expect(String(after.html)).toContain('<a href="mailto:x@y.test">')
  expect(String(after.html)).toMatch(
    /<img src="https:\/\/links\.example\.test:8443\/o\/[\w-]+\.gif"[^>]*><\/body>/,
  )
  const back = String(after.html)
    .replace(/https:\/\/links[^"]*\/c\/[\w-]+/, 'https://shop.test/?a=1&amp;b=ü')
    .replace(/<img src="https:\/\/links[^>]*>/, '')
  expect(back).toBe(before.html)
  expect(after.text).toBe(before.text)
  expect(after.attachments.map(({ content }) => content)).toEqual(
    before.attachments.map(({ content }) => content),
  )
})

test('to several recipients, tokens are of the message and of nobody', async () => {
  const added = (await add(await composed(), two))!
  const [, token] = /\/c\/([\w-]+)/.exec(String((await simpleParser(added.raw)).html))!
  expect(links.tokens.read('click', token!)!.number).toBeNull()
})

test('links are replaced with click tracking alone, the image comes with open tracking alone', async () => {
  const raw = await composed()
  const shown = async (features: Partial<MailFeatures>) =>
    String(
      (await simpleParser((await add(raw, one, linksWith({ ...all, unsubscribe: false, ...features })))!.raw))
        .html,
    )
  const clicks = await shown({ openTracking: false })
  expect([clicks.includes('/c/'), clicks.includes('/o/')]).toEqual([true, false])
  const opens = await shown({ clickTracking: false })
  expect([opens.includes('/c/'), opens.includes('/o/')]).toEqual([false, true])
})

test("links of unsubscription stay: those of the message's own header, and ours", async () => {
  const own = 'https://shop.test/leave?u=1'
  const body = `<a href="${own}"></a><a href="https://mail.example.test:8443/unsubscribe/x"></a><a href="https://shop.test/">`
  const added = (await add(rfc822('text/html', body, `List-Unsubscribe: <mailto:u@b.test>, <${own}>`)))!
  const changed = String((await simpleParser(added.raw)).html)
  expect(changed).toContain(
    `<a href="${own}"></a><a href="https://mail.example.test:8443/unsubscribe/x"></a>`,
  )
  expect(changed.match(/\/c\//g)).toHaveLength(1)
})

const multipart = (subtype: string, part: string, parameters = '') =>
  [
    `multipart/${subtype}; boundary=b1${parameters}`,
    `--b1\r\n${part}\r\n--b1\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n--b1--\r\n`,
  ] as const
const htmlPart = `Content-Type: text/html\r\n\r\n${html}`
const tracking = linksWith({ ...all, unsubscribe: false })

test.each<[string, readonly [string, string]]>([
  ['signed', multipart('signed', htmlPart, '; protocol="application/pkcs7-signature"')],
  ['encrypted', multipart('encrypted', htmlPart)],
  ['a report', multipart('report', htmlPart)],
  ['S/MIME', ['application/pkcs7-mime; smime-type=signed-data', html]],
  [
    'signed within a list',
    multipart('mixed', `Content-Type: multipart/signed; boundary=b2\r\n\r\n--b2\r\n${htmlPart}\r\n--b2--`),
  ],
  ['a forwarded message', multipart('mixed', `Content-Type: message/rfc822\r\n\r\n${htmlPart}`)],
  [
    'an attached page',
    multipart('mixed', htmlPart.replace('\r\n\r\n', '\r\nContent-Disposition: attachment\r\n\r\n')),
  ],
  ['plain text', ['text/plain', html]],
  [
    'an encoding nobody knows',
    multipart('mixed', htmlPart.replace('\r\n\r\n', '\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n')),
  ],
  ['a charset that does not extend ASCII', ['text/html; charset=utf-16', html]],
  ['a charset nobody knows', ['text/html; charset=x-y', html]],
  ['cut off', ['multipart/mixed; boundary=b1', `--b1\r\n${htmlPart}`]],
  ['without a boundary', ['multipart/mixed', `--b1\r\n${htmlPart}\r\n--b1--\r\n`]],
])('never rewritten: %s', async (_name, [type, body]) => {
  expect(await add(rfc822(type, body), one, tracking)).toBeUndefined()
})

test.each<[string, string, string | Buffer]>([
  ['7bit', '7bit', html.replace('ü', 'u')],
  ['8bit', '8bit', html],
  [
    'quoted-printable',
    'quoted-printable',
    html.replace('ü', '=C3=BC').replace('Shop</a>', 'Sh=\r\nop</a>').replace('&amp;b=', '&amp;b=3D'),
  ],
  ['base64', 'base64', Buffer.from(html).toString('base64')],
])('a part in %s is read and written', async (_name, encoding, body) => {
  const raw = rfc822('text/html; charset=UTF-8', String(body), `Content-Transfer-Encoding: ${encoding}`)
  const added = (await add(raw, one, tracking))!
  expect(
    added.raw
      .toString('latin1')
      .split('\r\n')
      .every((line) => line.length <= 998),
  ).toBe(true)
  const shown = String((await simpleParser(added.raw)).html)
  const [, token] = /href="https:\/\/links\.example\.test:8443\/c\/([\w-]+)">Shop</.exec(shown)!
  expect(tracking.tokens.read('click', token!)!.text).toMatch(/^https:\/\/shop\.test\/\?a=1&b=[uü]$/)
})

test('a text of another charset stays in it', async () => {
  const body = Buffer.from('<p>gr\xfcn</p><a href="https://shop.test/\xfc">x</a>', 'latin1')
  const raw = normalised(
    Buffer.concat([
      Buffer.from('From: a@example.test\r\nContent-Type: text/html; charset="ISO-8859-1"\r\n\r\n'),
      body,
    ]),
  )
  const added = (await add(raw, one, tracking))!
  const shown = String((await simpleParser(added.raw)).html)
  expect(shown).toContain('<p>grün</p>')
  expect(tracking.tokens.read('click', /\/c\/([\w-]+)/.exec(shown)![1]!)!.text).toBe('https://shop.test/ü')
})

test('what looks like a delimiter once it is decoded does not end a part', async () => {
  const part =
    'Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<pre>\r\n=2D-b1--\r\n</pre><a href=3D"https://shop.test/">x</a>'
  const added = (await add(rfc822(...multipart('alternative', part)), one, tracking))!
  const shown = String((await simpleParser(added.raw)).html)
  expect(shown).toMatch(/--b1--[\s\S]*\/c\//)
})

test('a thousand parts, or levels without end, are left alone quickly', async () => {
  const startedAt = performance.now()
  const many = `--b1\r\n${htmlPart}\r\n`.repeat(1_000)
  expect(
    await add(rfc822('multipart/mixed; boundary=b1', `${many}--b1--\r\n`), one, tracking),
  ).toBeUndefined()
  const deep = Array.from(
    { length: 50 },
    (_, n) => `--d${n}\r\nContent-Type: multipart/mixed; boundary=d${n + 1}\r\n\r\n`,
  )
  expect(await add(rfc822('multipart/mixed; boundary=d0', deep.join('')), one, tracking)).toBeUndefined()
  expect(performance.now() - startedAt).toBeLessThan(10_000)
})

test('what was added can be taken off again, whatever the quotes, and added for another recipient', async () => {
  const body = `<body><a href="https://shop.test/?a=1&amp;b=2">x</a><a href=https://shop.test/?c=%22&amp;d>y</a></body>`
  const raw = rfc822('text/html; charset=utf-8', body, 'Content-Transfer-Encoding: quoted-printable')
  const added = (await add(raw))!
  const plain = links.without(added.raw)
  const [before, after] = [await simpleParser(raw), await simpleParser(plain)]
  const decoded = (html: unknown) =>
    String(html)
      .replace(/&(?:amp|#38);/g, '&')
      .replace(/&#34;/g, '"')
  expect(decoded(after.html)).toBe(decoded(before.html))
  expect(plain.toString('latin1')).not.toMatch(/list-unsubscribe/i)
  const again = (await add(plain, [{ address: 'ann@dest.test' }]))!
  const [, token] = /\/unsubscribe\/([\w-]+)>/.exec(again.raw.toString('latin1'))!
  expect(links.tokens.read('unsubscribe', token!)!.text).toBe('ann@dest.test')
  expect(String((await simpleParser(again.raw)).html).match(/\/o\//g)).toHaveLength(1)
})

test("another installation's links and a List-Unsubscribe of the author's own stay", async () => {
  const theirs = (await add(await composed(), one, linksWith(all)))!
  expect(links.without(theirs.raw).toString('latin1')).toBe(theirs.raw.toString('latin1'))
  const own = rfc822('text/plain', 'x', 'List-Unsubscribe: <https://shop.test/u>')
  expect(links.without(own)).toEqual(own)
})

test('quoted-printable of nothing but spaces costs little', async () => {
  const line = `${' '.repeat(990)}x\r\n`
  const raw = rfc822('text/html', line.repeat(10_000), 'Content-Transfer-Encoding: quoted-printable')
  const startedAt = performance.now()
  await add(raw, one, tracking)
  expect(performance.now() - startedAt).toBeLessThan(20_000)
})
