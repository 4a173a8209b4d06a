/** Tells the worker when deferred and scheduled mail becomes due: one graphile-worker job per time bucket. */
import type { Sql } from '../client.ts'

const knownMax = 10_000

/** Remembers the buckets that it has asked for, so that a busy process makes a few calls a minute. */
export class RetrySchedule {
  readonly #sql: Sql
  readonly #onError: (error: unknown) => void
  #known = new Set<number>()

  /** `onError` hears of calls that failed; the worker's minute sweep makes up for them. */
  constructor(sql: Sql, onError: (error: unknown) => void) {
    this.#sql = sql
    this.#onError = onError
  }

  /** Makes sure that what becomes due at these moments is looked for then. Call it after the commit; never rejects. */
  async add(due: readonly Date[]): Promise<void> {
    // Ten seconds is the narrowest bucket of postel.schedule_release, which decides the real ones.
    const fresh = due.filter((at) => !this.#known.has(Math.ceil(at.getTime() / 10_000)))
    if (fresh.length === 0) return
    if (this.#known.size > knownMax) this.#known.clear()
    for (const at of fresh) this.#known.add(Math.ceil(at.getTime() / 10_000))
    try {
      // As texts: postgres.js would type an array of Dates as one timestamp
      const moments = fresh.map((at) => at.toISOString())
      await this.#sql`select postel.schedule_release(${moments}::text[]::timestamptz[])`
    } catch (error) {
      this.#onError(error)
    }
  }
}
