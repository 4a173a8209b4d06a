// Every form of an address has one fixed answer, and what is accepted is stored in the one form it will be sent in.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, message, type Postel, startPostel } from '../support/postel.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel({ domains: ['example.test', 'xn--bcher-kva.test'] })
})

afterAll(() => postel.stop())

const utf8 = (text: string) => Buffer.from(text).toString('latin1')
const long = (count: number) => 'x'.repeat(count)

/** `sent` goes behind `RCPT TO:`; `stored` is the recipient of the stored message. */
const accepted = [
  { form: 'a plain address', sent: '<a@dest.test>', stored: 'a@dest.test' },
  { form: 'a space behind the colon', sent: ' <a@dest.test>', stored: 'a@dest.test' },
  { form: 'capitals', sent: '<A.b@DEST.Test>', stored: 'A.b@dest.test' },
  {
    form: 'a source route, which is dropped',
    sent: '<@relay.test,@r2.test:a@dest.test>',
    stored: 'a@dest.test',
  },
  { form: 'a percent hack, opaque', sent: '<a%b@dest.test>', stored: 'a%b@dest.test' },
  { form: 'a bang path, opaque', sent: '<a!b@dest.test>', stored: 'a!b@dest.test' },
  { form: 'a pipe, opaque', sent: '<|cmd@dest.test>', stored: '|cmd@dest.test' },
  { form: 'needless quotes, which are dropped', sent: '<"ab"@dest.test>', stored: 'ab@dest.test' },
  { form: 'quotes that are needed', sent: '<"a,b"@dest.test>', stored: '"a,b"@dest.test' },
  { form: 'an A-label', sent: '<a@xn--bcher-kva.test>', stored: 'a@xn--bcher-kva.test' },
  { form: 'a U-label', sent: utf8('<a@bücher.test>'), stored: 'a@xn--bcher-kva.test' },
  { form: 'a full-width dot (IDNA: a dot)', sent: utf8('<a@dest．test>'), stored: 'a@dest.test' },
  { form: 'a local part of 64', sent: `<${long(64)}@dest.test>`, stored: `${long(64)}@dest.test` },
]

const refused = [
  { form: 'empty', sent: '<>', code: 501 },
  { form: 'no brackets', sent: 'a@dest.test', code: 501 },
  { form: 'an unclosed bracket', sent: '<a@dest.test', code: 501 },
  { form: 'nested brackets', sent: '<<a@dest.test>>', code: 501 },
  { form: 'trailing junk', sent: '<a@dest.test>x', code: 501 },
  { form: 'a parameter nobody knows', sent: '<a@dest.test> FOO=bar', code: 555 },
  { form: 'no domain', sent: '<a>', code: 501 },
  { form: 'postmaster without a domain', sent: '<postmaster>', code: 501 },
  { form: 'no local part', sent: '<@dest.test>', code: 501 },
  { form: 'a semicolon', sent: '<;ls@dest.test>', code: 501 },
  { form: 'a quoted local part with a space', sent: '<"a b"@dest.test>', code: 501 },
  { form: 'a quoted @', sent: '<"a@b"@dest.test>', code: 501 },
  { form: 'two @', sent: '<a@b@dest.test>', code: 501 },
  { form: 'a port', sent: '<a@dest.test:2525>', code: 501 },
  { form: 'an IPv4 literal', sent: '<a@[127.0.0.1]>', code: 501 },
  { form: 'an IPv6 literal', sent: '<a@[IPv6:::1]>', code: 501 },
  { form: 'an IPv4 address', sent: '<a@127.0.0.1>', code: 501 },
  { form: 'localhost', sent: '<a@localhost>', code: 501 },
  { form: 'a single label', sent: '<a@single>', code: 501 },
  { form: 'two dots', sent: '<a..b@dest.test>', code: 501 },
  { form: 'a dot in front', sent: '<.a@dest.test>', code: 501 },
  { form: 'a trailing dot', sent: '<a@dest.test.>', code: 501 },
  { form: 'an underscore in the domain', sent: '<a@de_st.test>', code: 501 },
  { form: 'a local part of 65', sent: `<${long(65)}@dest.test>`, code: 501 },
  { form: 'a path of 256', sent: `<a@${`${long(60)}.`.repeat(4)}${long(8)}.test>`, code: 501 },
  { form: 'bad IDNA', sent: '<a@xn--a.test>', code: 501 },
  { form: 'a right-to-left override', sent: utf8('<a\u202e@dest.test>'), code: 501 },
  { form: 'a zero-width space', sent: utf8('<a@de\u200bst.test>'), code: 501 },
  { form: 'a full-width @', sent: utf8('<a＠dest.test>'), code: 501 },
  { form: 'a UTF-8 local part without SMTPUTF8', sent: utf8('<ü@dest.test>'), code: 553 },
]

describe.each(channels)('over %s', (channel) => {
  test.each(accepted)('RCPT with $form is accepted', async ({ sent, stored }) => {
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@example.test>', 250)
    await client.say(`RCPT TO:${sent}`, 250)
    await client.say('DATA', 354)
    client.write(`${message()}.\r\n`)
    await client.expect(250)
    expect((await postel.stored()).at(-1)!.recipients).toEqual([stored])
  })

  test('RCPT in all other forms is refused', async () => {
    const seen: { form: string; sent: string; code: number }[] = []
    for (const { form, sent } of refused) {
      const client = await postel.session(channel)
      await client.say('MAIL FROM:<sender@example.test>', 250)
      const code = await client.code(`RCPT TO:${sent}`)
      await client.say('DATA', 503)
      seen.push({ form, sent, code })
    }
    expect(seen).toEqual(refused)
  })

  test('MAIL in the same forms is refused, but for the null sender', async () => {
    const seen: { form: string; sent: string; code: number }[] = []
    for (const { form, sent } of refused) {
      const client = await postel.session(channel)
      seen.push({ form, sent, code: await client.code(`MAIL FROM:${sent.replace(/dest/g, 'example')}`) })
    }
    expect(seen).toEqual(refused.map((row) => (row.sent === '<>' ? { ...row, code: 250 } : row)))
  })

  test('a UTF-8 local part is accepted with SMTPUTF8, else 553 5.6.7 (P-51)', async () => {
    const client = await postel.session(channel)
    await client.say('MAIL FROM:<sender@example.test>', 250)
    await client.say(utf8('RCPT TO:<ü@dest.test>'), /^553 5\.6\.7 /)
    await client.say('RSET', 250)
    await client.say('MAIL FROM:<sender@example.test> SMTPUTF8', 250)
    await client.say(utf8('RCPT TO:<ü@dest.test>'), 250)
    await client.say('DATA', 354)
    client.write(`${message()}.\r\n`)
    await client.expect(250)
    expect((await postel.stored()).at(-1)!.recipients).toEqual(['ü@dest.test'])
  })
})
