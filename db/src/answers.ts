/** Answers of the database, kept for a moment. */

/** Of each list; beyond it all are asked for anew. */
const entriesMax = 10_000

/** Answers of the database, each believed for so many milliseconds. A failure is told to whoever waits for it, and not kept. */
export class Answers<Answer> {
  readonly #ttlMs: number
  readonly #entries = new Map<string, { at: number; answer: Promise<Answer> }>()

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs
  }

  get(key: string, ask: () => Promise<Answer>): Promise<Answer> {
    const known = this.#entries.get(key)
    if (known && performance.now() - known.at < this.#ttlMs) return known.answer
    if (this.#entries.size >= entriesMax) this.#entries.clear()
    const entry = { at: performance.now(), answer: ask() }
    this.#entries.set(key, entry)
    entry.answer.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
    })
    return entry.answer
  }
}
