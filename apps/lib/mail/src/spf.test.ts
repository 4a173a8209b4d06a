/** What SPF records say of an address. */
import { expect, test } from '@jest/globals'
import { evaluateSpf, isSpf, SpfError, type SpfLookups } from './spf.ts'

const texts: Record<string, string[]> = {
  'pass.test': ['v=spf1 ip4:192.0.2.1 -all'],
  'fail.test': ['v=spf1 -all'],
  'two.test': ['v=spf1 +all', 'v=spf1 -all'],
  'loop.test': ['v=spf1 include:loop.test -all'],
}
const lookups: SpfLookups = {
  txt: async (name) => texts[name] ?? [],
  mx: async (name) => (name === 'mail.test' ? [{ priority: 1, exchange: 'mx.mail.test' }] : []),
  addresses: async (name) =>
    ['mail.test', 'mx.mail.test'].includes(name) ? ['192.0.2.1', '2001:db8::1'] : [],
}
const four = '192.0.2.1'
const six = '2001:db8::1'

test.each([
  ['an address', 'v=spf1 ip4:192.0.2.1 -all', four, 'pass'],
  ['a network', 'v=spf1 ip4:192.0.2.0/24 -all', four, 'pass'],
  ['another network', 'v=spf1 ip4:198.51.100.0/24 -all', four, 'fail'],
  ['IPv6', 'v=spf1 ip6:2001:db8::/32 -all', six, 'pass'],
  ['IPv6 of a client with IPv4', 'v=spf1 ip6:2001:db8::/32 ~all', four, 'softfail'],
  ['its own address', 'v=spf1 a -all', four, 'pass'],
  ['an address with a network', 'v=spf1 a:mail.test/24//64 -all', '192.0.2.99', 'pass'],
  ['a network of IPv6', 'v=spf1 a:mail.test/24//64 -all', '2001:db8::99', 'pass'],
  ['its exchangers', 'v=spf1 mx -all', six, 'pass'],
  ['an include that passes', 'v=spf1 include:pass.test ?all', four, 'pass'],
  ['an include that fails says nothing', 'v=spf1 include:fail.test ?all', four, 'neutral'],
  ['a redirect', 'v=spf1 redirect=fail.test', four, 'fail'],
  ['a redirect behind all is not followed', 'v=spf1 ?all redirect=fail.test', four, 'neutral'],
  ['the first that matches', 'v=spf1 -ip4:192.0.2.1 +all', four, 'fail'],
  ['nothing that matches', 'v=spf1', four, 'neutral'],
  ['capital letters and spaces', 'V=SPF1   IP4:192.0.2.1   -ALL', four, 'pass'],
  ['macros', 'v=spf1 exists:%{i}.x.test include:%{d}.test -all', four, 'fail'],
  ['unknown modifiers', 'v=spf1 exp=why.test x=y ip4:192.0.2.1 -all', four, 'pass'],
])('%s', async (_name, record, address, result) => {
  expect(await evaluateSpf(record, 'mail.test', address, lookups)).toBe(result)
})

test.each([
  ['an unknown mechanism', 'v=spf1 ip5:1.2.3.4 -all', 'no mechanism'],
  ['an address that is none', 'v=spf1 ip4:mail.test -all', 'names no address'],
  ['a network too long', 'v=spf1 ip4:192.0.2.0/33 -all', 'no length of a network'],
  ['an include without SPF', 'v=spf1 include:none.test -all', 'no SPF record'],
  ['an include with two', 'v=spf1 include:two.test -all', '2 SPF records'],
  ['an include of itself', 'v=spf1 include:loop.test -all', 'more than 10 look-ups'],
  ['an include of nothing', 'v=spf1 include: -all', 'names no domain'],
  ['junk', 'v=spf1 !!! -all', 'no mechanism'],
])('%s cannot be used', async (_name, record, message) => {
  const evaluated = evaluateSpf(record, 'mail.test', four, lookups)
  await expect(evaluated).rejects.toThrow(SpfError)
  await expect(evaluated).rejects.toThrow(message)
})

test('what DNS does not answer is passed on', async () => {
  const away = { ...lookups, txt: () => Promise.reject(Object.assign(new Error('x'), { code: 'ETIMEOUT' })) }
  await expect(evaluateSpf('v=spf1 include:a.test', 'mail.test', four, away)).rejects.toThrow('x')
})

test.each([
  ['v=spf1', true],
  ['v=spf1 -all', true],
  ['V=SPF1 -all', true],
  ['v=spf10', false],
  ['v=DMARC1', false],
])('%s is SPF: %s', (text, is) => {
  expect(isSpf(text)).toBe(is)
})

test('a record of any size is read in no time', async () => {
  const long = `v=spf1 ${'ip4:198.51.100.1 '.repeat(4_000)}-all`
  const started = performance.now()
  expect(await evaluateSpf(long, 'mail.test', four, lookups)).toBe('fail')
  expect(performance.now() - started).toBeLessThan(10_000)
})
