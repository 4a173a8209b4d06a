/** Counts sessions by their TLS result, from which TLS reports (RFC 8460) can be made: in memory, written each minute. */
import type { TlsResultCount } from '@postel/db/queries/tls'
import type { TlsSessionResult } from './connect.ts'

export type TlsResultsOptions = {
  add: (counts: readonly TlsResultCount[]) => Promise<void>
  onError: (error: unknown) => void
  everyMs?: number
}

const everyMs = 60_000
const batchMax = 5_000
/** Beyond it, while the database is away, what is new is not counted. */
const countsMax = 50_000

export class TlsResults {
  readonly #options: TlsResultsOptions
  #counts = new Map<string, TlsResultCount>()
  #flushing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: TlsResultsOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), this.#options.everyMs ?? everyMs)
    this.#timer.unref()
  }

  /** One session of today (UTC). */
  count({ policyDomain, policyType, mxHost, ipId, result }: TlsSessionResult): void {
    const day = new Date().toISOString().slice(0, 10)
    this.#add({ day, policyDomain, policyType, mxHost, ipId, result, sessions: 1 })
  }

  /** Writes what was counted; never rejects, and keeps what could not be written. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  /** Writes the last counts. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#flushing
    await this.flush()
  }

  async #flush(): Promise<void> {
    const counts = [...this.#counts.values()]
    this.#counts = new Map()
    for (let from = 0; from < counts.length; from += batchMax) {
      try {
        await this.#options.add(counts.slice(from, from + batchMax))
      } catch (error) {
        this.#options.onError(error)
        for (const count of counts.slice(from)) this.#add(count)
        return
      }
    }
  }

  #add(count: TlsResultCount): void {
    const { sessions, ...key } = count
    const text = Object.values(key).join(' ')
    const known = this.#counts.get(text)
    if (known) known.sessions += sessions
    else if (this.#counts.size < countsMax) this.#counts.set(text, { ...count })
  }
}
