/** What the agent says about its work: each writes its metric and its log line together. */
import type { Logger } from '@postel/runtime/logger'
import { Counter, Gauge, type Registry } from '@postel/runtime/metrics'

export class AgentEvents {
  readonly #log: Logger
  readonly #changes
  readonly #addresses
  readonly #problems
  readonly #rounds
  readonly #roundAt
  #told = ''
  readonly #foreign = new Set<string>()

  constructor(log: Logger, registry: Registry) {
    const registers = [registry]
    this.#log = log
    this.#changes = new Counter({
      name: 'postel_ip_agent_changes_total',
      help: 'Source IPs added to and removed from the interface of this node',
      labelNames: ['change'] as const,
      registers,
    })
    this.#addresses = new Gauge({
      name: 'postel_ip_agent_addresses',
      help: 'Source IPs on this node that the agent has added',
      registers,
    })
    this.#problems = new Gauge({
      name: 'postel_ip_agent_problems',
      help: 'What kept the last round from bringing the interface to what the database says',
      registers,
    })
    this.#rounds = new Counter({
      name: 'postel_ip_agent_rounds_total',
      help: 'Comparisons of the interface with the database by result',
      labelNames: ['result'] as const,
      registers,
    })
    this.#roundAt = new Gauge({
      name: 'postel_ip_agent_last_round_timestamp_seconds',
      help: 'When the interface was last compared with the database',
      registers,
    })
    for (const change of ['added', 'removed']) this.#changes.inc({ change }, 0)
    for (const result of ['done', 'failed']) this.#rounds.inc({ result }, 0)
  }

  waiting(reason: string): void {
    this.#log.warn({ event: 'waiting', reason }, 'not at work yet')
  }

  added(address: string, device: string): void {
    this.#changes.inc({ change: 'added' })
    this.#log.info({ event: 'address_added', address, device })
  }

  removed(address: string, device: string): void {
    this.#changes.inc({ change: 'removed' })
    this.#log.info({ event: 'address_removed', address, device })
  }

  announced(address: string, device: string, gateways: number): void {
    this.#log.debug({ event: 'address_announced', address, device, gateways })
  }

  announceFailed(address: string, err: unknown): void {
    this.#log.warn({ event: 'announce_failed', address, err }, 'the gateway was not told where an address is')
  }

  silenced(setting: string): void {
    this.#log.warn(
      { event: 'announce_silenced', setting },
      'gateways are not told where IPv4 addresses are; in a cloud that does not matter, elsewhere set it to 0',
    )
  }

  /** Said once for each address. */
  foreign(address: string): void {
    if (this.#foreign.has(address)) return
    this.#foreign.add(address)
    this.#log.warn(
      { event: 'address_foreign', address },
      'a source IP that does not belong on this node is on it; the agent did not add it and leaves it: remove it by hand',
    )
  }

  /** The problems are logged when they change. */
  round(ours: number, problems: readonly string[]): void {
    this.#rounds.inc({ result: problems.length === 0 ? 'done' : 'failed' })
    this.#roundAt.setToCurrentTime()
    this.#addresses.set(ours)
    this.#tell(problems)
  }

  /** Nothing could be compared; what is on the interface stays. */
  roundFailed(problem: string): void {
    this.#rounds.inc({ result: 'failed' })
    this.#tell([problem])
  }

  deaf(err: unknown): void {
    this.#log.debug({ event: 'listen_failed', err }, 'no hints for the moment, the poll goes on')
  }

  #tell(problems: readonly string[]): void {
    this.#problems.set(problems.length)
    const text = problems.join('; ')
    if (text === this.#told) return
    this.#told = text
    if (text === '') this.#log.info({ event: 'recovered' })
    else this.#log.error({ event: 'round_failed', problems }, 'the interface is not as it should be')
  }
}
