/**
 * The lease on source IPs. A process may send from an IP only while it holds it, and knows by its own monotonic clock
 * when it must stop believing so: a paused process that wakes up finds itself fenced before it does anything.
 */
import { BlockList, isIP, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { HeldIp, OutboundQueries } from '@postel/db/queries/outbound'
import type { OutboundEvents } from './events.ts'

const renewEveryMs = 5_000
/** How often it looks whether what is in flight on an IP that must go has ended. */
const letGoEveryMs = 250
/** Shorter than the 30 s that the database gives, so that this process stops before another may start. */
const believeForMs = 20_000
const sendableStates = new Set(['active', 'warming', 'draining'])
/** The database says so of an IP that belongs on another node from now on. */
const moving = 'moving'

export type HolderOptions = {
  queries: OutboundQueries
  events: OutboundEvents
  processId: string
  nodeName: string
  /** Instead of the addresses of this machine's interfaces. */
  addresses: readonly string[]
  onAcquired: (ips: readonly HeldIp[]) => void
  onLost: (ipIds: readonly number[]) => void
  /** These belong on another node: nothing is started on them any more, what is in flight is to end soon. */
  onLeaving: (ipIds: readonly number[]) => void
  /** Whether anything of the IP is being sent, or its outcome not on record. */
  isBusy: (ipId: number) => boolean
}

export class Holder {
  readonly #options: HolderOptions
  readonly #held = new Map<number, HeldIp>()
  /** Held, and to be released as soon as nothing of it is in flight. */
  readonly #leaving = new Set<number>()
  #believedUntil = 0
  #renewedAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> | undefined
  #again = false
  #stopped = false

  constructor(options: HolderOptions) {
    this.#options = options
  }

  /** Takes what is free; resolves after the first try, which may have found nothing. */
  async start(): Promise<void> {
    await this.#tick(true)
  }

  /** Looks for free IPs and changed states now instead of in five seconds. */
  refresh(): void {
    if (this.#stopped) return
    if (this.#working) {
      this.#again = true
      return
    }
    clearTimeout(this.#timer)
    void this.#tick(true)
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

  /** Whether the IP belongs on another node, and is held only until what is in flight has ended. */
  isLeaving(ipId: number): boolean {
    return this.#leaving.has(ipId)
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

  /** One at a time, because what renew answers must not be older than a release. */
  #tick(renew: boolean): Promise<void> {
    this.#working = (renew ? this.#renewAndAcquire() : this.#letGo())
      .catch((error) => this.#options.events.holdFailed(error))
      .then(() => {
        this.#working = undefined
        if (this.#stopped) return
        const renewInMs = this.#again ? 0 : this.#renewedAt + renewEveryMs - performance.now()
        this.#again = false
        const inMs = this.#leaving.size > 0 ? Math.min(letGoEveryMs, renewInMs) : renewInMs
        this.#timer = setTimeout(() => void this.#tick(inMs === renewInMs), Math.max(0, inMs))
      })
    return this.#working
  }

  async #renewAndAcquire(): Promise<void> {
    const { queries, processId, nodeName, events, onAcquired, onLost, onLeaving } = this.#options
    const startedAt = performance.now()
    this.#renewedAt = startedAt
    const renewed = new Map((await queries.renew(processId)).map((ip) => [ip.ipId, ip]))
    const lost = this.ids.filter((id) => !renewed.has(id))
    for (const id of lost) this.#forget(id)
    const leaving = [...renewed.values()].filter((ip) => ip.state === moving && !this.#leaving.has(ip.ipId))
    // Of an acquire whose answer was lost we know only here that it was carried out; and some may stay after all
    const found = [...renewed.values()].filter(
      (ip) => ip.state !== moving && (!this.#held.has(ip.ipId) || this.#leaving.has(ip.ipId)),
    )
    for (const ip of renewed.values()) this.#held.set(ip.ipId, ip)
    for (const { ipId } of leaving) this.#leaving.add(ipId)
    for (const { ipId } of found) this.#leaving.delete(ipId)
    if (renewed.size > 0) this.#believedUntil = startedAt + believeForMs
    if (lost.length > 0) {
      events.lost(lost)
      onLost(lost)
    }
    if (leaving.length > 0) {
      events.leaving(leaving)
      onLeaving(leaving.map((ip) => ip.ipId))
    }
    if (found.length > 0) {
      events.acquired(found)
      onAcquired(found)
    }
    await this.#letGo()
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
    for (const id of gone) this.#forget(id)
    this.#options.events.lost(gone)
    this.#options.onLost(gone)
    await this.#options.queries.release(this.#options.processId, gone)
  }

  /** Releases the IPs that belong elsewhere and have nothing in flight any more, so that they can move at once. */
  async #letGo(): Promise<void> {
    const { isBusy, events, onLost, queries, processId } = this.#options
    const free = [...this.#leaving].filter((id) => !isBusy(id))
    if (free.length === 0) return
    const ips = free.map((id) => this.#held.get(id)!)
    // If the release fails, the next renewal says that they are still held, and to be let go
    for (const id of free) this.#forget(id)
    onLost(free)
    await queries.release(processId, free)
    events.letGo(ips)
  }

  #forget(ipId: number): void {
    this.#held.delete(ipId)
    this.#leaving.delete(ipId)
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
