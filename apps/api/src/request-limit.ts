/** Requests a second of each key or person, in this process: whoever goes beyond is asked to come again. */
import { TokenBucket } from '@postel/db/token-bucket'
import type { Response } from 'express'
import type { Caller } from './caller.ts'
import { Problem } from './problem.ts'

const bucketsMax = 50_000

export class RequestLimit {
  readonly #perSecond: number
  #buckets = new Map<string, TokenBucket>()

  /** 0 is no limit. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond
  }

  /**
   * Counts a request of this caller and says in the reply's headers what is left. Counted by who asks, never by the address
   * that it comes from, so no header changes it. Throws a Problem (429) when it is too much.
   */
  count({ actor, organizationId }: Caller, response: Response): void {
    if (this.#perSecond === 0) return
    const now = performance.now()
    const owner = `${actor.kind} ${actor.id ?? organizationId}`
    let bucket = this.#buckets.get(owner)
    if (!bucket) {
      if (this.#buckets.size >= bucketsMax) this.#forget(now)
      bucket = new TokenBucket(this.#perSecond, now)
      this.#buckets.set(owner, bucket)
    }
    const waitMs = bucket.take(1, now)
    response.set({
      'ratelimit-limit': String(this.#perSecond),
      'ratelimit-policy': `${this.#perSecond};w=1`,
      'ratelimit-remaining': String(bucket.remaining(now)),
      'ratelimit-reset': String(Math.ceil(bucket.msUntilFull(now) / 1000)),
    })
    if (waitMs > 0)
      throw new Problem(
        'rate_limit_exceeded',
        `Too many requests. You can only make ${this.#perSecond} requests per second.`,
        { headers: { 'retry-after': String(Math.ceil(waitMs / 1000)) } },
      )
  }

  /** A full bucket says no more than none. */
  #forget(now: number): void {
    for (const [owner, bucket] of this.#buckets)
      if (bucket.msUntilFull(now) === 0) this.#buckets.delete(owner)
    if (this.#buckets.size >= bucketsMax) this.#buckets.clear()
  }
}
