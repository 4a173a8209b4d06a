/** Records of DNS by name, from the name servers that are configured. */
import { Resolver } from 'node:dns/promises'
import ipaddr from 'ipaddr.js'

export type DnsRecordsOptions = {
  /** `ip`, `ip:port` or `[ipv6]:port`; none: the system's. */
  servers: readonly string[]
  /** How long a server may take to answer; it is asked twice. */
  timeoutMs: number
}

/** The name does not exist, has no such record, or is none that DNS could know. Anything else means that nobody could tell. */
const absent = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME'])
const triesPerServer = 2

/**
 * Asks afresh each time, nothing is kept. Every method answers with nothing when there is no such record, and rejects when the
 * servers could not tell (SERVFAIL, REFUSED, no answer).
 */
export class DnsRecords {
  readonly #options: DnsRecordsOptions

  constructor(options: DnsRecordsOptions) {
    this.#options = options
  }

  /** The texts, each put together from its strings. */
  async txt(name: string): Promise<string[]> {
    return (await this.#ask((resolver) => resolver.resolveTxt(name))).map((strings) => strings.join(''))
  }

  mx(name: string): Promise<{ priority: number; exchange: string }[]> {
    return this.#ask((resolver) => resolver.resolveMx(name))
  }

  cname(name: string): Promise<string[]> {
    return this.#ask((resolver) => resolver.resolveCname(name))
  }

  /** The names that an IP address has. */
  ptr(address: string): Promise<string[]> {
    return this.#ask((resolver) => resolver.resolvePtr(reverseName(address)))
  }

  /** IPv4 and IPv6. */
  async addresses(name: string): Promise<string[]> {
    const both = await Promise.all([
      this.#ask((resolver) => resolver.resolve4(name)),
      this.#ask((resolver) => resolver.resolve6(name)),
    ])
    return both.flat()
  }

  async #ask<Answer>(question: (resolver: Resolver) => Promise<Answer[]>): Promise<Answer[]> {
    const { servers, timeoutMs } = this.#options
    // One of its own, because a resolver may keep answers
    const resolver = new Resolver({ timeout: timeoutMs, tries: triesPerServer })
    if (servers.length > 0) resolver.setServers(servers)
    try {
      return await question(resolver)
    } catch (error) {
      if (absent.has((error as NodeJS.ErrnoException).code ?? '')) return []
      throw error
    }
  }
}

/** The name under which the names of an address stand (RFC 1035, 3.5; RFC 3596, 2.5). */
function reverseName(address: string): string {
  const parsed = ipaddr.parse(address)
  const parts =
    parsed instanceof ipaddr.IPv6
      ? parsed.toByteArray().flatMap((byte) => [byte >> 4, byte & 15].map((nibble) => nibble.toString(16)))
      : parsed.toByteArray().map(String)
  return `${parts.reverse().join('.')}.${parsed.kind() === 'ipv6' ? 'ip6' : 'in-addr'}.arpa`
}

/** Whether it is `ip`, `ip:port` or `[ipv6]:port`. */
export function isDnsServer(text: string): boolean {
  try {
    new Resolver().setServers([text])
    return true
  } catch {
    return false
  }
}
