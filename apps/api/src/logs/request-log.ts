/** Writes down requests after their replies, many at a time. Best effort: no request waits for it or fails with it. */
import type { Sql } from '@postel/db/client'
import { type RequestRecord, storeRequests } from '@postel/db/queries/request-logs'

const everyMs = 1_000
const batchMax = 200
/** While the database is slow; beyond it the newest are left out. */
const heldMax = 5_000

export type RequestLogEvents = { logsDropped(count: number, error?: unknown): void }

export class RequestLog {
  readonly #sql: Sql
  readonly #events: RequestLogEvents
  #held: RequestRecord[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined

  constructor(sql: Sql, events: RequestLogEvents) {
    this.#sql = sql
    this.#events = events
  }

  add(record: RequestRecord): void {
    if (this.#held.length >= heldMax) return this.#events.logsDropped(1)
    this.#held.push(record)
    if (this.#held.length >= batchMax) void this.flush()
    else this.#timer ??= setTimeout(() => void this.flush(), everyMs)
  }

  /** Resolves when what was added before has been written or dropped; never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#writing
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
    await this.#writing
  }

  async #write(): Promise<void> {
    while (this.#held.length > 0) {
      const batch = this.#held.splice(0, batchMax)
      try {
        await storeRequests(this.#sql, batch)
      } catch (error) {
        // The others would only wait for the same silence
        this.#events.logsDropped(batch.length + this.#held.splice(0).length, error)
      }
    }
  }
}
