/** inbound's business events: each writes its metric and its log line together. */
import type { Logger } from '@postel/runtime/logger'
import { Counter, Gauge, Histogram, type Registry } from '@postel/runtime/metrics'

export class InboundEvents {
  readonly #log: Logger
  readonly #messages
  readonly #recipients
  readonly #refused
  readonly #auth
  readonly #store

  constructor(log: Logger, registry: Registry, connections: () => number) {
    const registers = [registry]
    this.#log = log
    this.#messages = new Counter({
      name: 'postel_smtp_messages_total',
      help: 'Messages accepted with 250',
      registers,
    })
    this.#recipients = new Counter({
      name: 'postel_smtp_recipients_total',
      help: 'Recipients accepted',
      registers,
    })
    this.#refused = new Counter({
      name: 'postel_smtp_refused_total',
      help: 'Refusals by reply code and step',
      labelNames: ['step', 'code'] as const,
      registers,
    })
    this.#auth = new Counter({
      name: 'postel_smtp_auth_total',
      help: 'AUTH commands by result',
      labelNames: ['result'] as const,
      registers,
    })
    this.#store = new Histogram({
      name: 'postel_smtp_store_seconds',
      help: 'From the final dot to the commit',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    })
    new Gauge({
      name: 'postel_smtp_connections',
      help: 'Open SMTP connections',
      registers,
      collect() {
        this.set(connections())
      },
    })
  }

  accepted(fields: {
    session: string
    message: string
    recipients: number
    bytes: number
    seconds: number
  }): void {
    this.#messages.inc()
    this.#recipients.inc(fields.recipients)
    this.#store.observe(fields.seconds)
    this.#log.debug({ event: 'accepted', ...fields })
  }

  refused(fields: {
    session: string
    step: 'connect' | 'auth' | 'mail' | 'rcpt' | 'data'
    reply: string
  }): void {
    this.#refused.inc({ step: fields.step, code: fields.reply.slice(0, 3) })
    this.#log.info({ event: 'refused', ...fields })
  }

  authenticated(fields: { session: string; client: string; ok: boolean }): void {
    this.#auth.inc({ result: fields.ok ? 'ok' : 'failed' })
    if (!fields.ok) this.#log.info({ event: 'auth_failed', session: fields.session, client: fields.client })
  }

  storeFailed(fields: { session: string; fault: string }, err: unknown): void {
    this.#log.warn({ event: 'store_failed', ...fields, err })
  }

  /** A mistake of ours, not of the client: it cost one session or one message. */
  failed(err: unknown): void {
    this.#log.error({ event: 'session_failed', err })
  }

  /** A client's connection broke or spoke nonsense: normal on the Internet, never a reason to stop. */
  connectionFault(err: Error): void {
    this.#log.debug({ event: 'connection_fault', err })
  }

  hintLost(err: unknown): void {
    this.#log.warn({ event: 'hint_lost', err }, 'a notification was lost; the poll will find the mail')
  }

  /** When passwords were last used could not be written down; it is tried again. */
  usesLost(err: unknown): void {
    this.#log.warn({ event: 'uses_lost', err })
  }

  /** Blocks of quota or shares of rates could not be renewed; it is tried again. */
  limitsFailed(err: unknown): void {
    this.#log.warn({ event: 'limits_failed', err })
  }

  certificateReloaded(): void {
    this.#log.info({ event: 'certificate_reloaded' })
  }

  certificateRefused(err: unknown): void {
    this.#log.error(
      { event: 'certificate_refused', err },
      'the new certificate cannot be used, the old one stays',
    )
  }
}
