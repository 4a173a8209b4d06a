/** What the database cannot hold is found wherever it is in a body, and nothing else is. */
import { expect, test } from '@jest/globals'
import { refuseUnstorable } from './storable.ts'

const half = 'x\ud800'

test.each<[string, unknown, string]>([
  ['in a field', { name: half }, 'name'],
  ['in a field of a field', { a: { b: [{ c: half }] } }, 'c'],
  ['in a list', { tags: ['ok', 'a\0b'] }, 'tags'],
  ['in the name of a field', { data: { 'a\0b': 1 } }, 'ab'],
  ['in one of several bodies', [{ name: 'ok' }, { name: half }], 'name'],
])('%s', (_, body, field) => {
  expect(() => refuseUnstorable(body)).toThrow(`The \`${field}\` has characters that cannot be used.`)
})

test.each<[string, unknown]>([
  ['no body', undefined],
  ['a text, whose schema sees to it', half],
  ['whole pairs, and what is no text', { a: '👩‍👩‍👧', b: null, c: 1, d: [true, undefined], e: new Date() }],
  ['bytes', { content: Buffer.from([0]) }],
])('nothing is wrong with %s', (_, body) => {
  expect(() => refuseUnstorable(body)).not.toThrow()
})

test('a nest of a hundred thousand lists does not end the process', () => {
  expect(() =>
    refuseUnstorable(JSON.parse(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)),
  ).not.toThrow()
})
