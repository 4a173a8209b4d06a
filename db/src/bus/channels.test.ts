import { expect, test } from '@jest/globals'
import { maxPayloadBytes, packIds, unpackIds } from './channels.ts'

test.each<[string, number[], string[]]>([
  ['nothing', [], []],
  ['one', [7], ['7']],
  ['several', [1, 22, 333], ['1,22,333']],
])('%s is packed', (_, ids, payloads) => {
  expect(packIds(ids)).toEqual(payloads)
})

test('many ids come back from as few payloads as Postgres takes', () => {
  const ids = Array.from({ length: 20_000 }, (_, index) => 2_000_000_000 + index)
  const payloads = packIds(new Set(ids))
  expect(Math.max(...payloads.map((payload) => payload.length))).toBeLessThanOrEqual(maxPayloadBytes)
  expect(payloads).toHaveLength(Math.ceil((20_000 * 11) / (maxPayloadBytes + 1)) + 0)
  expect(payloads.flatMap(unpackIds)).toEqual(ids)
})

test.each<[string, string, number[]]>([
  ['an empty payload', '', []],
  ['one id', '5', [5]],
  ['several ids', '5,6,7', [5, 6, 7]],
  ['text', 'DROP TABLE,x', []],
  ['zero, negatives, fractions and numbers that are too large', '0,-1,1.5,1e400,99999999999999999999,3', [3]],
  ['stray commas', ',,4,', [4]],
])('%s is unpacked without trust', (_, payload, ids) => {
  expect(unpackIds(payload)).toEqual(ids)
})
