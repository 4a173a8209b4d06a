/**
 * What a source IP may do at a site now: the rule's limits, less what the site has taught us. A request to slow down
 * halves them and they come back step by step; a site that cannot be reached is left alone for a while that doubles;
 * so is one that refuses this IP again and again. Times are performance.now().
 */

export type Limits = {
  connectionsMax: number
  messagesPerConnection: number
  /** Undefined: as many as the remote takes. */
  messagesPerMinute: number | undefined
  recipientsPerTransaction: number
}

export type ThrottleState = 'open' | 'slowed' | 'backing_off' | 'suspended'

/** What is kept of a throttle over restarts and hand-overs. */
export type ThrottleRecord = {
  state: ThrottleState
  factor: number
  /** Milliseconds until something may be sent again; 0: now. */
  waitMs: number
  reason: string | null
  refusals: number
}

const factorMin = 1 / 64
const recoverEveryMs = 60_000
const recoverBy = 1.5
/** What came back from sessions that were open at the same moment is one request. */
const sameRequestMs = 10_000
const pauseAfterRequestMs = 5_000
const pauseAtMostMs = 300_000
/** Failures to connect, one behind the other and no session open, before the site is left alone. */
const failuresBeforeBackOff = 3
const backOffMs = 10_000
const backOffMaxMs = 300_000
const refusalsBeforeSuspension = 10
const suspensionMs = 15 * 60_000
const suspensionMaxMs = 4 * 3_600_000
/** A few failures or refusals, too few to act on, are forgotten after this. */
const forgetTroubleMs = 3_600_000
/** A rate that we limited ourselves is never set below this. */
const perMinuteMin = 6

export class Throttle {
  #limits: Limits
  #factor = 1
  #stepAt = 0
  #slowedAt = Number.NEGATIVE_INFINITY
  /** Messages a minute when the first request came: what the factor is of where the rule has no rate. */
  #observedPerMinute: number | undefined
  #failures = 0
  #refusals = 0
  #suspensions = 0
  /** When the last failure or refusal came. */
  #troubleAt = Number.NEGATIVE_INFINITY
  #blockedUntil = 0
  #blockedAs: 'slowed' | 'backing_off' | 'suspended' = 'slowed'
  #reason: string | null = null
  #tokens = 0
  #tokensAt = 0
  #windowAt: number
  #inWindow = 0
  #lastWindow = 0
  /** Raised by whatever people should see. */
  version = 0

  constructor(limits: Limits, now: number) {
    this.#limits = limits
    this.#windowAt = now
    this.#tokensAt = now
    this.#tokens = this.#burst(now)
  }

  /** The rule has changed, or another domain of the site brought it along. */
  set limits(limits: Limits) {
    this.#limits = limits
  }

  get limits(): Limits {
    return this.#limits
  }

  connectionsMax(now: number): number {
    this.#recover(now)
    return Math.max(1, Math.ceil(this.#limits.connectionsMax * this.#factor))
  }

  messagesPerMinute(now: number): number | undefined {
    this.#recover(now)
    const base = this.#limits.messagesPerMinute
    if (this.#factor === 1) return base
    const slowed = Math.max(perMinuteMin, (this.#observedPerMinute ?? base ?? 600) * this.#factor)
    return Math.max(1, Math.floor(base === undefined ? slowed : Math.min(slowed, base * this.#factor)))
  }

  /** How many messages may be begun now, as far as rate and pauses go; Infinity: no limit. */
  allowance(now: number): number {
    if (now < this.#blockedUntil) return 0
    const perMinute = this.messagesPerMinute(now)
    if (perMinute === undefined) return Number.POSITIVE_INFINITY
    this.#refill(now, perMinute)
    return Math.floor(this.#tokens)
  }

  /** Milliseconds until allowance() is more than nothing. */
  waitMs(now: number): number {
    if (now < this.#blockedUntil) return this.#blockedUntil - now
    const perMinute = this.messagesPerMinute(now)
    if (perMinute === undefined) return 0
    this.#refill(now, perMinute)
    return this.#tokens >= 1 ? 0 : ((1 - this.#tokens) * 60_000) / perMinute
  }

  /** A message is begun. */
  begin(now: number): void {
    const perMinute = this.messagesPerMinute(now)
    if (perMinute === undefined) return
    this.#refill(now, perMinute)
    this.#tokens--
  }

  /** A message that was begun was not tried after all. */
  giveBack(): void {
    this.#tokens++
  }

  connected(): void {
    this.#failures = 0
    if (this.#blockedAs !== 'backing_off' || this.#blockedUntil === 0) return
    this.#blockedUntil = 0
    this.#reason = null
    this.version++
  }

  /** No address of the site took a connection while no session was open. */
  unreachable(reason: string, now: number): void {
    this.#troubleAt = now
    if (++this.#failures < failuresBeforeBackOff) return
    const wait = backOffMs * 2 ** Math.min(this.#failures - failuresBeforeBackOff, 10)
    this.#block('backing_off', Math.min(wait, backOffMaxMs), reason, now)
  }

  /** A message went through. */
  delivered(now: number): void {
    this.#turnWindow(now)
    this.#inWindow++
    this.#refusals = 0
    this.#suspensions = 0
  }

  /** The site refused this IP, or our mail by its policy. Ten points without a delivery between are too many. */
  refused(points: 1 | 2, reply: string, now: number): void {
    this.#troubleAt = now
    this.#refusals += points
    if (this.#refusals < refusalsBeforeSuspension || now < this.#blockedUntil) return
    const wait = suspensionMs * 2 ** Math.min(this.#suspensions++, 8)
    this.#block('suspended', Math.min(wait, suspensionMaxMs), reply, now)
    // The first refusal after it suspends again
    this.#refusals = refusalsBeforeSuspension - 1
  }

  /** The site asked for less. `retryAfterMs`: how long it asked us to wait, if it did. */
  slowDown(reply: string, retryAfterMs: number | undefined, now: number): void {
    if (now - this.#slowedAt < sameRequestMs) return
    this.#slowedAt = now
    if (this.#factor === 1) this.#observedPerMinute = this.#perMinuteNow(now)
    this.#factor = Math.max(factorMin, this.#factor / 2)
    this.#stepAt = now + recoverEveryMs
    this.#tokens = Math.min(this.#tokens, 1)
    this.#block('slowed', Math.min(retryAfterMs ?? pauseAfterRequestMs, pauseAtMostMs), reply, now)
  }

  /** Nothing is known of the site that a new throttle would not know as well. */
  isFresh(now: number): boolean {
    if (now < this.#blockedUntil || this.record(now).state !== 'open') return false
    return (this.#failures === 0 && this.#refusals === 0) || now - this.#troubleAt > forgetTroubleMs
  }

  record(now: number): ThrottleRecord {
    this.#recover(now)
    const waits = now < this.#blockedUntil
    const state = waits ? this.#blockedAs : this.#factor < 1 ? 'slowed' : 'open'
    return {
      state,
      factor: this.#factor,
      waitMs: waits ? this.#blockedUntil - now : 0,
      reason: state === 'open' ? null : this.#reason,
      refusals: this.#refusals,
    }
  }

  /** Nothing is tried for two seconds, whoever is to blame. */
  rest(reason: string, now: number): void {
    this.#block('backing_off', 2_000, reason, now)
  }

  /** Takes up what the last holder of the IP had learned so many milliseconds ago. */
  restore(record: ThrottleRecord, now: number, agoMs = 0): void {
    this.#factor = Math.min(1, Math.max(factorMin, record.factor))
    this.#stepAt = now + recoverEveryMs - agoMs
    this.#refusals = record.refusals
    this.#troubleAt = now
    this.#reason = record.reason
    const waitMs = record.waitMs - agoMs
    if (waitMs <= 0 || record.state === 'open') return
    this.#blockedAs = record.state
    this.#blockedUntil = now + Math.min(waitMs, suspensionMaxMs)
    if (record.state === 'backing_off') this.#failures = failuresBeforeBackOff
  }

  #block(as: 'slowed' | 'backing_off' | 'suspended', ms: number, reason: string, now: number): void {
    this.#reason = reason
    this.version++
    // A longer wait that is already on stands
    if (now + ms <= this.#blockedUntil) return
    this.#blockedAs = as
    this.#blockedUntil = now + ms
  }

  #recover(now: number): void {
    if (this.#factor === 1 || now < this.#stepAt) return
    const steps = 1 + Math.floor((now - this.#stepAt) / recoverEveryMs)
    this.#factor = Math.min(1, this.#factor * recoverBy ** steps)
    this.#stepAt += steps * recoverEveryMs
    this.version++
    if (this.#factor === 1) this.#observedPerMinute = undefined
  }

  /** A second's worth may go at once. */
  #burst(now: number): number {
    return Math.max(1, (this.messagesPerMinute(now) ?? 0) / 60)
  }

  #refill(now: number, perMinute: number): void {
    this.#tokens = Math.min(
      Math.max(1, perMinute / 60),
      this.#tokens + ((now - this.#tokensAt) * perMinute) / 60_000,
    )
    this.#tokensAt = now
  }

  #perMinuteNow(now: number): number {
    this.#turnWindow(now)
    return Math.max(perMinuteMin, this.#inWindow, this.#lastWindow)
  }

  #turnWindow(now: number): void {
    if (now - this.#windowAt < 60_000) return
    this.#lastWindow = now - this.#windowAt < 120_000 ? this.#inWindow : 0
    this.#inWindow = 0
    this.#windowAt = now
  }
}
