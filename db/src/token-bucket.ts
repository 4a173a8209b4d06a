/** A token bucket: so many units a second, and as many at once. In memory, by a clock that never goes back. */

const rounding = 1e-6

export class TokenBucket {
  #perSecond: number
  #tokens: number
  #at: number

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#tokens = capacity(perSecond)
    this.#at = now
  }

  /**
   * Takes `units` and returns 0, or takes nothing and returns the milliseconds until it is worth asking again. What is
   * larger than the bucket is let through when that is full, and paid off before anything else is.
   */
  take(units: number, now: number): number {
    this.#fill(now)
    const needed = Math.min(units, capacity(this.#perSecond))
    // Rounding must not make a client wait that came exactly on time
    if (this.#tokens + rounding < needed)
      return Math.ceil(((needed - this.#tokens) / this.#perSecond) * 1000 - rounding)
    this.#tokens -= units
    return 0
  }

  /** For what was taken and then not used. */
  giveBack(units: number): void {
    this.#tokens = Math.min(this.#tokens + units, capacity(this.#perSecond))
  }

  setRate(perSecond: number, now: number): void {
    this.#fill(now)
    this.#perSecond = perSecond
    this.#tokens = Math.min(this.#tokens, capacity(perSecond))
  }

  /** Whole units that could be taken now. */
  remaining(now: number): number {
    this.#fill(now)
    return Math.max(Math.floor(this.#tokens + rounding), 0)
  }

  /** Milliseconds until it is full again. */
  msUntilFull(now: number): number {
    this.#fill(now)
    return ((capacity(this.#perSecond) - this.#tokens) / this.#perSecond) * 1000
  }

  #fill(now: number): void {
    this.#tokens = Math.min(
      this.#tokens + ((now - this.#at) / 1000) * this.#perSecond,
      capacity(this.#perSecond),
    )
    this.#at = now
  }
}

function capacity(perSecond: number): number {
  return Math.max(perSecond, 1)
}
