/** outbound's business events: each writes its metric and its log line together. */
import type { HeldIp, Outcome } from '@postel/db/queries/outbound'
import type { Logger } from '@postel/runtime/logger'
import { Gauge, type Registry } from '@postel/runtime/metrics'
import { TallyCounter } from '@postel/runtime/tally'
import { DeliveryTallies, type Tried } from './delivery-tallies.ts'

export type Depths = {
  held: number
  lanes: number
  inFlight: number
  unrecorded: number
  connections: number
}

export class OutboundEvents {
  readonly #log: Logger
  readonly #deliveries
  readonly #acquired
  readonly #takenOver
  readonly #lost
  readonly #renewFailures
  readonly #recordFailures

  constructor(log: Logger, registry: Registry, depths: () => Depths) {
    const registers = [registry]
    this.#log = log
    this.#deliveries = new DeliveryTallies(registry)
    const tally = (name: string, help: string) => new TallyCounter({ name, help, registers }).series({})
    this.#acquired = tally('postel_ip_acquired_total', 'Holds on source IPs that this process got')
    this.#takenOver = tally(
      'postel_ip_takeovers_total',
      'Holds that this process took over from one whose hold had run out',
    )
    this.#lost = tally('postel_ip_holds_lost_total', 'Holds that this process lost')
    this.#renewFailures = tally(
      'postel_ip_hold_renew_failures_total',
      'Times that holds, or what is in flight, could not be written down',
    )
    this.#recordFailures = tally(
      'postel_outcome_record_failures_total',
      'Batches of outcomes that could not be recorded at once',
    )
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

  /** `provider`: the site that it was tried at. */
  tried(outcome: Outcome, message: Tried, provider: string): void {
    this.#deliveries.count(outcome, message, provider)
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

  /** It cannot start yet. */
  waiting(reason: string): void {
    this.#log.warn({ event: 'waiting', reason })
  }

  acquired(ips: readonly HeldIp[]): void {
    const takenOver = ips.filter((ip) => ip.takenOver).length
    this.#acquired.value += ips.length
    this.#takenOver.value += takenOver
    for (const { ipId, address } of ips) this.#deliveries.knowIp(ipId, address)
    this.#log.info({ event: 'ips_acquired', ips: ips.map((ip) => ip.address), taken_over: takenOver })
  }

  lost(ipIds: readonly number[]): void {
    this.#lost.value += ipIds.length
    this.#log.warn({ event: 'ips_lost', ip_ids: ipIds }, 'another process holds these IPs now')
  }

  leaving(ips: readonly HeldIp[]): void {
    this.#log.info(
      { event: 'ips_leaving', ips: ips.map((ip) => ip.address) },
      'these are to move: ending what is in flight',
    )
  }

  letGo(ips: readonly HeldIp[]): void {
    this.#log.info({ event: 'ips_let_go', ips: ips.map((ip) => ip.address) })
  }

  holdFailed(err: unknown): void {
    this.#renewFailures.value++
    this.#log.warn({ event: 'hold_failed', err }, 'could not renew the holds')
  }

  readFailed(err: unknown): void {
    this.#log.warn({ event: 'read_failed', err }, 'could not read the queue')
  }

  loadFailed(err: unknown): void {
    this.#log.warn({ event: 'load_failed', err }, 'could not load messages')
  }

  recordFailed(err: unknown, outcomes: number): void {
    this.#recordFailures.value++
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
