/** What is sent can be read back as it was. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test')
})
afterAll(() => api.stop())

const email = { from: 'ann@example.test', to: 'bob@dest.test', subject: 's' }

async function sendAndGet(fields: Record<string, unknown>) {
  const sent = await api.call('POST', '/emails', { key: tenant.key, body: { ...email, ...fields } })
  expect(sent.status).toBe(200)
  return (await api.call('GET', `/emails/${sent.body.id}`, { key: tenant.key })).body
}

describe('a body', () => {
  test.each([
    ['a line', 'a'],
    ['a last line that ends', 'a\nb\n'],
    ['empty lines at the end', 'a\n\n\n'],
    ['nothing', ''],
    ['spaces around lines', ' a  \n b \n-- \nsignature'],
    ['dots alone', '.\n..\n.\n'],
    ['From at a line start', 'From x\n>From y'],
    ['quoted-printable as text', '=41=3D\n=?utf-8?q?x?='],
    ['a line of 3,000 letters', 'x'.repeat(3_000)],
    ['a paragraph of 3,000 characters', 'é and x '.repeat(375)],
    ['other alphabets and emoji', 'ünï 日本語 العربية \u{1f600}\u200d\u{1f4bb}'],
    ['odd separators and controls', '\u2028\u2029\u0085\u00a0\t\f\v\x01\x1b[31m\x7f\ufeff\u202e'],
    ['markup', '<script>alert(1)</script>&amp;"\''],
    ['SQL and paths', `'; drop table x;-- ../../etc/passwd %00 \${7*7} {{7*7}}`],
  ])('%s', async (_, body) => {
    expect(await sendAndGet({ text: body })).toMatchObject({ text: body, html: null })
    expect(await sendAndGet({ html: body })).toMatchObject({ html: body, text: null })
    expect(await sendAndGet({ html: `<p>${body}</p>`, text: `${body}!` })).toMatchObject({
      html: `<p>${body}</p>`,
      text: `${body}!`,
    })
  })
})

describe('a subject', () => {
  test.each([
    ['nothing', ''],
    ['spaces around and inside', '  a   b '],
    ['an encoded word as text', '=?utf-8?q?x?='],
    ['emoji and alphabets', '\u{1f600} ünï 日本語 \u202eabc'],
    ['markup', '<b>=cmd()|"\'</b>'],
    ['many words', 'ünï ab '.repeat(100)],
  ])('%s', async (_, subject) => {
    expect(await sendAndGet({ subject, text: 't' })).toMatchObject({ subject })
  })
})

test.each([
  'Ann <ann@example.test>',
  '"Smith, Ann" <ann@example.test>',
  "Ann O'Brien <ann@example.test>",
  'Ünï 太郎 <ann@example.test>',
])('from and to as written: %s', async (address) => {
  const shown = await sendAndGet({ from: address, to: [address], cc: address, replyTo: [address], text: 't' })
  expect(shown).toMatchObject({ from: address, to: [address], cc: [address], reply_to: [address] })
})
