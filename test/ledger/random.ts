/** Chance that can be repeated: every draw of a test follows from one printed seed. */
import { createHash, randomInt } from 'node:crypto'

export type Random = {
  seed: number
  /** From 0 up to 1. */
  next(): number
  between(least: number, most: number): number
  shuffle<T>(items: readonly T[]): T[]
}

/** The seed is POSTEL_SEED where that is set; it is printed, so that a failure can be repeated. */
export function makeRandom(
  name: string,
  seed = Number(process.env.POSTEL_SEED) || randomInt(1, 2 ** 31),
): Random {
  process.stderr.write(`${name}: POSTEL_SEED=${seed}\n`)
  let draws = 0
  const next = () => createHash('sha256').update(`${seed} ${draws++}`).digest().readUInt32BE(0) / 2 ** 32
  return {
    seed,
    next,
    between: (least, most) => least + next() * (most - least),
    shuffle: (items) =>
      items
        .map((item) => ({ item, order: next() }))
        .sort((a, b) => a.order - b.order)
        .map(({ item }) => item),
  }
}

/** How often a randomised test runs: once, or many times in `npm run test:soak`. */
export const rounds = process.env.POSTEL_SOAK ? 20 : 1
