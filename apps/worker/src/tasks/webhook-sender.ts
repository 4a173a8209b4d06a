/**
 * Sends deliveries to webhooks: record what attempts met → claim what is due and there is room for → send, and around again
 * whenever an attempt ends, until nothing is left to do. No statement waits for an endpoint, and no endpoint for another: each
 * has few places of its own, those that are failing one, and together these never have more than half of all.
 */
import type {
  AttemptResult,
  ClaimedDelivery,
  WebhookDispatchQueries,
} from '@postel/db/queries/webhook-dispatch'
import { pause } from '@postel/runtime/backoff'
import type { WorkerEvents } from '../events.ts'
import { tellWebhook, type WebhookRequestOptions } from './webhook-request.ts'

const places = 64
const failingPlaces = places / 2
const placesPerWebhook = 8
/** What is claimed is somebody else's this long after its attempt must have ended. */
const leaseReserveMs = 5_000
const databaseAwayMs = 1_000

export type WebhookSenderOptions = WebhookRequestOptions & {
  queries: WebhookDispatchQueries
  events: WorkerEvents
  /** Hears of each attempt. */
  onTold?: (delivery: ClaimedDelivery, result: AttemptResult) => void
}

export class WebhookSender {
  readonly #options: WebhookSenderOptions
  readonly #stopped = new AbortController()
  readonly #sending = new Map<string, ClaimedDelivery>()
  readonly #results: AttemptResult[] = []
  #running: Promise<void> | undefined
  #signal: (() => void) | undefined
  #woken = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: WebhookSenderOptions) {
    this.#options = options
  }

  /** Looks for what is due, soon. */
  wake(): void {
    if (this.#stopped.signal.aborted) return
    this.#woken = true
    this.#signal?.()
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#woken) this.wake()
    })
  }

  /** Has the task run again after so long, and asks for it until it is heard. */
  runTaskAfter(ms: number): void {
    const { queries, events } = this.#options
    clearTimeout(this.#timer)
    if (this.#stopped.signal.aborted) return
    this.#timer = setTimeout(() => {
      queries.runNow().catch((error: unknown) => {
        events.hintLost(error)
        this.runTaskAfter(ms)
      })
    }, ms)
  }

  /** Claims nothing more; resolves when the attempts that are being made have ended and are recorded. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    clearTimeout(this.#timer)
    this.#signal?.()
    await this.#running
  }

  async #run(): Promise<void> {
    const { queries, events } = this.#options
    while (this.#woken || this.#results.length > 0 || this.#sending.size > 0) {
      try {
        await this.#record()
        if (!this.#stopped.signal.aborted && (this.#woken || this.#sending.size < places)) {
          this.#woken = false
          for (const delivery of await queries.claim(this.#room())) void this.#send(delivery)
        }
      } catch (error) {
        events.webhooksAway(error)
        // Its own attempts are recorded when the database is back; by then others may have made them once more
        if (this.#stopped.signal.aborted && this.#sending.size === 0) return
        await pause(databaseAwayMs)
      }
      if (this.#sending.size > 0) await this.#somethingEnds()
      if (this.#stopped.signal.aborted) this.#woken = false
    }
  }

  async #record(): Promise<void> {
    const { queries, events } = this.#options
    const results = [...this.#results]
    if (results.length === 0) return
    const disabled = await queries.record(results)
    // More may have ended meanwhile
    this.#results.splice(0, results.length)
    for (const { webhookId, reason } of disabled) events.webhookDisabled(webhookId, reason)
  }

  #room() {
    const inFlight = new Map<string, number>()
    let failing = 0
    for (const delivery of this.#sending.values()) {
      inFlight.set(delivery.webhookId, (inFlight.get(delivery.webhookId) ?? 0) + 1)
      if (delivery.failing) failing++
    }
    return {
      inFlight,
      free: places - this.#sending.size,
      freeFailing: failingPlaces - failing,
      perWebhook: placesPerWebhook,
      leaseSeconds: (this.#options.timeoutMs + leaseReserveMs) / 1000,
    }
  }

  async #send(delivery: ClaimedDelivery): Promise<void> {
    this.#sending.set(delivery.id, delivery)
    const result = await tellWebhook(delivery, this.#options)
    this.#options.events.webhookTold(delivery, result)
    this.#options.onTold?.(delivery, result)
    this.#results.push(result)
    this.#sending.delete(delivery.id)
    this.#signal?.()
  }

  #somethingEnds(): Promise<void> {
    if (this.#woken || this.#results.length > 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#signal = () => {
        this.#signal = undefined
        resolve()
      }
    })
  }
}
