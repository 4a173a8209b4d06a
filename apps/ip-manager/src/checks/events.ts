/** What the looks at DNS found: each writes its metric and its log line together. */
import type { KnownIpCheck } from '@postel/db/queries/ip-checks'
import type { Logger } from '@postel/runtime/logger'
import { Gauge, type Registry } from '@postel/runtime/metrics'

export class IpCheckEvents {
  readonly #log: Logger
  readonly #ok

  constructor(log: Logger, registry: Registry) {
    this.#log = log
    this.#ok = new Gauge({
      name: 'postel_ip_dns_ok',
      help: 'What DNS says of source IPs, as the leader sees it: 1 right, 0 wrong (ptr, forward, ehlo); missing while nobody can tell',
      labelNames: ['ip', 'check'] as const,
      registers: [registry],
    })
  }

  known(checks: readonly KnownIpCheck[]): void {
    this.#ok.reset()
    for (const { address: ip, ptrOk, forwardOk, ehloOk } of checks)
      for (const [check, ok] of Object.entries({ ptr: ptrOk, forward: forwardOk, ehlo: ehloOk }))
        if (ok !== null) this.#ok.set({ ip, check }, ok ? 1 : 0)
  }

  /** Another process leads, or none. */
  unknown(): void {
    this.#ok.reset()
  }

  /** It is not as it was. */
  checked(ip: string, problem: string | null): void {
    if (problem === null) this.#log.info({ event: 'ip_dns_right', ip })
    else this.#log.warn({ event: 'ip_dns_wrong', ip, problem })
  }

  unsure(ip: string, fault: string): void {
    this.#log.info({ event: 'ip_dns_unsure', ip, fault })
  }

  failed(err: unknown): void {
    this.#log.warn(
      { event: 'ip_dns_failed', err },
      'could not read or write the checks of source IPs, trying again',
    )
  }
}
