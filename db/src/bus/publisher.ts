/**
 * The sending side of the bus. Hints are gathered and flushed on a connection of their own, with asynchronous commit:
 * a commit that notifies takes a cluster-wide lock, so it must be short and never share a transaction with mail.
 */
import { connect, type Sql } from '../client.ts'
import { eventsChannel, outboundChannel, packIds } from './channels.ts'

/**
 * At most one flush in this time; the first hint after a quiet while goes at once. Longer saves little: with 10 ms a message
 * among 200 a second takes 4 ms longer (median), and all of them as much CPU.
 */
const flushEveryMs = 2
/** The live tail is for eyes: more events than this per second are left out of it (the rows are all there). */
const eventsPerSecondMax = 100

export class Publisher {
  readonly #sql: Sql
  readonly #onError: (error: unknown) => void
  #ipIds = new Set<number>()
  #events: string[] = []
  #flushing: Promise<void> | undefined
  #flushedAt = 0
  #timer: NodeJS.Timeout | undefined
  #second = 0
  #eventsThisSecond = 0
  /** Notifications that were sent, and those that could not be. */
  sent = 0
  lost = 0
  /** Told how long each flush took. */
  onFlushed: ((seconds: number) => void) | undefined

  /** `onError` hears of hints that were lost; a lost hint only delays mail until the next poll. */
  constructor(url: string, name: string, onError: (error: unknown) => void) {
    this.#sql = connect(url, { name, max: 1, statementTimeoutMs: 5_000 })
    this.#onError = onError
  }

  /** Says that these IPs have new work. Call it after the commit. */
  work(ipIds: Iterable<number>): void {
    for (const id of ipIds) this.#ipIds.add(id)
    this.#schedule()
  }

  /** Shows events (JSON texts) on the live tail, within its cap. */
  events(payloads: Iterable<string>): void {
    const second = Math.floor(performance.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#eventsThisSecond = 0
    }
    for (const payload of payloads) {
      if (this.#eventsThisSecond >= eventsPerSecondMax) break
      this.#eventsThisSecond++
      this.#events.push(payload)
    }
    if (this.#events.length > 0) this.#schedule()
  }

  /** Flushes what is left and closes the connection. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#flushing
    await this.#flush()
    await this.#sql.end({ timeout: 1 })
  }

  #schedule(): void {
    if (this.#timer || this.#flushing) return
    const wait = this.#flushedAt + flushEveryMs - performance.now()
    if (wait <= 0) this.#start()
    else this.#timer = setTimeout(() => this.#start(), wait)
  }

  #start(): void {
    this.#timer = undefined
    this.#flushing = this.#flush().then(() => {
      this.#flushing = undefined
      if (this.#ipIds.size > 0 || this.#events.length > 0) this.#schedule()
    })
  }

  async #flush(): Promise<void> {
    if (this.#ipIds.size === 0 && this.#events.length === 0) return
    const payloads = packIds(this.#ipIds)
    const channels = payloads.map((): string => outboundChannel)
    for (const event of this.#events) {
      channels.push(eventsChannel)
      payloads.push(event)
    }
    this.#ipIds = new Set()
    this.#events = []
    this.#flushedAt = performance.now()
    try {
      await this.#sql`
        select set_config('synchronous_commit', 'off', true), pg_notify(c, p)
        from unnest(${channels}::text[], ${payloads}::text[]) as n (c, p)`
      this.sent += payloads.length
      this.onFlushed?.((performance.now() - this.#flushedAt) / 1000)
    } catch (error) {
      this.lost += payloads.length
      this.#onError(error)
    }
  }
}
