/** How much may be loaded at once, whatever the sites are like. */
import { expect, test } from '@jest/globals'
import { type Kind, LoadShares } from './load-shares.ts'

/** Takes places of this kind until there are no more; how many. */
function fill(shares: LoadShares, kind: Kind, sizeBytes: number): number {
  let taken = 0
  for (; shares.hasRoom(kind, sizeBytes); taken++) shares.take(kind, sizeBytes)
  return taken
}

test('dead sites leave room for slow ones, and these for fast ones', () => {
  const shares = new LoadShares()
  expect(fill(shares, 'unproven', 4_096)).toBe(1_000)
  expect(fill(shares, 'slow', 4_096)).toBe(2_000)
  expect(fill(shares, 'fast', 4_096)).toBe(1_000)
})

test('fast sites may have all of it, and then nobody finds room', () => {
  const shares = new LoadShares()
  expect(fill(shares, 'fast', 4_096)).toBe(4_000)
  expect([shares.hasRoom('unproven', 4_096), shares.hasRoom('slow', 4_096)]).toEqual([false, false])
})

test('large messages are bounded by memory, which small ones may pass over', () => {
  const shares = new LoadShares()
  const large = 10 * 1024 * 1024
  expect(fill(shares, 'slow', large)).toBe(8)
  expect(shares.hasRoom('slow', 4_096)).toBe(true)
  expect(shares.hasRoom('fast', large)).toBe(true)
})

test('a place that is given back is there for the next', () => {
  const shares = new LoadShares()
  fill(shares, 'unproven', 4_096)
  shares.giveBack('unproven', 4_096)
  expect(fill(shares, 'unproven', 4_096)).toBe(1)
})
