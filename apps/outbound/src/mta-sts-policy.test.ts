import { expect, test } from '@jest/globals'
import { coversHost, parseStsPolicy, readStsRecord } from './mta-sts-policy.ts'

test.each<[string, string[], string | undefined]>([
  ['one record', ['v=STSv1; id=20160831085700Z;'], '20160831085700Z'],
  ['no closing semicolon, extensions', ['v=STSv1;id=1;x=y'], '1'],
  ['other records beside it', ['v=spf1 -all', 'v=STSv1; id=1;'], '1'],
  ['two records', ['v=STSv1; id=1;', 'v=STSv1; id=2;'], undefined],
  ['two ids', ['v=STSv1; id=1; id=2;'], undefined],
  ['another version', ['v=STSv2; id=1;'], undefined],
  ['the version not first', ['id=1; v=STSv1;'], undefined],
  ['no id', ['v=STSv1;'], undefined],
  ['an id with other characters', ['v=STSv1; id=1-2;'], undefined],
  ['an id of 33 characters', [`v=STSv1; id=${'1'.repeat(33)};`], undefined],
  ['none', [], undefined],
])('%s: the id is read, or there is no policy', (_name, records, id) => {
  expect(readStsRecord(records)).toBe(id)
})

const good = 'version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 604800\n'

test('a policy is read', () => {
  const text =
    'version:STSv1\r\nmode:  testing \r\nmx: MX.a.test\r\nmx: *.b.test\r\nmax_age: 86400\r\nfuture: x\r\n'
  expect(parseStsPolicy(text, '7')).toEqual({
    id: '7',
    mode: 'testing',
    mx: ['mx.a.test', '*.b.test'],
    maxAgeSeconds: 86_400,
  })
})

test('of a field that is there twice the first counts; an age beyond a year is a year', () => {
  expect(parseStsPolicy(`${good}mode: none\n`, '1')).toMatchObject({ mode: 'enforce' })
  expect(parseStsPolicy(good.replace('604800', '9999999999'), '1')).toMatchObject({
    maxAgeSeconds: 31_557_600,
  })
})

test.each([
  ['nothing', ''],
  ['HTML', '<html>not found</html>'],
  ['no version', good.replace('version: STSv1\n', '')],
  ['another version', good.replace('STSv1', 'STSv2')],
  ['no mode', good.replace('mode: enforce\n', '')],
  ['an unknown mode', good.replace('enforce', 'enforced')],
  ['no mx', good.replace('mx: mx.a.test\n', '')],
  ['an mx that is an address', good.replace('mx.a.test', '[192.0.2.1]')],
  ['a star in the middle', good.replace('mx.a.test', 'mx.*.test')],
  ['a star alone', good.replace('mx.a.test', '*')],
  ['no age', good.replace('max_age: 604800\n', '')],
  ['an age in words', good.replace('604800', 'week')],
  ['an age below zero', good.replace('604800', '-1')],
  ['a line without a colon', `${good}oops\n`],
  ['a line with nothing before its colon', `${good}: oops\n`],
  ['a line without end', `${good}x: x${' '.repeat(64 * 1024)}x\n`],
])('%s is no policy', (_name, text) => {
  expect(parseStsPolicy(text, '1')).toBeUndefined()
})

test('a file full of blanks is read in no time', () => {
  const line = `x: x${' '.repeat(990)}x\n`
  const startedAt = performance.now()
  for (let file = 0; file < 20; file++)
    expect(parseStsPolicy(good + line.repeat(64), '1')).toMatchObject({ mode: 'enforce' })
  expect(performance.now() - startedAt).toBeLessThan(5_000)
})

test('the mode none needs no mx', () => {
  expect(parseStsPolicy('version: STSv1\nmode: none\nmax_age: 60\n', '1')).toMatchObject({
    mode: 'none',
    mx: [],
  })
})

test.each([
  ['mx.a.test', 'mx.a.test', true],
  ['mx.a.test', 'MX.A.TEST', true],
  ['mx.a.test', 'x.mx.a.test', false],
  ['*.a.test', 'mx.a.test', true],
  ['*.a.test', 'a.test', false],
  ['*.a.test', 'x.mx.a.test', false],
  ['*.a.test', 'evila.test', false],
])('%s covers %s: %s (RFC 8461 §4.1)', (pattern, host, covered) => {
  expect(coversHost({ id: '1', mode: 'enforce', mx: [pattern], maxAgeSeconds: 60 }, host)).toBe(covered)
})
