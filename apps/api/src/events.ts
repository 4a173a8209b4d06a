/** api's business events: each writes its metric and its log line together. */
import { sqlState } from '@postel/db/errors'
import type { Logger } from '@postel/runtime/logger'
import { Counter, Gauge, Histogram, type Registry } from '@postel/runtime/metrics'
import { acceptedByProject } from '@postel/runtime/project-tally'
import type { ProblemName } from './problem.ts'

/** Refusals for who asks. */
const authFailures: Partial<Record<ProblemName, string>> = {
  missing_api_key: 'missing',
  invalid_api_key: 'invalid',
  restricted_api_key: 'forbidden',
  suspended_api_key: 'forbidden',
  invalid_permission: 'forbidden',
  rate_limit_exceeded: 'rate_limited',
}

export class ApiEvents {
  readonly #log: Logger
  readonly #emails
  readonly #recipients
  readonly #bytes
  readonly #projects
  readonly #inFlight
  readonly #authFailures
  readonly #activities
  readonly #requests
  readonly #logsDropped

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
    this.#bytes = new Counter({
      name: 'postel_api_received_bytes_total',
      help: 'Bytes of messages stored, as MIME',
      registers,
    })
    this.#projects = acceptedByProject(registry)
    this.#inFlight = new Gauge({
      name: 'postel_api_requests_in_flight',
      help: 'Requests being served',
      registers,
    })
    this.#authFailures = new Counter({
      name: 'postel_api_auth_failures_total',
      help: 'Requests refused for who asks',
      labelNames: ['reason'] as const,
      registers,
    })
    for (const reason of Object.values(authFailures)) this.#authFailures.inc({ reason }, 0)
    this.#activities = new Counter({
      name: 'postel_api_activities_total',
      help: 'Openings and clicks of recipients',
      labelNames: ['type', 'result'] as const,
      registers,
    })
    this.#logsDropped = new Counter({
      name: 'postel_api_request_logs_dropped_total',
      help: 'Requests that were not written down because the database was away',
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

  accepted(fields: {
    request: string
    project: string
    messages: readonly string[]
    recipients: number
    bytes: number
  }): void {
    this.#emails.inc(fields.messages.length)
    this.#recipients.inc(fields.recipients)
    this.#bytes.inc(fields.bytes)
    this.#projects.of(fields.project).value += fields.messages.length
    if (this.#log.isLevelEnabled('debug')) this.#log.debug({ event: 'accepted', ...fields })
  }

  /** A request has come; served() ends it. */
  asked(): void {
    this.#inFlight.inc()
  }

  /** `route` is the pattern, so that neither metrics nor log hold what a client put into the path. */
  served(fields: { request: string; method: string; route: string; status: number; seconds: number }): void {
    const { method, route, status, seconds } = fields
    this.#inFlight.dec()
    this.#requests.observe({ method, route, status }, seconds)
    this.#log[status >= 500 ? 'warn' : 'debug']({ event: 'served', ...fields })
  }

  refused(kind: ProblemName): void {
    const reason = authFailures[kind]
    if (reason !== undefined) this.#authFailures.inc({ reason })
  }

  /** A fault of ours or of the database behind a reply of 5xx. */
  faulted(fields: { request: string; method: string; route: string; status: number }, error: unknown): void {
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

  /** When keys were last used could not be written down; it is tried again. */
  activityRecorded(activities: readonly { type: 'opened' | 'clicked' }[]): void {
    for (const { type } of activities) this.#activities.inc({ type, result: 'recorded' })
  }

  /** One too many of a message, or of all together. */
  activityDropped(type: 'opened' | 'clicked'): void {
    this.#activities.inc({ type, result: 'dropped' })
  }

  activityLost(count: number, error: unknown): void {
    this.#log.warn(
      { event: 'activity_lost', count, err: described(error) },
      'openings and clicks could not be written down',
    )
  }

  usesLost(error: unknown): void {
    this.#log.warn({ event: 'uses_lost', err: described(error) })
  }

  /** It cannot start yet. */
  waiting(reason: string): void {
    this.#log.warn({ event: 'waiting', reason })
  }

  /** It starts all the same, and is not ready until the database is. */
  notReady(error: unknown): void {
    this.#log.warn({ event: 'not_ready', err: described(error) })
  }

  /** What better-auth says; it names no secret and no address. */
  auth(level: 'error' | 'warn' | 'info' | 'debug', message: string, error?: Error): void {
    this.#log[level]({ event: 'auth', ...(error !== undefined && { err: described(error) }) }, message)
  }

  /** Mail of Postel's own that a person waits for was not stored. */
  systemMailLost(error: unknown): void {
    this.#log.error({ event: 'system_mail_lost', err: described(error) })
  }

  /** Blocks of quota or shares of rates could not be renewed; it is tried again. */
  limitsFailed(error: unknown): void {
    this.#log.warn({ event: 'limits_failed', err: described(error) })
  }

  /** Requests that will not be in the log of requests. */
  logsDropped(count: number, error?: unknown): void {
    this.#logsDropped.inc(count)
    if (error !== undefined) this.#log.warn({ event: 'logs_dropped', count, err: described(error) })
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
