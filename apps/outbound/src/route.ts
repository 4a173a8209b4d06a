/** Where a domain's mail goes: MX by preference, the address records where there is no MX, or the relay. */
import { Resolver } from 'node:dns/promises'
import { BlockList, isIP, isIPv6 } from 'node:net'
import { bounced, deferred, type Verdict } from './classify.ts'

/** One address to try. */
export type Target = { host: string; address: string; port: number }

/** Addresses in the order to try, or why there are none. */
export type Route = { targets: Target[] } | { verdict: Verdict }

export type RelayTarget = {
  host: string
  port: number
  implicitTls: boolean
  auth?: { user: string; pass: string }
}

export type RouterOptions = {
  dnsServers: readonly string[]
  port: number
  allowPrivate: boolean
}

const cacheMs = 60_000
const cacheMax = 10_000
const targetsMax = 12

/** Nothing that a mail exchanger of another organization could have (RFC 6890). */
const privateNetworks = new BlockList()
for (const network of [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '::1/128',
  '::ffff:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
]) {
  const [address, prefix] = network.split('/')
  privateNetworks.addSubnet(address!, Number(prefix), isIPv6(address!) ? 'ipv6' : 'ipv4')
}

/** Whether mail must never be sent there on another's word. */
export function isPrivate(address: string): boolean {
  return privateNetworks.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

export class Router {
  readonly #options: RouterOptions
  readonly #resolver: Resolver
  readonly #cache = new Map<string, { at: number; route: Promise<Route> }>()

  constructor(options: RouterOptions) {
    this.#options = options
    this.#resolver = new Resolver({ timeout: 5_000, tries: 2 })
    if (options.dnsServers.length > 0) this.#resolver.setServers([...options.dnsServers])
  }

  /** The route to a domain as seen from a source IP: only addresses of the same family. Never rejects. */
  async resolve(domain: string, sourceAddress: string): Promise<Route> {
    const family = isIP(sourceAddress)
    const key = `${family} ${domain}`
    const known = this.#cache.get(key)
    if (known && performance.now() - known.at < cacheMs) return known.route
    if (this.#cache.size >= cacheMax) this.#cache.clear()
    const route = this.#lookUp(domain, family).catch((error): Route => dnsFault(domain, error))
    this.#cache.set(key, { at: performance.now(), route })
    // A fault is asked about again, an answer is kept
    void route.then((result) => {
      if ('verdict' in result && result.verdict.outcome === 'deferred') this.#cache.delete(key)
    })
    return route
  }

  /** The addresses of a host that an operator named, private ones included. */
  async resolveHost(host: string, port: number, sourceAddress: string): Promise<Route> {
    if (isIP(host)) return { targets: [{ host, address: host, port }] }
    try {
      const addresses = await this.#addresses(host, isIP(sourceAddress))
      if (addresses.length > 0) return { targets: addresses.map((address) => ({ host, address, port })) }
      return { verdict: deferred('4.4.4', 'dns', `${host} has no address`) }
    } catch (error) {
      return dnsFault(host, error)
    }
  }

  async #lookUp(domain: string, family: number): Promise<Route> {
    const exchangers = await this.#exchangers(domain)
    if (exchangers.length === 1 && exchangers[0] === '')
      return { verdict: bounced('5.1.10', 'routing', `${domain} does not accept mail (null MX)`) }
    const targets: Target[] = []
    let refused = ''
    let fault: unknown
    for (const host of exchangers.length > 0 ? exchangers : [domain]) {
      try {
        for (const address of await this.#addresses(host, family)) {
          if (!this.#options.allowPrivate && isPrivate(address))
            refused = `${host} has the private address ${address}`
          else targets.push({ host, address, port: this.#options.port })
        }
      } catch (error) {
        fault ??= error
      }
      if (targets.length >= targetsMax) break
    }
    if (targets.length > 0) return { targets: targets.slice(0, targetsMax) }
    if (fault) throw fault
    if (refused)
      return { verdict: bounced('5.4.4', 'routing', `Mail is not sent to private addresses: ${refused}`) }
    if (exchangers.length > 0)
      return {
        verdict: deferred('4.4.4', 'dns', `No mail exchanger of ${domain} has an IPv${family} address`),
      }
    return { verdict: bounced('5.1.2', 'routing', `${domain} has neither MX nor address records`) }
  }

  /** Host names by preference, equals in random order; empty without MX; [''] for the null MX (RFC 7505). */
  async #exchangers(domain: string): Promise<string[]> {
    try {
      const records = await this.#resolver.resolveMx(domain)
      return records
        .map((record) => ({ ...record, order: Math.random() }))
        .sort((a, b) => a.priority - b.priority || a.order - b.order)
        .map((record) => record.exchange.replace(/\.$/, '').toLowerCase())
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENODATA') return []
      throw error
    }
  }

  /** Empty when the name has no address of the family or does not exist. */
  async #addresses(host: string, family: number): Promise<string[]> {
    try {
      return await (family === 6 ? this.#resolver.resolve6(host) : this.#resolver.resolve4(host))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENODATA' || code === 'ENOTFOUND') return []
      throw error
    }
  }
}

function dnsFault(domain: string, error: unknown): Route {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOTFOUND') return { verdict: bounced('5.1.2', 'routing', `${domain} does not exist`) }
  return {
    verdict: deferred('4.4.3', 'dns', `The name server could not tell where ${domain} is (${code ?? error})`),
  }
}
