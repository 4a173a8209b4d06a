/** Attempts to tell webhooks of a message as part of the trace of its submission. Used only where traces are taken. */
import type {
  AttemptResult,
  ClaimedDelivery,
  WebhookDispatchQueries,
} from '@postel/db/queries/webhook-dispatch'
import type { Tracing } from '@postel/runtime/tracing'

type Told = { messageId: string; delivery: ClaimedDelivery; result: AttemptResult }

const everyMs = 1_000
/** More than these in a second are not traced. */
const heldMax = 1_000

export class WebhookTraces {
  readonly #tracing: Tracing
  readonly #queries: Pick<WebhookDispatchQueries, 'traces'>
  #held: Told[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(tracing: Tracing, queries: Pick<WebhookDispatchQueries, 'traces'>) {
    this.#tracing = tracing
    this.#queries = queries
  }

  /** Notes an attempt; the traces that it and others belong to are looked up together. */
  add(delivery: ClaimedDelivery, result: AttemptResult): void {
    const messageId = messageOf(delivery)
    if (messageId === undefined || this.#held.length >= heldMax) return
    this.#held.push({ messageId, delivery, result })
    this.#timer ??= setTimeout(() => void this.flush(), everyMs)
  }

  /** Makes the spans of what was added; without the database they are not made. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const held = this.#held.splice(0)
    if (held.length === 0) return
    const traces = await this.#queries.traces(held.map(({ messageId }) => messageId)).catch(() => new Map())
    for (const told of held) this.#record(told, traces.get(told.messageId))
  }

  #record({ messageId, delivery, result }: Told, parent: string | undefined): void {
    if (parent === undefined) return
    const startedAt = result.at.getTime()
    this.#tracing
      .start('webhook', {
        kind: 'client',
        parent,
        startedAt,
        attributes: {
          'postel.message.id': messageId,
          'postel.webhook.id': delivery.webhookId,
          'postel.webhook.delivery.id': delivery.id,
          'postel.webhook.type': delivery.type,
          'postel.attempt': delivery.attempts + 1,
          'http.response.status_code': result.status ?? undefined,
        },
      })
      .end({ at: startedAt + result.ms, ...(result.error !== null && { failed: result.error }) })
  }
}

function messageOf({ payload }: ClaimedDelivery): string | undefined {
  const { data } = JSON.parse(payload) as { data?: { email_id?: string } }
  return data?.email_id
}
