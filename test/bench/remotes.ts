/** The rest of the world for `fairness`: a name server, and mail servers on loopback, good, dead and slow ones. */
import { freePort } from '@postel/db/embedded/address'
import { FakeDns, type Zone } from '../support/fake-dns.ts'
import type { Cleanup } from './cleanup.ts'
import { type Sink, startSink } from './sink.ts'
import { listen, listenForTokens, type OnToken } from './token-sink.ts'

/** Answer at once and tell when each message arrived; each has an exchanger of its own. */
export const goodDomains = numbered(10, (index) => `good${index}.test`)
/** Answer at once, and are only counted: thirty-one domains with an exchanger each, behind one server. */
export const countedDomains = ['big.test', ...numbered(30, (index) => `small${index}.test`)]
/** Nobody listens at its exchanger's address. */
export const deadDomain = 'dead.test'
/** The same, a thousand times; each exchanger has an address of its own. */
export const deadDomains = numbered(1000, (index) => `dead${index}.test`)
/** Takes connections and says nothing. (One that drops SYNs instead would need a firewall's rule.) */
export const blackholeDomain = 'blackhole.test'
/** Answers the final dot after half a minute. */
export const slowDomain = 'slow.test'

export type Remotes = {
  /** What the apps need to find them. */
  environment: Record<string, string>
  /** Of countedDomains. */
  counted: Sink
  /** Ends all sessions, and those who held them. */
  stop(): Promise<void>
}

const slowMs = 30_000
/** The port must be free at each of the addresses. */
const triesMax = 20

/** Starts them all on one port; the cleanup stops them at the latest. `directory` is for the counter. */
export async function startRemotes(cleanup: Cleanup, directory: string, onToken: OnToken): Promise<Remotes> {
  const dns = await FakeDns.start(zones())
  const stops = [cleanup.defer(() => dns.stop())]
  const port = await startServers(cleanup, onToken, stops)
  const counted = await startSink(cleanup, directory, 'counted', { host: countedAddress, port })
  return {
    environment: {
      DELIVERY_MODE: 'direct',
      DELIVERY_PORT: `${port}`,
      DNS_SERVERS: dns.address,
    },
    counted,
    stop: async () => {
      await counted.stop()
      for (const stop of stops) await stop()
    },
  }
}

const goodAddress = (index: number) => `127.0.2.${index + 1}`
const countedAddress = '127.0.2.100'
const deadAddress = '127.0.3.1'
const deadAddressOf = (index: number) => `127.1.${Math.floor(index / 250)}.${(index % 250) + 1}`
const blackholeAddress = '127.0.3.2'
const slowAddress = '127.0.3.3'

async function startServers(
  cleanup: Cleanup,
  onToken: OnToken,
  stops: (() => Promise<void>)[],
): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = await freePort()
    const started: (() => Promise<void>)[] = []
    try {
      for (const index of goodDomains.keys())
        started.push(await listenForTokens(cleanup, { host: goodAddress(index), port }, onToken))
      started.push(await listenForTokens(cleanup, { host: slowAddress, port }, onToken, slowMs))
      started.push(await listen(cleanup, { host: blackholeAddress, port }, () => {}))
      stops.push(...started)
      return port
    } catch (error) {
      for (const stop of started) await stop()
      if (tries === triesMax) throw error
    }
  }
}

function zones(): Record<string, Zone> {
  return Object.fromEntries([
    ...goodDomains.flatMap((domain, index) => domainAt(domain, goodAddress(index))),
    ...countedDomains.flatMap((domain) => domainAt(domain, countedAddress)),
    ...domainAt(deadDomain, deadAddress),
    ...deadDomains.flatMap((domain, index) => domainAt(domain, deadAddressOf(index))),
    ...domainAt(blackholeDomain, blackholeAddress),
    ...domainAt(slowDomain, slowAddress),
  ])
}

function domainAt(domain: string, address: string): [string, Zone][] {
  return [
    [domain, { MX: [[10, `mx.${domain}`]] }],
    [`mx.${domain}`, { A: [address] }],
  ]
}

function numbered<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}
