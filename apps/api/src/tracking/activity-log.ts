/** Opens and clicks on their way to the events table: gathered for up to a second, then written together. */
import type { Sql } from '@postel/db/client'
import { type Activity, recordActivity } from '@postel/db/queries/tracking'
import type { ApiEvents } from '../events.ts'

const flushMs = 1_000
const batchMax = 1_000
/** Beyond it, while the database is away, new ones are not noted. */
const heldMax = 20_000
/** Of one kind and message within one batch: who fetches a link over and over does not fill the table. */
const perMessageMax = 20

export class ActivityLog {
  readonly #sql: Sql
  readonly #events: ApiEvents
  #held: Activity[] = []
  #counts = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(sql: Sql, events: ApiEvents) {
    this.#sql = sql
    this.#events = events
  }

  /** Never waits, never throws: the one who follows a link is not to feel it. */
  add(activity: Activity): void {
    const key = `${activity.type} ${activity.ref}`
    const count = this.#counts.get(key) ?? 0
    if (count >= perMessageMax || this.#held.length >= heldMax)
      return this.#events.activityDropped(activity.type)
    this.#counts.set(key, count + 1)
    this.#held.push(activity)
    this.#timer ??= setTimeout(() => this.#flush(), flushMs)
  }

  /** Writes down what is held. */
  async stop(): Promise<void> {
    this.#flush()
    await this.#writing
    clearTimeout(this.#timer)
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = this.#held.splice(0)
    this.#counts.clear()
    if (batch.length > 0) this.#writing = this.#writing.then(() => this.#write(batch))
  }

  async #write(batch: readonly Activity[]): Promise<void> {
    for (let start = 0; start < batch.length; start += batchMax) {
      try {
        const part = batch.slice(start, start + batchMax)
        await recordActivity(this.#sql, part)
        this.#events.activityRecorded(part)
      } catch (error) {
        const left = batch.slice(start)
        this.#events.activityLost(left.length, error)
        return
      }
    }
  }
}
