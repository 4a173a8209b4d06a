/** outbound's business events: each writes its metric and its log line together. */
import type { HeldIp, Outcome } from '@postel/db/queries/outbound'
import type { Logger } from '@postel/runtime/logger'
import { Counter, Gauge, Histogram, type Registry } from '@postel/runtime/metrics'

export type Depths = {
  held: number
  lanes: number
  inFlight: number
  unrecorded: number
  connections: number
}

export class OutboundEvents {
  readonly #log: Logger
  readonly #outcomes
  readonly #duration

  constructor(log: Logger, registry: Registry, depths: () => Depths) {
    const registers = [registry]
    this.#log = log
    this.#outcomes = new Counter({
      name: 'postel_deliveries_total',
      help: 'Recipients tried, by outcome and category',
      labelNames: ['outcome', 'category'] as const,
      registers,
    })
    this.#duration = new Histogram({
      name: 'postel_delivery_seconds',
      help: 'From taking a message up to the last reply',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
      registers,
    })
    const gauge = (name: string, help: string, of: keyof Depths) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(depths()[of])
        },
      })
    gauge('postel_outbound_ips_held', 'Source IPs held by this process', 'held')
    gauge('postel_outbound_lane_rows', 'Rows waiting in memory', 'lanes')
    gauge('postel_outbound_in_flight', 'Rows loaded and not yet sent', 'inFlight')
    gauge('postel_outbound_unrecorded', 'Outcomes not yet committed', 'unrecorded')
    gauge('postel_outbound_connections', 'Open SMTP connections', 'connections')
  }

  tried(outcome: Outcome): void {
    this.#duration.observe(outcome.durationMs / 1000)
    for (const { outcome: result, category } of outcome.recipients) {
      this.#outcomes.inc({ outcome: result, category: category ?? 'none' })
    }
    if (
      !this.#log.isLevelEnabled('debug') &&
      outcome.recipients.every(({ outcome: result }) => result === 'delivered')
    )
      return
    this.#log.info({
      event: 'tried',
      message: outcome.messageId,
      queue: outcome.id,
      ip: outcome.ipId,
      mx: outcome.mxHost,
      in_doubt: outcome.inDoubt,
      ms: Math.round(outcome.durationMs),
      recipients: outcome.recipients.map(({ number, outcome: result, code, category }) => ({
        number,
        outcome: result,
        code,
        category,
      })),
    })
  }

  acquired(ips: readonly HeldIp[]): void {
    this.#log.info({ event: 'ips_acquired', ips: ips.map((ip) => ip.address) })
  }

  lost(ipIds: readonly number[]): void {
    this.#log.warn({ event: 'ips_lost', ip_ids: ipIds }, 'another process holds these IPs now')
  }

  holdFailed(err: unknown): void {
    this.#log.warn({ event: 'hold_failed', err }, 'could not renew the holds')
  }

  readFailed(err: unknown): void {
    this.#log.warn({ event: 'read_failed', err }, 'could not read the queue')
  }

  loadFailed(err: unknown): void {
    this.#log.warn({ event: 'load_failed', err }, 'could not load messages')
  }

  recordFailed(err: unknown, outcomes: number): void {
    this.#log.warn({ event: 'record_failed', outcomes, err }, 'could not record outcomes, trying again')
  }

  /** A mistake of ours, not of the message or its remote. */
  messageFailed(message: string, err: unknown): void {
    this.#log.error({ event: 'message_failed', message, err }, 'failed on a message; it waits')
  }

  signFailed(message: string, err: unknown): void {
    this.#log.error({ event: 'sign_failed', message, err }, 'could not sign, the message waits')
  }

  listenFailed(err: unknown): void {
    this.#log.warn({ event: 'listen_failed', err }, 'the subscription broke, building it anew')
  }

  hintLost(err: unknown): void {
    this.#log.warn({ event: 'hint_lost', err })
  }

  policiesFailed(err: unknown): void {
    this.#log.warn(
      { event: 'policies_failed', err },
      'could not read rules and suspensions, the last ones stand',
    )
  }

  ruleUnusable(rule: string, problem: string): void {
    this.#log.error({ event: 'rule_unusable', rule, problem }, 'a rule cannot be used and is left out')
  }

  notesFailed(err: unknown): void {
    this.#log.warn({ event: 'notes_failed', err }, 'could not read or write what was learned of sites')
  }

  sandboxFailed(err: unknown): void {
    this.#log.warn({ event: 'sandbox_failed', err }, 'the sandbox mailbox could not store a message')
  }
}
