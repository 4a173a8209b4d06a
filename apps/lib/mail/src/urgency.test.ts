/** Priorities and lifetimes as people write them. */
import { expect, test } from '@jest/globals'
import { parseLifetime, parsePriority } from './urgency.ts'

test.each([
  ['high', 10],
  ['Normal', 50],
  ['LOW', 90],
  ['urgent', undefined],
  ['10', undefined],
  ['', undefined],
  ['constructor', undefined],
])('priority %s', (text, expected) => {
  expect(parsePriority(text)).toBe(expected)
})

test.each([
  ['600', 600],
  ['600s', 600],
  ['10m', 600],
  ['10M', 600],
  ['2h', 7_200],
  ['3d', 259_200],
  ['1', 1],
  ['30d', 2_592_000],
  ['2592001', undefined],
  ['31d', undefined],
  ['999999999d', undefined],
  ['0', undefined],
  ['0m', undefined],
  ['-5', undefined],
  ['1.5h', undefined],
  ['1e3', undefined],
  ['10 m', undefined],
  ['PT10M', undefined],
  ['10w', undefined],
  ['m', undefined],
  ['', undefined],
])('lifetime %s', (text, expected) => {
  expect(parseLifetime(text)).toBe(expected)
})
