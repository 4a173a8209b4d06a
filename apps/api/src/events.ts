/** api's business events: each writes its metric and its log line together. */
import { sqlState } from '@postel/db/errors'
import type { Logger } from '@postel/runtime/logger'
import { Counter, Histogram, type Registry } from '@postel/runtime/metrics'

export class ApiEvents {
  readonly #log: Logger
  readonly #emails
  readonly #recipients
  readonly #requests

  constructor(log: Logger, registry: Registry) {
    const registers = [registry]
    this.#log = log
    this.#emails = new Counter({
      name: 'postel_api_emails_total',
      help: 'Messages stored and acknowledged',
      registers,
    })
    this.#recipients = new Counter({
      name: 'postel_api_recipients_total',
      help: 'Recipients of messages stored',
      registers,
    })
    this.#requests = new Histogram({
      name: 'postel_api_request_seconds',
      help: 'From the request line to the end of the reply',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    })
  }

  accepted(fields: { project: string; messages: readonly string[]; recipients: number }): void {
    this.#emails.inc(fields.messages.length)
    this.#recipients.inc(fields.recipients)
    this.#log.debug({ event: 'accepted', ...fields })
  }

  /** `route` is the pattern, so that neither metrics nor log hold what a client put into the path. */
  served(fields: { method: string; route: string; status: number; seconds: number }): void {
    const { method, route, status, seconds } = fields
    this.#requests.observe({ method, route, status }, seconds)
    this.#log[status >= 500 ? 'warn' : 'debug']({ event: 'served', ...fields })
  }

  /** A fault of ours or of the database behind a reply of 5xx. */
  faulted(fields: { method: string; route: string; status: number }, error: unknown): void {
    this.#log[fields.status === 503 ? 'warn' : 'error']({
      event: 'faulted',
      ...fields,
      err: described(error),
    })
  }

  hintLost(error: unknown): void {
    this.#log.warn(
      { event: 'hint_lost', err: described(error) },
      'a hint was lost; the poll will find the mail',
    )
  }

  /** A stored message that the parser cannot read; it is shown without its text. */
  unreadable(fields: { message: string }, error: unknown): void {
    this.#log.warn({ event: 'unreadable', ...fields, err: described(error) })
  }
}

/** Not the error as it is: Postgres puts whole rows, so addresses and subjects, into `detail` and `where`. */
function described(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  return {
    code: sqlState(error) ?? (error as NodeJS.ErrnoException).code,
    message: error.message,
    stack: error.stack,
    ...(error.cause !== undefined && { cause: described(error.cause) }),
  }
}
