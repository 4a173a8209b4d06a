/** Address lists: what From and To may hold, what is ambiguous, and what hostile lists cost. */
import { describe, expect, test } from '@jest/globals'
import { isProblem, parseAddressList } from './address.ts'
import { fastestOfThree, soonMs } from './testing.ts'

function read(value: string): string[] | string {
  const list = parseAddressList(value)
  return isProblem(list) ? list.problem : list.mailboxes.map(({ name, address }) => `${name}|${address}`)
}

describe('parseAddressList', () => {
  test.each([
    ['bare address', 'a@b.test', ['|a@b.test']],
    ['angle brackets', '<a@b.test>', ['|a@b.test']],
    ['name', 'Ann Lee <a@b.test>', ['Ann Lee|a@b.test']],
    ['name without space', 'Ann<a@b.test>', ['Ann|a@b.test']],
    ['dots and brackets in a name', 'Dr. A. Lee [Acme] <a@b.test>', ['Dr. A. Lee [Acme]|a@b.test']],
    ['quoted name with comma', '"Lee, \\"Ann\\"" <a@b.test>', ['Lee, "Ann"|a@b.test']],
    ['quoted name with an address', '"x@y.test" <a@b.test>', ['x@y.test|a@b.test']],
    ['UTF-8 name', 'Zoë <a@b.test>', ['Zoë|a@b.test']],
    ['encoded name', '=?utf-8?q?Zo=C3=AB?= Lee <a@b.test>', ['Zoë Lee|a@b.test']],
    ['comment as the name', 'a@b.test (Ann)', ['Ann|a@b.test']],
    ['comment beside a name', 'Ann (Sales (EU)) <a@b.test> (x)', ['Ann|a@b.test']],
    ['several', 'a@b.test,  Ann <c@d.test>', ['|a@b.test', 'Ann|c@d.test']],
    ['group', 'Team: a@b.test, Ann <c@d.test>;', ['|a@b.test', 'Ann|c@d.test']],
    ['empty group', 'undisclosed-recipients:;', []],
    ['empty elements', 'a@b.test, ,', ['|a@b.test']],
    ['folded', 'Ann\r\n Lee\r\n\t<a@b.test>', ['Ann Lee|a@b.test']],
    ['quoted local part', '"x@gmail.com y"@int.test', ['|"x@gmail.com y"@int.test']],
    ['quoted local part in brackets', 'X <"a,b"@int.test>', ['X|"a,b"@int.test']],
    ['own address in an encoded name', '=?utf-8?q?a=40b.test?= <a@b.test>', ['a@b.test|a@b.test']],
    ['UTF-8 local part', 'ü@b.test', ['|ü@b.test']],
    ['nothing', '', []],
  ])('reads: %s', (_name, value, expected) => {
    expect(read(value)).toEqual(expected)
  })

  test.each([
    ['comment against an address', 'user@good.com(x)evil.com'],
    ['comment against an address, alone', 'user@good.com(x)'],
    ['comment before an address', 'evil.com(x)user@good.com'],
    ['comment with an address', '(victim@bank.test) me@own.test'],
    ['comment inside brackets', 'Ann <a(x)@b.test>'],
    ['unclosed comment', 'a@b.test (x'],
    ['address in an unquoted name', 'x@bank.test <a@b.test>'],
    ['two addresses in brackets', 'Ann <a@b.test, c@d.test>'],
    ['two bracket pairs', 'Ann <a@b.test> <c@d.test>'],
    ['text after an address', 'a@b.test evil.test'],
    ['text after brackets', '<a@b.test>evil.test'],
    ['unquoted comma', 'Lee, Ann <a@b.test>'],
    ['name alone', 'Ann'],
    ['null address', '<>'],
    ['route', '<@x.test:a@b.test>'],
    ['unclosed quote', '"Ann <a@b.test>'],
    ['unclosed bracket', 'Ann <a@b.test'],
    ['nested group', 'A: B: a@b.test;;'],
    ['unclosed group', 'A: a@b.test'],
    ['semicolons as separators', 'a@b.test; c@d.test'],
    ['backslash in a name', 'A\\nn <a@b.test>'],
    ['encoded word hiding an address', '=?utf-8?q?ceo=40bank.test?= <a@b.test>'],
    ['encoded word hiding brackets', '=?utf-8?b?PGNlb0BiYW5rLnRlc3Q+?= <a@b.test>'],
    ['encoded word in quotes hiding an address', '"=?utf-8?q?ceo=40bank.test?=" <a@b.test>'],
    ['non-ASCII name with an address', '"Zoë (ceo@bank.test)" <a@b.test>'],
    ['encoded word as local part', '=?utf-8?q?ceo=40bank.test=3E?=@b.test'],
    ['full-width @', 'a＠b.test'],
    ['CR LF that is no folding', 'a@b.test\r\nBcc: c@d.test'],
    ['NUL', 'Ann\0 <a@b.test>'],
  ])('refuses: %s', (_name, value) => {
    expect(read(value)).toMatch(/^[A-Z][ -~]{10,99}$/)
  })

  test.each([
    ['commas', ','.repeat(32_000)],
    ['nested groups', 'a:'.repeat(10_000)],
    ['groups', 'a:;'.repeat(10_000)],
    ['addresses', 'a@b.c,'.repeat(5_000)],
    ['opening parentheses', '('.repeat(32_000)],
    ['comments', '(a)'.repeat(10_000)],
    ['quotes', '"'.repeat(31_999)],
    ['backslashes', `"${'\\'.repeat(31_000)}`],
    ['brackets', '<'.repeat(32_000)],
    ['empty brackets', '<>'.repeat(16_000)],
    ['words', 'a '.repeat(16_000)],
    ['spaces', `a${' '.repeat(31_000)}b`],
    ['spaces in brackets', `<${' '.repeat(31_000)}a`],
    ['encoded words', `${'=?utf-8?q?a?= '.repeat(2_200)}<a@b.test>`],
    ['halves of encoded words', `${'=?a?q?'.repeat(5_000)}<a@b.test>`],
    ['half an encoded word', `=?a?q?${'='.repeat(31_000)} <a@b.test>`],
    ['too long', 'a'.repeat(1_000_000)],
  ])('is done soon: %s', (_name, value) => {
    expect(fastestOfThree(() => parseAddressList(value))).toBeLessThan(soonMs)
  })
})
