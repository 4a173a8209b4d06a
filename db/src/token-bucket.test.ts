/** So many a second, and as many at once. */
import { expect, test } from '@jest/globals'
import { TokenBucket } from './token-bucket.ts'

test('a burst of a second is let through, then what the rate gives back', () => {
  const bucket = new TokenBucket(10, 0)
  expect(Array.from({ length: 10 }, () => bucket.take(1, 0))).toEqual(Array(10).fill(0))
  expect(bucket.take(1, 0)).toBe(100)
  expect(bucket.take(1, 99)).toBe(1)
  expect(bucket.take(1, 100)).toBe(0)
  expect(bucket.take(1, 100)).toBe(100)
})

test('waiting for long gives no more than one burst', () => {
  const bucket = new TokenBucket(10, 0)
  expect(bucket.take(10, 60_000)).toBe(0)
  expect(bucket.take(1, 60_000)).toBe(100)
})

test('what is larger than a burst goes when the bucket is full, and is paid off before anything else goes', () => {
  const bucket = new TokenBucket(10, 0)
  expect(bucket.take(1, 0)).toBe(0)
  expect(bucket.take(25, 0)).toBe(100)
  expect(bucket.take(25, 100)).toBe(0)
  expect(bucket.take(1, 100)).toBe(1600)
  expect(bucket.take(1, 1700)).toBe(0)
})

test('what was not used goes back', () => {
  const bucket = new TokenBucket(2, 0)
  expect(bucket.take(2, 0)).toBe(0)
  bucket.giveBack(2)
  expect([bucket.remaining(0), bucket.msUntilFull(0)]).toEqual([2, 0])
  bucket.giveBack(2)
  expect(bucket.remaining(0)).toBe(2)
})

test('a rate below one a second still lets one through', () => {
  const bucket = new TokenBucket(0.5, 0)
  expect(bucket.take(1, 0)).toBe(0)
  expect(bucket.take(1, 0)).toBe(2000)
})

test('another rate holds at once', () => {
  const bucket = new TokenBucket(10, 0)
  bucket.setRate(5, 0)
  expect(bucket.remaining(0)).toBe(5)
  expect(bucket.take(5, 0)).toBe(0)
  expect(bucket.take(1, 0)).toBe(200)
})
