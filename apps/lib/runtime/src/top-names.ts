/** Keeps a label with any number of values bounded: the busiest names have series of their own, the others share one. */

export type TopNamesOptions<Entry> = {
  /** Names with an entry of their own, beside `other`. */
  limit: number
  make: (name: string) => Entry
  /** Its name is among the others now. */
  drop: (entry: Entry) => void
  /** Monotonic, in milliseconds. */
  clock?: () => number
}

type Named<Entry> = { entry: Entry; hits: number }

/** How often names change places at the most. */
const reviewEveryMs = 60_000
/** Names of which it is known how busy they are; the more there are, the longer a busy one may take to be found. */
const candidatesMax = 1_000
/** So much busier than the least of those that have a place, so that two of the same do not take turns. */
const busier = 2

/** The name that all share who have no place. */
export const other = 'other'

export class TopNames<Entry> {
  readonly #options: TopNamesOptions<Entry>
  readonly #named = new Map<string, Named<Entry>>()
  readonly #candidates = new Map<string, number>()
  readonly #clock: () => number
  #reviewedAt: number
  #other: Entry | undefined

  constructor(options: TopNamesOptions<Entry>) {
    this.#options = options
    this.#clock = options.clock ?? (() => performance.now())
    this.#reviewedAt = this.#clock()
  }

  /** The entry to count a hit of the name in: its own, or that of the others. */
  of(name: string): Entry {
    const known = this.#named.get(name)
    if (known) {
      known.hits++
      return known.entry
    }
    if (this.#named.size < this.#options.limit) return this.#name(name)
    const hits = this.#candidates.get(name)
    if (hits !== undefined || this.#candidates.size < candidatesMax)
      this.#candidates.set(name, (hits ?? 0) + 1)
    if (this.#clock() - this.#reviewedAt >= reviewEveryMs) this.#review()
    this.#other ??= this.#options.make(other)
    return this.#other
  }

  #name(name: string, hits = 1): Entry {
    const entry = this.#options.make(name)
    this.#named.set(name, { entry, hits })
    return entry
  }

  /** The busiest of the others take the places of those that they are much busier than. */
  #review(): void {
    this.#reviewedAt = this.#clock()
    const places = [...this.#named].sort(([, a], [, b]) => a.hits - b.hits)
    const rising = [...this.#candidates].sort(([, a], [, b]) => b - a).slice(0, places.length)
    for (const [index, [name, hits]] of rising.entries()) {
      const [loser, { entry, hits: least }] = places[index]!
      if (hits <= least * busier) break
      this.#named.delete(loser)
      this.#options.drop(entry)
      this.#name(name, hits)
    }
    this.#candidates.clear()
    for (const named of this.#named.values()) named.hits = Math.floor(named.hits / 2)
  }
}
