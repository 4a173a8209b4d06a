/** Which owned domain a name falls under. */
import { expect, test } from '@jest/globals'
import { domainBelongsTo } from './address.ts'

test.each([
  { name: 'equal', domain: 'example.com', expected: 'example.com' },
  { name: 'other case', domain: 'EXAMPLE.COM', expected: 'example.com' },
  { name: 'sub-domain', domain: 'mail.example.com', expected: 'example.com' },
  { name: 'longest wins', domain: 'a.news.example.com', expected: 'news.example.com' },
  { name: 'not on a label boundary', domain: 'evilexample.com', expected: undefined },
  { name: 'as a prefix', domain: 'example.com.evil.test', expected: undefined },
  { name: 'trailing dot', domain: 'example.com.', expected: undefined },
  { name: 'Cyrillic a', domain: 'ex\u0430mple.com', expected: undefined },
  { name: 'A-label', domain: 'xn--exmple-4nf.com', expected: undefined },
  { name: 'IDN, either form', domain: 'x.bücher.test', expected: 'xn--bcher-kva.test' },
  { name: 'parent of an owned one', domain: 'com', expected: undefined },
  { name: 'empty', domain: '', expected: undefined },
  { name: 'wildcard', domain: '%.com', expected: undefined },
])('domainBelongsTo: $name', ({ domain, expected }) => {
  const owned = ['example.com', 'news.example.com', 'xn--bcher-kva.test', '']
  expect(domainBelongsTo(domain, owned)).toBe(expected)
  expect(domainBelongsTo(domain, owned.toReversed())).toBe(expected)
})
