/** How each destination is reached in each delivery mode, and which destinations share a site. */
import { createHash } from 'node:crypto'
import type { HeldIp } from '@postel/db/queries/outbound'
import { deferred } from './classify.ts'
import type { OutboundConfig } from './config.ts'
import type { Policies } from './policies.ts'
import type { Exchangers, Route, Router } from './route.ts'
import { type DestinationRule, parseSmarthost, type Smarthost } from './rules.ts'
import type { Limits } from './throttle.ts'

/** How the mail of one recipient domain gets there. */
export type Destination = {
  /** What shares limits and sessions. */
  site: string
  limits: Limits
  /** A session with one of these hosts may carry its mail; undefined: every session of the site. */
  hosts: readonly string[] | undefined
  /** The one server, its port and credentials, where an operator named it: a session with another is not for this mail. */
  endpoint: string | undefined
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
    return serverDestination('relay', parseSmarthost(config.DELIVERY_RELAY_URL!), serverLimits, router)
  return {
    site: 'sandbox',
    limits: serverLimits,
    hosts: undefined,
    endpoint: 'sandbox',
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
  const found = 'verdict' in exchangers ? undefined : exchangers
  const rule = policies.ruleOf(domain, found?.best ?? [])
  if (rule.smarthost) return viaSmarthost(rule, rule.smarthost, router)
  return {
    destination: {
      site: rule === policies.fallback ? siteName(domain, found) : rule.name,
      limits: rule.limits,
      hosts: found?.hosts ?? [],
      endpoint: undefined,
      resolve: (ip) => router.resolve(domain, ip.address),
      implicitTls: false,
      floor: rule.tls,
    },
    expiresAt: found?.expiresAt ?? performance.now() + noWayMs,
    hosts: found?.hosts ?? [],
  }
}

function viaSmarthost(
  rule: DestinationRule,
  smarthost: Smarthost | { problem: string },
  router: Router,
): Plan {
  if (!('problem' in smarthost))
    return {
      destination: serverDestination(rule.name, smarthost, rule.limits, router),
      expiresAt: Number.POSITIVE_INFINITY,
      hosts: [smarthost.host],
    }
  const verdict = deferred(
    '4.3.5',
    'routing',
    `The smarthost of the destination rule ${rule.name} cannot be used: ${smarthost.problem}`,
  )
  return {
    destination: {
      site: rule.name,
      limits: rule.limits,
      hosts: [],
      endpoint: undefined,
      resolve: async () => ({ verdict }),
      implicitTls: false,
      floor: rule.tls,
    },
    expiresAt: Number.POSITIVE_INFINITY,
    hosts: [],
  }
}

/** Domains with the same mail exchangers are one site: the first of the best by name, and a mark of the whole set. */
function siteName(domain: string, found: Exchangers | undefined): string {
  if (!found || found.implicit) return domain
  const first = [...found.best].sort()[0]!
  if (found.hosts.length === 1) return first
  const mark = createHash('sha256').update([...found.hosts].sort().join())
  return `${first}+${mark.digest('hex').slice(0, 6)}`
}

/** Through one server that an operator named. */
function serverDestination(
  site: string,
  { host, port, implicitTls, auth }: Smarthost,
  limits: Limits,
  router: Router,
): Destination {
  return {
    site,
    limits,
    hosts: undefined,
    endpoint: [host, port, implicitTls, auth?.user, auth?.pass].join(' '),
    resolve: (ip) => router.resolveHost(host, port, ip.address),
    implicitTls,
    // A password goes to nobody but the server itself
    floor: auth && !isLoopbackHost(host) ? 'enforced' : 'opportunistic',
    auth,
  }
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
