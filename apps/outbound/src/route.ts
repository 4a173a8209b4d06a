/**
 * Where a domain's mail goes: exchangers by preference (RFC 5321 §5.1) → not to ourselves → their addresses in the source
 * address's family → not to private ones → their TLSA records. Who could not be reached a moment ago comes last.
 */
import { isIP, isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'
import { bounced, deferred, type Verdict } from './classify.ts'
import { isUsable, type Tlsa } from './dane.ts'
import { DnsFault, localFault } from './dns-client.ts'
import type { StsPolicies } from './mta-sts.ts'
import { isPrivate } from './private-address.ts'
import type { Lookup, Resolver } from './resolver.ts'
import { noPolicy, type TlsPolicy } from './tls-policy.ts'
import { Unreachable } from './unreachable.ts'

/** One address to try. */
export type Target = { host: string; address: string; port: number }

/** Addresses in the order to try and what they must show, or why there are none. */
export type Route =
  | {
      targets: Target[]
      policy: TlsPolicy
      unreachable?: Unreachable
      /** The exchangers as good as the first target's: a session with another was second best. Without: any will do. */
      preferred?: readonly string[]
      /** There are exchangers or addresses that are not among the targets. */
      partial?: boolean
    }
  | NoRoute

/** `local`: it is for this machine that there is none, and no message has to answer for that. */
type NoRoute = { verdict: Verdict; local?: true }

/** How the domain's mail is exchanged, whatever our source address is. */
export type Exchangers = {
  /** By preference, equals in an order of their own at each call; the domain itself without MX. */
  hosts: string[]
  /** Those of the best preference. */
  best: string[]
  /** There is no MX. */
  implicit: boolean
  /** DNSSEC vouches for the names. */
  authenticated: boolean
  /** performance.now() */
  expiresAt: number
}

export type RouterOptions = {
  resolver: Resolver
  port: number
  allowPrivate: boolean
  /** Whether a lower-case host name or an IP address in its canonical form (RFC 5952) is this system itself. */
  isOurs?: (hostOrAddress: string) => boolean
  /** Default: MTA-STS is not looked for. */
  sts?: Pick<StsPolicies, 'lookUp'> | undefined
}

type Exchanger = { host: string; preference: number }
/** What became of one exchanger's name. */
type Located = {
  addresses: string[]
  ours?: string
  refused?: string
  fault?: DnsFault
  tlsa?: Tlsa | undefined
}

const targetsMax = 12
const addressesPerHostMax = 4
/** Exchangers whose addresses are asked for. */
const hostsMax = 20
/** How long slow exchangers are waited for once another has an address. */
const graceMs = 1_000

export class Router {
  readonly #options: RouterOptions
  readonly #unreachable = new Unreachable()

  constructor(options: RouterOptions) {
    this.#options = options
  }

  /** The domain's exchangers, without us and those behind us. Cached as their TTL says. Never rejects. */
  async exchangers(domain: string): Promise<Exchangers | { verdict: Verdict }> {
    const found = await this.#exchangers(domain)
    if ('verdict' in found) return found
    const { list, ...rest } = found
    const best = list.filter(({ preference }) => preference === list[0]!.preference)
    return { ...rest, hosts: list.map(({ host }) => host), best: best.map(({ host }) => host) }
  }

  /** The route to a domain as seen from a source IP: only addresses of the same family. Never rejects. */
  async resolve(domain: string, sourceAddress: string): Promise<Route> {
    const [found, sts] = await Promise.all([this.#exchangers(domain), this.#options.sts?.lookUp(domain)])
    if ('verdict' in found) return found
    const family = isIPv6(sourceAddress) ? 6 : 4
    const located = await this.#locateAll(found.list, family, found.authenticated)
    const open = this.#withoutUs(found.list, located)
    if (open.length === 0) return { verdict: loop(domain, ourName(found.list, located)) }

    const dane = new Map<string, Tlsa>()
    const targets: Target[] = []
    for (const { host } of open) {
      const { addresses = [], tlsa } = located.get(host) ?? {}
      if (tlsa) dane.set(host, tlsa)
      for (const address of addresses) targets.push({ host, address, port: this.#options.port })
    }
    if (targets.length === 0) return this.#nowhere(domain, found, open, located, family)
    const ordered = this.#unreachable.last(targets, sourceAddress)
    const first = open.find(({ host }) => host === ordered[0]!.host)!
    return {
      targets: ordered.slice(0, targetsMax),
      policy: {
        domain,
        namesAuthenticated: found.authenticated,
        sts: sts?.policy && sts.policy.mode !== 'none' ? sts.policy : undefined,
        stsFault: sts?.fault,
        stsUnknown: sts?.unknown ?? false,
        dane,
      },
      unreachable: this.#unreachable,
      preferred: open.filter(({ preference }) => preference === first.preference).map(({ host }) => host),
      partial:
        ordered.length > targetsMax ||
        open.some(({ host }) => located.get(host)?.fault !== undefined || !located.has(host)),
    }
  }

  /** The addresses of a host that an operator named, private ones included. */
  async resolveHost(host: string, port: number, sourceAddress: string): Promise<Route> {
    const family = isIPv6(sourceAddress) ? 6 : 4
    const policy = noPolicy(null, true)
    if (isIP(host)) return { targets: [{ host, address: host, port }], policy }
    try {
      const { records } = await this.#addresses(host, family)
      if (records.length === 0)
        return { verdict: deferred('4.4.4', 'dns', `${host} has no IPv${family} address`) }
      const targets = records.map((address) => ({ host, address, port }))
      return {
        targets: this.#unreachable.last(targets, sourceAddress),
        policy,
        unreachable: this.#unreachable,
      }
    } catch (error) {
      return unknown(host, error)
    }
  }

  async #exchangers(
    name: string,
  ): Promise<(Omit<Exchangers, 'hosts' | 'best'> & { list: Exchanger[] }) | NoRoute> {
    const domain = toAscii(name)
    if (domain === undefined) return { verdict: bounced('5.1.2', 'routing', `${name} is not a domain name`) }
    let mx: Lookup<'MX'>
    try {
      mx = await this.#options.resolver.lookUp(domain, 'MX')
    } catch (error) {
      return unknown(domain, error)
    }
    if (mx.status === 'missing') return { verdict: bounced('5.1.2', 'routing', `${domain} does not exist`) }
    const rest = { authenticated: mx.authenticated, expiresAt: mx.expiresAt }
    if (mx.records.length === 0) return { list: [{ host: domain, preference: 0 }], implicit: true, ...rest }
    if (mx.records.every(({ exchange }) => exchange === ''))
      return { verdict: bounced('5.1.10', 'routing', `${domain} does not accept mail (null MX)`) }
    const list = sortExchangers(mx.records)
    if (list.length === 0) {
      const names = mx.records
        .map(({ exchange }) => exchange)
        .join(', ')
        .slice(0, 200)
      return {
        verdict: deferred('4.4.4', 'dns', `The MX of ${domain} must be a host name, and is not: ${names}`),
      }
    }
    const us = list.find(({ host }) => this.#isOurs(host))
    if (!us) return { list, implicit: false, ...rest }
    const before = list.filter(({ preference }) => preference < us.preference)
    if (before.length === 0) return { verdict: loop(domain, us.host) }
    return { list: before, implicit: false, ...rest }
  }

  /** Asks for all exchangers at once; a slow one is not waited for while another can be tried. */
  async #locateAll(
    list: readonly Exchanger[],
    family: 4 | 6,
    authenticated: boolean,
  ): Promise<Map<string, Located>> {
    const located = new Map<string, Located>()
    const asked = list.slice(0, hostsMax)
    await new Promise<void>((resolve) => {
      let grace: NodeJS.Timeout | undefined
      for (const { host } of asked)
        void this.#locate(host, family, authenticated).then((result) => {
          located.set(host, result)
          if (located.size === asked.length) {
            clearTimeout(grace)
            resolve()
          } else if (result.addresses.length > 0) grace ??= setTimeout(resolve, graceMs)
        })
    })
    // What comes in later is for the next time
    return new Map(located)
  }

  async #locate(host: string, family: 4 | 6, authenticated: boolean): Promise<Located> {
    try {
      const lookup = await this.#addresses(host, family)
      const ours = lookup.records.find((address) => this.#isOurs(address))
      if (ours) return { addresses: [], ours: `${host} (${ours})` }
      const allowed = lookup.records.filter((address) => this.#options.allowPrivate || !isPrivate(address))
      if (allowed.length === 0) return { addresses: [], ...refused(host, lookup.records) }
      const tlsa = authenticated && lookup.authenticated ? await this.#tlsa(host, lookup.name) : undefined
      return { addresses: allowed.slice(0, addressesPerHostMax), tlsa }
    } catch (error) {
      return { addresses: [], fault: error instanceof DnsFault ? error : new DnsFault(String(error)) }
    }
  }

  /** The TLSA records for a host, first under the name that its CNAME leads to (RFC 7672 §2.2.2, §2.2.3). */
  async #tlsa(host: string, expanded: string): Promise<Tlsa | undefined> {
    for (const base of new Set([expanded, host])) {
      // A failure is not "none": the host is not used then (RFC 7672 §2.1.2), by the fault that this throws
      const lookup = await this.#options.resolver.lookUp(`_${this.#options.port}._tcp.${base}`, 'TLSA')
      if (lookup.records.length === 0 || !lookup.authenticated) continue
      return { records: lookup.records.filter(isUsable), base, names: [...new Set([base, host])] }
    }
    return undefined
  }

  #addresses(host: string, family: 4 | 6): Promise<Lookup<'A' | 'AAAA'>> {
    return this.#options.resolver.lookUp(host, family === 6 ? 'AAAA' : 'A')
  }

  /** RFC 5321 §5.1: from the exchanger that we are, on to worse ones, nothing is ours to send to. */
  #withoutUs(list: readonly Exchanger[], located: ReadonlyMap<string, Located>): Exchanger[] {
    const us = list.filter(({ host }) => located.get(host)?.ours)
    const limit = Math.min(...us.map(({ preference }) => preference))
    return list.filter(({ preference }) => preference < limit)
  }

  /** Why no exchanger has an address to connect to. */
  async #nowhere(
    domain: string,
    { implicit }: { implicit: boolean },
    list: readonly Exchanger[],
    located: ReadonlyMap<string, Located>,
    family: 4 | 6,
  ): Promise<NoRoute> {
    const results = list.map(({ host }) => located.get(host))
    const fault = results.find((result) => result?.fault)?.fault
    if (fault) return unknown(domain, fault)
    const refusal = results.find((result) => result?.refused)?.refused
    if (refusal)
      return { verdict: bounced('5.4.4', 'routing', `Mail is not sent to private addresses: ${refusal}`) }
    const other = family === 6 ? 4 : 6
    for (const { host } of list.slice(0, hostsMax)) {
      const lookup = await this.#addresses(host, other).catch(() => undefined)
      // Only a sure answer may bounce
      if (!lookup) return unknown(domain, new DnsFault('TIMEOUT'))
      if (lookup.records.length > 0)
        return {
          verdict: deferred(
            '4.4.4',
            'dns',
            `${host} has only IPv${other} addresses, and the source address is an IPv${family} address`,
          ),
        }
    }
    if (implicit)
      return { verdict: bounced('5.1.2', 'routing', `${domain} has neither MX nor address records`) }
    return { verdict: deferred('4.4.4', 'dns', `No mail exchanger of ${domain} has an address`) }
  }

  #isOurs(hostOrAddress: string): boolean {
    // A name server and a database do not write an IPv6 address in the same way
    const canonical = isIPv6(hostOrAddress)
      ? new URL(`http://[${hostOrAddress}]`).hostname.slice(1, -1)
      : hostOrAddress
    return this.#options.isOurs?.(canonical) ?? false
  }
}

/** By preference, equals shuffled, each host once; names that can have no address are left out. */
function sortExchangers(records: Lookup<'MX'>['records']): Exchanger[] {
  const hosts = new Map<string, number>()
  for (const { preference, exchange } of records) {
    const host = toAscii(exchange)
    if (host === undefined || isIP(host)) continue
    hosts.set(host, Math.min(preference, hosts.get(host) ?? Number.POSITIVE_INFINITY))
  }
  return [...hosts]
    .map(([host, preference]) => ({ host, preference, order: Math.random() }))
    .sort((a, b) => a.preference - b.preference || a.order - b.order)
    .map(({ host, preference }) => ({ host, preference }))
}

/** Lower-case A-labels; undefined for what is no name. Underscores are found in the wild. */
function toAscii(name: string): string | undefined {
  const ascii = /[^\0-\x7f]/.test(name) ? domainToASCII(name) : name.toLowerCase()
  return /^(?=.{1,253}$)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}$/.test(ascii) ? ascii : undefined
}

function refused(host: string, addresses: readonly string[]): { refused?: string } {
  return addresses[0] === undefined ? {} : { refused: `${host} has the private address ${addresses[0]}` }
}

function ourName(list: readonly Exchanger[], located: ReadonlyMap<string, Located>): string {
  return list.map(({ host }) => located.get(host)?.ours).find((ours) => ours !== undefined) ?? ''
}

function loop(domain: string, us: string): Verdict {
  return bounced(
    '5.4.6',
    'routing',
    `Mail for ${domain} would come back to this system: ${us} is its mail exchanger`,
  )
}

function unknown(name: string, error: unknown): NoRoute {
  const why = error instanceof DnsFault ? error.code : String(error)
  const verdict = deferred('4.4.3', 'dns', `The name server could not tell where ${name} is (${why})`)
  return why === localFault ? { verdict, local: true } : { verdict }
}
