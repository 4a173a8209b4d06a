/**
 * The receiving side of the bus. postgres.js's own `listen` can go silently deaf (a failed re-LISTEN is swallowed, a
 * dead link goes unnoticed), so this one checks itself: a heartbeat asks the connection what it listens to, and anything
 * but the right answer in time rebuilds the connection. After each (re)connection `onReady` is called: hints sent
 * meanwhile are gone, so look for work by query then.
 */
import { connect, type Sql } from '../client.ts'
import type { Channel } from './channels.ts'

const defaultHeartbeatMs = 10_000
const heartbeatTimeoutMs = 5_000
const reconnectMaxMs = 5_000

export type ListenerOptions = {
  /** A direct connection: LISTEN does not work through a transaction pooler. */
  url: string
  name: string
  channels: readonly Channel[]
  onNotification: (channel: string, payload: string) => void
  /** The channels are subscribed (again): rescan. */
  onReady: () => void
  onError: (error: unknown) => void
  /** How often it asks itself whether it still listens. Default 10,000 ms. */
  heartbeatMs?: number
}

export class Listener {
  readonly #options: ListenerOptions
  #sql: Sql | undefined
  #stopped = false
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #heardAt = 0
  readonly #heartbeatMs: number
  /** Notifications heard on each channel. */
  readonly received: Record<string, number>
  /** How often the subscription was built anew. */
  reconnects = 0

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#heartbeatMs = options.heartbeatMs ?? defaultHeartbeatMs
    this.received = Object.fromEntries(options.channels.map((channel) => [channel, 0]))
  }

  /** Subscribes, and keeps trying in the background when it cannot. Resolves after the first try. */
  async start(): Promise<void> {
    await this.#connect()
  }

  /** Milliseconds since the subscription was last seen to work. */
  get silentMs(): number {
    return performance.now() - this.#heardAt
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#sql?.end({ timeout: 0 })
  }

  async #connect(): Promise<void> {
    const sql = connect(this.#options.url, {
      name: this.#options.name,
      max: 1,
      statementTimeoutMs: heartbeatTimeoutMs,
      onnotify: (channel, payload) => {
        this.#heardAt = performance.now()
        this.received[channel] = (this.received[channel] ?? 0) + 1
        this.#options.onNotification(channel, payload)
      },
      onclose: () => this.#rebuild(sql, new Error('the listening connection was closed')),
    })
    this.#sql = sql
    try {
      // One simple-protocol batch; postgres.js's listen() would open a connection of its own.
      await within(sql.unsafe(this.#options.channels.map((channel) => `listen ${channel}`).join(';')))
      if (this.#stopped) return
      this.#failures = 0
      this.#heardAt = performance.now()
      this.#options.onReady()
      this.#timer = setTimeout(() => void this.#heartbeat(sql), this.#heartbeatMs)
    } catch (error) {
      this.#rebuild(sql, error)
    }
  }

  async #heartbeat(sql: Sql): Promise<void> {
    try {
      const rows = await within(sql<{ channel: string }[]>`select pg_listening_channels() as channel`)
      const heard = new Set(rows.map((row) => row.channel))
      const lost = this.#options.channels.filter((channel) => !heard.has(channel))
      if (lost.length > 0) throw new Error(`the subscription to ${lost.join(', ')} was lost`)
      if (this.#stopped) return
      this.#heardAt = performance.now()
      this.#timer = setTimeout(() => void this.#heartbeat(sql), this.#heartbeatMs)
    } catch (error) {
      this.#rebuild(sql, error)
    }
  }

  #rebuild(sql: Sql, error: unknown): void {
    if (this.#stopped || this.#sql !== sql) return
    this.#sql = undefined
    clearTimeout(this.#timer)
    this.reconnects++
    this.#options.onError(error)
    void sql.end({ timeout: 0 }).catch(() => {})
    const wait = Math.min(reconnectMaxMs, 100 * 2 ** this.#failures++)
    this.#timer = setTimeout(() => void this.#connect(), wait * (0.5 + Math.random() / 2))
  }
}

function within<T>(work: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error('the listening connection does not answer')),
      heartbeatTimeoutMs,
    )
  })
  return Promise.race([work, deadline]).finally(() => clearTimeout(timer))
}
