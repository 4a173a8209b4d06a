/** A watch over heartbeats lasts until something came in between. */
import { expect, test } from '@jest/globals'
import { Watch } from './watch.ts'

/** When the looks were: by the monotonic clock and by the database's. */
test.each<[string, [number, number][], number]>([
  ['begins with the first look', [[5_000, 1_000_000]], 0],
  [
    'lasts from look to look',
    [
      [0, 1_000_000],
      [2_000, 1_002_000],
      [12_000, 1_012_000],
    ],
    12_000,
  ],
  [
    'begins anew after a gap',
    [
      [0, 1_000_000],
      [2_000, 1_002_000],
      [12_001, 1_012_001],
      [14_001, 1_014_001],
    ],
    2_000,
  ],
  [
    'bears answers that come at different speeds',
    [
      [0, 1_000_000],
      [2_000, 1_004_500],
      [4_000, 1_002_000],
    ],
    4_000,
  ],
  [
    'begins anew when the clock jumps forward',
    [
      [0, 1_000_000],
      [2_000, 1_062_000],
      [4_000, 1_064_000],
    ],
    2_000,
  ],
  [
    'begins anew when the clock jumps back',
    [
      [0, 1_000_000],
      [2_000, 942_000],
      [4_000, 944_000],
    ],
    2_000,
  ],
])('%s', (_name, looks, lasted) => {
  const watch = new Watch()
  const all = looks.map(([at, database]) => watch.look(at, database))
  expect(all.at(-1)).toBe(lasted)
})
