/** How each destination is reached in each delivery mode. */
import type { OutboundConfig } from './config.ts'
import { Router } from './route.ts'
import type { SitePlan } from './sites.ts'

const relayConnections = 50

/** The site of a domain's mail. In sandbox and relay mode there is one for all; else each domain is its own. */
export function plansFor(
  config: OutboundConfig,
  mailboxPort: () => number,
): (domain: string) => { name: string; plan: SitePlan } {
  const router = new Router({
    dnsServers: config.DNS_SERVERS,
    port: config.DELIVERY_PORT,
    allowPrivate: config.DELIVERY_ALLOW_PRIVATE,
  })
  if (config.DELIVERY_MODE === 'direct')
    return (domain) => ({
      name: domain,
      plan: {
        connectionsMax: config.DELIVERY_CONNECTIONS_PER_SITE,
        resolve: (ip) => router.resolve(domain, ip.address),
        implicitTls: false,
        requireTls: false,
      },
    })
  const relay = config.DELIVERY_MODE === 'relay' ? new URL(config.DELIVERY_RELAY_URL!) : undefined
  const site = {
    name: 'relay',
    plan: {
      connectionsMax: relayConnections,
      resolve: (ip: { address: string }) =>
        relay
          ? router.resolveHost(relay.hostname.replace(/^\[|\]$/g, ''), relayPort(relay), ip.address)
          : router.resolveHost('127.0.0.1', mailboxPort(), ip.address),
      implicitTls: relay?.protocol === 'smtps:',
      // A password goes to nobody but the relay itself
      requireTls: relay !== undefined && relay.username !== '' && !isLoopbackHost(relay.hostname),
      auth: relay?.username
        ? { user: decodeURIComponent(relay.username), pass: decodeURIComponent(relay.password) }
        : undefined,
    },
  }
  return () => site
}

function relayPort(relay: URL): number {
  if (relay.port) return Number(relay.port)
  return relay.protocol === 'smtps:' ? 465 : 25
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\./.test(host)
}
