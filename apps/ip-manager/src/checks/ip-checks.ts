/** The leader's looks at DNS: twice a minute at the source IPs that are due, until it is stopped. */
import type { Sql } from '@postel/db/client'
import {
  dueIpChecks,
  type IpToCheck,
  knownIpChecks,
  recordIpCheck,
  recordIpCheckFault,
} from '@postel/db/queries/ip-checks'
import { pause } from '@postel/runtime/backoff'
import { checkIp, type Dns } from './check-ip.ts'
import type { IpCheckEvents } from './events.ts'

const lookEveryMs = 30_000
const atOnce = 10

export type IpChecksOptions = {
  sql: Sql
  dns: Dns
  /** What EHLO says for IPs without a name of their own; null: not known. */
  ehloName: string | null
  events: IpCheckEvents
}

export class IpChecks {
  readonly #options: IpChecksOptions

  constructor(options: IpChecksOptions) {
    this.#options = options
  }

  /** Looks until the signal aborts; resolves once nothing is under way any more. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { events } = this.#options
    while (!signal.aborted) {
      await this.look(signal).catch((error) => events.failed(error))
      await pause(lookEveryMs, signal)
    }
    events.unknown()
  }

  /** At all that are due. Rejects when the database does not answer. An abort does not wait for DNS. */
  async look(signal: AbortSignal): Promise<void> {
    const { sql, ehloName, events } = this.#options
    const aborted = Promise.withResolvers<undefined>()
    const abort = () => aborted.resolve(undefined)
    signal.addEventListener('abort', abort)
    try {
      while (!signal.aborted) {
        const due = await dueIpChecks(sql, ehloName, atOnce)
        await Promise.all(due.map((ip) => this.#lookAt(ip, aborted.promise)))
        if (due.length < atOnce) break
      }
      if (!signal.aborted) events.known(await knownIpChecks(sql))
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  async #lookAt(ip: IpToCheck, aborted: Promise<undefined>): Promise<void> {
    const { sql, dns, events } = this.#options
    const checking = checkIp(ip, dns).catch((error: Error & { code?: string }) => error)
    const check = await Promise.race([checking, aborted])
    if (check === undefined) return
    if (check instanceof Error) {
      const fault = `DNS could not tell: ${check.code ?? check.message}`
      await recordIpCheckFault(sql, ip, fault)
      return events.unsure(ip.address, fault)
    }
    await recordIpCheck(sql, ip, check)
    if (check.problem !== ip.before) events.checked(ip.address, check.problem)
  }
}
