/**
 * The lease on source IPs. A process may send from an IP only while it holds it, and knows by its own monotonic clock
 * when it must stop believing so: a paused process that wakes up finds itself fenced before it does anything.
 */
import { BlockList, isIP, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { HeldIp, OutboundQueries } from '@postel/db/queries/outbound'
import type { OutboundEvents } from './events.ts'

const renewEveryMs = 5_000
/** Shorter than the 30 s that the database gives, so that this process stops before another may start. */
const believeForMs = 20_000
const sendableStates = new Set(['active', 'warming', 'draining'])

export type HolderOptions = {
  queries: OutboundQueries
  events: OutboundEvents
  processId: string
  nodeName: string
  /** Instead of the addresses of this machine's interfaces. */
  addresses: readonly string[]
  onAcquired: (ips: readonly HeldIp[]) => void
  onLost: (ipIds: readonly number[]) => void
}

export class Holder {
  readonly #options: HolderOptions
  readonly #held = new Map<number, HeldIp>()
  #believedUntil = 0
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> | undefined
  #stopped = false

  constructor(options: HolderOptions) {
    this.#options = options
  }

  /** Takes what is free; resolves after the first try, which may have found nothing. */
  async start(): Promise<void> {
    await this.#tick()
  }

  /** Looks for free IPs and changed states now instead of in five seconds. */
  refresh(): void {
    if (this.#stopped || this.#working) return
    clearTimeout(this.#timer)
    void this.#tick()
  }

  /** The IP, if mail may be started from it at this moment. */
  sendable(ipId: number): HeldIp | undefined {
    const ip = this.holds(ipId)
    return ip && sendableStates.has(ip.state) ? ip : undefined
  }

  /** The IP, if it is certainly held at this moment: asked again before each final dot. */
  holds(ipId: number): HeldIp | undefined {
    return performance.now() < this.#believedUntil ? this.#held.get(ipId) : undefined
  }

  get count(): number {
    return this.#held.size
  }

  get ids(): number[] {
    return [...this.#held.keys()]
  }

  /** Ends renewing; the IPs stay held until release(), so that what is in flight can end. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#working
  }

  /** Gives everything back. */
  async release(): Promise<void> {
    this.#believedUntil = 0
    this.#held.clear()
    await this.#options.queries.release(this.#options.processId, null)
  }

  #tick(): Promise<void> {
    this.#working = this.#renewAndAcquire()
      .catch((error) => this.#options.events.holdFailed(error))
      .then(() => {
        this.#working = undefined
        if (!this.#stopped) this.#timer = setTimeout(() => void this.#tick(), renewEveryMs)
      })
    return this.#working
  }

  async #renewAndAcquire(): Promise<void> {
    const { queries, processId, nodeName, events, onAcquired, onLost } = this.#options
    const startedAt = performance.now()
    const renewed = new Map((await queries.renew(processId)).map((ip) => [ip.ipId, ip]))
    const lost = this.ids.filter((id) => !renewed.has(id))
    for (const id of lost) this.#held.delete(id)
    // Of an acquire whose answer was lost we know only here that it was carried out
    const found = [...renewed.values()].filter((ip) => !this.#held.has(ip.ipId))
    for (const ip of renewed.values()) this.#held.set(ip.ipId, ip)
    if (renewed.size > 0) this.#believedUntil = startedAt + believeForMs
    if (lost.length > 0) {
      events.lost(lost)
      onLost(lost)
    }
    if (found.length > 0) {
      events.acquired(found)
      onAcquired(found)
    }
    const addresses = this.#options.addresses.length > 0 ? this.#options.addresses : localAddresses()
    await this.#giveUpAbsent(addresses)
    const acquiredAt = performance.now()
    const acquired = await queries.acquire(processId, nodeName, addresses)
    if (acquired.length === 0) return
    for (const ip of acquired) this.#held.set(ip.ipId, ip)
    // The older belief stands for the others: it can only be shorter
    this.#believedUntil = Math.max(this.#believedUntil, acquiredAt + believeForMs)
    if (this.#held.size > acquired.length) this.#believedUntil = startedAt + believeForMs
    events.acquired(acquired)
    onAcquired(acquired)
  }

  /** An address that has left this machine is another's to hold. */
  async #giveUpAbsent(addresses: readonly string[]): Promise<void> {
    const present = addressSet(addresses)
    const gone = [...this.#held.values()]
      .filter(({ address }) => !present.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'))
      .map(({ ipId }) => ipId)
    if (gone.length === 0) return
    for (const id of gone) this.#held.delete(id)
    this.#options.events.lost(gone)
    this.#options.onLost(gone)
    await this.#options.queries.release(this.#options.processId, gone)
  }
}

/** The addresses as a set that knows their other spellings. */
function addressSet(addresses: readonly string[]): BlockList {
  const set = new BlockList()
  for (const address of addresses)
    if (isIP(address)) set.addAddress(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  return set
}

/** The addresses of this machine's interfaces, IPv6 without their zone. */
function localAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map((address) => address.address.split('%')[0]!)
}
