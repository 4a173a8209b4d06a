/** The table of accepted and refused address forms, and the cost of hostile ones. */
import { describe, expect, test } from '@jest/globals'
import { isProblem, parseMailbox } from './address.ts'
import { fastestOfThree, soonMs } from './testing.ts'

describe('parseMailbox', () => {
  test.each([
    { name: 'plain', text: 'user@example.test', address: 'user@example.test' },
    {
      name: 'local part keeps its case, domain does not',
      text: 'User@EXAMPLE.Test',
      address: 'User@example.test',
    },
    {
      name: 'every atext character',
      text: "!#$%&'*+-/=?^_`{|}~@c.test",
      address: "!#$%&'*+-/=?^_`{|}~@c.test",
    },
    { name: 'percent hack is opaque', text: 'a%b@c.test', address: 'a%b@c.test' },
    { name: 'bang path is opaque', text: 'a!b@c.test', address: 'a!b@c.test' },
    { name: 'pipe is opaque', text: '|cmd@c.test', address: '|cmd@c.test' },
    { name: 'quoted with space', text: '"a b"@c.test', address: '"a b"@c.test' },
    {
      name: 'quoted address belongs to the outer domain',
      text: '"x@gmail.com y"@int.test',
      address: '"x@gmail.com y"@int.test',
    },
    { name: 'needless quotes go', text: '"a\\b"@c.test', address: 'ab@c.test' },
    { name: 'escapes are kept where needed', text: '"a\\"\\\\b"@c.test', address: '"a\\"\\\\b"@c.test' },
    { name: 'double dot when quoted', text: '"a..b"@c.test', address: '"a..b"@c.test' },
    { name: 'A-label', text: 'a@xn--bcher-kva.test', address: 'a@xn--bcher-kva.test' },
    { name: 'U-label', text: 'a@BÜCHER.test', address: 'a@xn--bcher-kva.test' },
    { name: 'local part of 64', text: `${'a'.repeat(64)}@c.test`, address: `${'a'.repeat(64)}@c.test` },
    { name: 'hyphens and digits', text: 'a@3-x.4chan.test', address: 'a@3-x.4chan.test' },
  ])('accepts: $name', ({ text, address }) => {
    const at = address.lastIndexOf('@')
    expect(parseMailbox(text)).toEqual({
      address,
      localPart: address.slice(0, at),
      domain: address.slice(at + 1),
    })
  })

  test.each([
    ['empty', ''],
    ['no @', 'a'],
    ['no local part', '@c.test'],
    ['empty quoted local part', '""@c.test'],
    ['space at an end of the local part', '" a"@c.test'],
    ['no domain', 'a@'],
    ['angle brackets', '<a@c.test>'],
    ['display name', 'Ann <a@c.test>'],
    ['source route', '@a.test,@b.test:u@c.test'],
    ['two addresses', 'a@b.test, c@d.test'],
    ['two @', 'a@example.com@evil.test'],
    ['shell', ';ls@c.test'],
    ['space in local part', 'a b@c.test'],
    ['space around @', 'a @c.test'],
    ['double dot', 'a..b@c.test'],
    ['leading dot', '.a@c.test'],
    ['trailing dot in local part', 'a.@c.test'],
    ['comment', 'user@good.com(x)evil.com'],
    ['comment in local part', 'a(x)@c.test'],
    ['unclosed quote', '"a@c.test'],
    ['text after quote', '"a"b@c.test'],
    ['angle brackets in quotes', '"<a@b.test>"@c.test'],
    ['encoded word', '=?utf-8?q?a=40evil.test=3E?=@c.test'],
    ['port', 'a@b.test:2525'],
    ['IPv4 literal', 'a@[127.0.0.1]'],
    ['IPv6 literal', 'a@[IPv6:::1]'],
    ['IPv4', 'a@127.0.0.1'],
    ['hex IPv4', 'a@0x7f.0x1'],
    ['localhost', 'a@localhost'],
    ['under localhost', 'a@b.localhost'],
    ['single label', 'a@single'],
    ['trailing dot', 'a@c.test.'],
    ['leading dot in domain', 'a@.c.test'],
    ['double dot in domain', 'a@c..test'],
    ['underscore', 'a@b_c.test'],
    ['leading hyphen', 'a@-c.test'],
    ['trailing junk', 'a@c.test junk'],
    ['trailing bracket', 'a@c.test>'],
    ['percent-encoded dot', 'a@é%2etest'],
    ['label of 64', `a@${'b'.repeat(64)}.test`],
    ['local part of 65', `${'a'.repeat(65)}@c.test`],
    ['local part of 66 octets, quoted', `"${'a '.repeat(32)}"@c.test`],
    ['address of 255', `${'a'.repeat(64)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.efghij.test`],
    ['bad A-label', 'a@xn--a.test'],
    ['empty A-label', 'a@xn--.test'],
    ['U+202E', 'a@exam\u202eple.test'],
    ['U+202E in local part', 'a\u202eb@c.test'],
    ['zero-width space', 'a\u200bb@c.test'],
    ['soft hyphen in domain', 'a@exam\u00adple.test'],
    ['full-width @', 'a\uff20c.test'],
    ['full-width @ in local part', 'a\uff20b.test@c.test'],
    ['full-width letters in domain', 'a@\uff45xample.test'],
    ['ideographic full stop', 'a@é\u3002test'],
    ['half a surrogate pair', 'a\ud83d@c.test'],
    ['NUL', 'a\0@c.test'],
    ['CR LF', 'a@c.test\r\nRCPT TO:<b@c.test>'],
    ['LF', 'a@c.test\n'],
    ['tab', 'a\t@c.test'],
    ['DEL', 'a\x7f@c.test'],
  ])('refuses: %s', (_name, text) => {
    const result = parseMailbox(text, { smtputf8: true })
    expect(isProblem(result) && result.problem).toMatch(/^[A-Z][ -~]{10,99}$/)
    expect(result).not.toHaveProperty('needsSmtputf8')
  })

  test('accepts a UTF-8 local part only with SMTPUTF8', () => {
    expect(parseMailbox('üser@c.test')).toMatchObject({ needsSmtputf8: true })
    expect(parseMailbox('üser@c.test', { smtputf8: true })).toMatchObject({
      localPart: 'üser',
      domain: 'c.test',
    })
  })

  test('reads its own result as the same mailbox', () => {
    for (const text of ['"a\\"b c"@c.test', '"\\a"@BÜCHER.test', 'A.b+c@C.test']) {
      const first = parseMailbox(text)
      if (isProblem(first)) throw new Error(first.problem)
      expect(parseMailbox(first.address)).toEqual(first)
    }
  })

  test.each([
    ['quotes', '"'.repeat(1_000_000)],
    ['backslashes', `"${'\\'.repeat(1_000_000)}`],
    ['dots', '.'.repeat(1_000_000)],
    ['@', '@'.repeat(1_000_000)],
    ['letters', 'a'.repeat(1_000_000)],
    ['labels', `a@${'b.'.repeat(500_000)}`],
    ['labels up to the limit', `a@${'b.'.repeat(250)}`],
    ['escapes up to the limit', `"${'\\a'.repeat(250)}@`],
  ])('refuses soon: %s', (_name, text) => {
    expect(isProblem(parseMailbox(text))).toBe(true)
    expect(fastestOfThree(() => parseMailbox(text))).toBeLessThan(soonMs)
  })
})
