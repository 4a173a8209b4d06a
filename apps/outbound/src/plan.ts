/** How each destination is reached in each delivery mode, and which destinations share a site. */
import type { HeldIp } from '@postel/db/queries/outbound'
import type { OutboundConfig } from './config.ts'
import type { Policies } from './policies.ts'
import type { Exchangers, Route, Router } from './route.ts'
import type { DestinationRule } from './rules.ts'
import type { Limits } from './throttle.ts'

/** How the mail of one recipient domain gets there. */
export type Destination = {
  /** What shares limits and sessions. */
  site: string
  limits: Limits
  /** A session with one of these hosts may carry its mail; undefined: every session of the site. */
  hosts: readonly string[] | undefined
  resolve: (ip: HeldIp) => Promise<Route>
  implicitTls: boolean
  /** What the destination asks for, whatever the message does. */
  floor: 'opportunistic' | 'enforced'
  auth?: { user: string; pass: string } | undefined
}

export type Plan = {
  destination: Destination
  /** performance.now() until which it need not be asked for again. */
  expiresAt: number
  /** Mail exchangers by preference, where DNS was asked. */
  hosts: readonly string[]
}

const relayConnections = 50
const serverLimits: Limits = {
  connectionsMax: relayConnections,
  messagesPerConnection: 1_000,
  messagesPerMinute: undefined,
  recipientsPerTransaction: 1_000,
}
/** A domain without a way is asked about again soon. */
const noWayMs = 30_000

/** In sandbox and relay mode all mail has one destination. Undefined in direct mode. */
export function soleDestination(
  config: OutboundConfig,
  router: Router,
  mailboxPort: () => number,
): Destination | undefined {
  if (config.DELIVERY_MODE === 'direct') return undefined
  if (config.DELIVERY_MODE === 'relay')
    return serverDestination('relay', new URL(config.DELIVERY_RELAY_URL!), serverLimits, router)
  return {
    site: 'sandbox',
    limits: serverLimits,
    hosts: undefined,
    resolve: (ip) => router.resolveHost('127.0.0.1', mailboxPort(), ip.address),
    implicitTls: false,
    floor: 'opportunistic',
  }
}

/** Finds out how a domain's mail goes: by its rule's smarthost, or to its mail exchangers. Never rejects. */
export async function planFor(domain: string, policies: Policies, router: Router): Promise<Plan> {
  const own = policies.ruleOfDomain(domain)
  if (own?.smarthost) return viaSmarthost(own, own.smarthost, router)
  const exchangers = await router.exchangers(domain)
  const hosts = 'verdict' in exchangers ? [] : exchangers.hosts
  const rule = policies.ruleOf(domain, hosts)
  if (rule.smarthost) return viaSmarthost(rule, rule.smarthost, router)
  const expiresAt = 'verdict' in exchangers ? performance.now() + noWayMs : exchangers.expiresAt
  return {
    destination: {
      site: rule === policies.fallback ? siteName(domain, exchangers) : rule.name,
      limits: rule.limits,
      hosts,
      resolve: (ip) => router.resolve(domain, ip.address),
      implicitTls: false,
      floor: rule.tls,
    },
    expiresAt,
    hosts,
  }
}

function viaSmarthost(rule: DestinationRule, smarthost: URL, router: Router): Plan {
  return {
    destination: serverDestination(rule.name, smarthost, rule.limits, router),
    expiresAt: Number.POSITIVE_INFINITY,
    hosts: [smarthost.hostname],
  }
}

/** Domains with the same mail exchangers are one site, named after the first of them by name. */
function siteName(domain: string, exchangers: Exchangers | { verdict: unknown }): string {
  if ('verdict' in exchangers || exchangers.implicit) return domain
  return [...exchangers.hosts].sort()[0] ?? domain
}

/** Through one server that an operator named. */
function serverDestination(site: string, url: URL, limits: Limits, router: Router): Destination {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = url.port ? Number(url.port) : url.protocol === 'smtps:' ? 465 : 25
  return {
    site,
    limits,
    hosts: undefined,
    resolve: (ip) => router.resolveHost(host, port, ip.address),
    implicitTls: url.protocol === 'smtps:',
    // A password goes to nobody but the server itself
    floor: url.username !== '' && !isLoopbackHost(host) ? 'enforced' : 'opportunistic',
    auth: url.username
      ? { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
      : undefined,
  }
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host)
}
