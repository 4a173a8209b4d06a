/** inbound's business events: each writes its metric and its log line together. */
import { X509Certificate } from 'node:crypto'
import type { Logger } from '@postel/runtime/logger'
import { Counter, Gauge, type Registry } from '@postel/runtime/metrics'
import { acceptedByProject } from '@postel/runtime/project-tally'
import { type Distribution, TallyCounter, TallyHistogram } from '@postel/runtime/tally'
import type { Incoming } from './take-back.ts'

const steps = ['auth', 'mail', 'rcpt', 'data'] as const
export type Step = (typeof steps)[number]

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const classes = ['2xx', '4xx', '5xx'] as const

export class InboundEvents {
  readonly #log: Logger
  readonly #connected
  readonly #messages
  readonly #recipients
  readonly #bytes
  readonly #projects
  readonly #refused
  readonly #auth
  readonly #steps
  readonly #store
  readonly #incoming
  readonly #certificateExpiry
  #headerMissingQuietUntil = Number.NEGATIVE_INFINITY

  constructor(log: Logger, registry: Registry, connections: () => number) {
    const registers = [registry]
    this.#log = log
    const tally = (name: string, help: string) => new TallyCounter({ name, help, registers }).series({})
    this.#connected = tally('postel_smtp_connections_total', 'SMTP connections greeted')
    this.#messages = tally('postel_smtp_messages_total', 'Messages accepted with 250')
    this.#recipients = tally('postel_smtp_recipients_total', 'Recipients accepted')
    this.#bytes = tally('postel_smtp_received_bytes_total', 'Bytes of messages accepted')
    this.#projects = acceptedByProject(registry)
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
    for (const result of ['ok', 'failed']) this.#auth.inc({ result }, 0)
    const byStep = new TallyHistogram<'step' | 'status'>({
      name: 'postel_smtp_step_seconds',
      help: 'From a command, or the final dot, to its reply',
      registers,
      buckets: seconds,
    })
    this.#steps = Object.fromEntries(
      steps.map((step) => [step, classes.map((status) => byStep.series({ step, status }))]),
    ) as Record<Step, Distribution[]>
    this.#store = new TallyHistogram({
      name: 'postel_smtp_store_seconds',
      help: 'From the final dot to the commit',
      registers,
      buckets: seconds,
    }).series({})
    this.#incoming = new Counter({
      name: 'postel_incoming_total',
      help: 'What came to the MX port, by kind of mail and what was done with it',
      labelNames: ['kind', 'result'] as const,
      registers,
    })
    this.#certificateExpiry = new Gauge({
      name: 'postel_smtp_certificate_expiry_timestamp_seconds',
      help: 'When the TLS certificate in use ends',
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

  connected(): void {
    this.#connected.value++
  }

  /** A step has its reply, `code` being that of a refusal. */
  replied(step: Step, code: number | undefined, milliseconds: number): void {
    const status = code === undefined || code < 400 ? 0 : code < 500 ? 1 : 2
    this.#steps[step][status]!.observe(milliseconds / 1000)
  }

  accepted(fields: {
    session: string
    message: string
    project: string
    recipients: number
    bytes: number
    seconds: number
  }): void {
    this.#messages.value++
    this.#recipients.value += fields.recipients
    this.#bytes.value += fields.bytes
    this.#projects.of(fields.project).value++
    this.#store.observe(fields.seconds)
    if (this.#log.isLevelEnabled('debug')) this.#log.debug({ event: 'accepted', ...fields })
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
  failed(session: string, err: unknown): void {
    this.#log.error({ event: 'session_failed', session, err })
  }

  /** A client's connection broke or spoke nonsense: normal on the Internet, never a reason to stop. */
  connectionFault(err: Error): void {
    this.#log.debug({ event: 'connection_fault', err })
  }

  /** A balancer that is to name its clients did not: its settings and ours differ. Told once a minute, counted each time. */
  headerMissing(proxy: string, problem: string): void {
    this.#refused.inc({ step: 'connect', code: 'proxy' })
    const now = performance.now()
    if (now < this.#headerMissingQuietUntil) return
    this.#headerMissingQuietUntil = now + 60_000
    this.#log.warn({ event: 'proxy_header_missing', proxy, problem })
  }

  /** What came back about mail of ours, and what was done with it. */
  incoming({ kind, result, messageId, ...fields }: Incoming & { session: string; client: string }): void {
    this.#incoming.inc({ kind, result })
    this.#log.info({ event: 'incoming', kind, result, message: messageId, ...fields })
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

  /** It cannot start yet. */
  waiting(reason: string): void {
    this.#log.warn({ event: 'waiting', reason })
  }

  /** `cert` is the chain in PEM; the first in it is the server's own. */
  certificateInUse(cert: string | Buffer): void {
    this.#certificateExpiry.set(Date.parse(new X509Certificate(cert).validTo) / 1000)
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
