/** Remembers for a few minutes which addresses could not be reached, so that others are tried before them. */

const rememberMs = 5 * 60_000
const entriesMax = 10_000

type Place = { address: string; port: number }

export class Unreachable {
  readonly #until = new Map<string, number>()

  /** Nothing answered there, as seen from that source address. */
  add(place: Place, sourceAddress: string): void {
    if (this.#until.size >= entriesMax) this.#until.delete(this.#until.keys().next().value!)
    this.#until.set(keyOf(place, sourceAddress), performance.now() + rememberMs)
  }

  /** A session was opened there. */
  remove(place: Place, sourceAddress: string): void {
    this.#until.delete(keyOf(place, sourceAddress))
  }

  /** The same places, those that failed a moment ago behind the others; else their order stays. */
  last<T extends Place>(places: readonly T[], sourceAddress: string): T[] {
    if (this.#until.size === 0) return [...places]
    const now = performance.now()
    const failed = (place: T) => (this.#until.get(keyOf(place, sourceAddress)) ?? 0) > now
    return [...places.filter((place) => !failed(place)), ...places.filter(failed)]
  }
}

function keyOf({ address, port }: Place, sourceAddress: string): string {
  return `${sourceAddress} ${address}:${port}`
}
