/** What the provider last said, without asking it more often than it likes. */
import { backoffMs } from '@postel/runtime/backoff'
import type { IpManagerEvents } from './events.ts'
import { type Provider, ProviderError } from './provider.ts'
import type { Cloud } from './reconcile.ts'

/** For so long what we moved ourselves counts more than a list, which may have been made before. */
const ownWordMs = 60_000
/** A list that could not be had anew serves for so long: what is attached where changes by our own hand mostly. */
const usableMs = 600_000

export type CloudViewOptions = {
  provider: Provider
  /** How often it is asked for its lists. 0: at each look, and the look waits for it. */
  listEveryMs: number
  events: IpManagerEvents
  signal: AbortSignal
}

export class CloudView {
  readonly #options: CloudViewOptions
  readonly #moved = new Map<string, { serverId: string; at: number }>()
  #cloud: Cloud | undefined
  #listedAt = Number.NEGATIVE_INFINITY
  #nextAt = 0
  #failures = 0
  #failingSince: number | undefined
  #listing: Promise<void> | undefined

  constructor(options: CloudViewOptions) {
    this.#options = options
  }

  /** What is known. Undefined: the provider has not answered yet, or not for a long time. Asks anew when it is time to. */
  async look(): Promise<Cloud | undefined> {
    if (performance.now() >= this.#nextAt && !this.#listing) {
      this.#listing = this.#list().finally(() => {
        this.#listing = undefined
      })
      // Mostly nobody waits for it
      this.#listing.catch(() => {})
    }
    if (this.#options.listEveryMs === 0 || !this.#cloud) await this.#listing
    return performance.now() - this.#listedAt < usableMs ? this.#cloud : undefined
  }

  /** For how long it has not answered; 0: it did when it was last asked. */
  get unansweredMs(): number {
    return this.#failingSince === undefined ? 0 : performance.now() - this.#failingSince
  }

  /** The address has been attached there. */
  moved(address: string, serverId: string): void {
    this.#moved.set(address, { serverId, at: performance.now() })
    if (this.#cloud) this.#cloud = this.#withMoved(this.#cloud)
  }

  /** Something is not as it was listed. */
  expire(): void {
    this.#nextAt = 0
  }

  async #list(): Promise<void> {
    const { provider, listEveryMs, events, signal } = this.#options
    const startedAt = performance.now()
    try {
      const [addresses, servers] = await Promise.all([
        provider.listAddresses(signal),
        provider.listServers(signal),
      ])
      this.#cloud = this.#withMoved({ addresses, servers, attaches: provider.name !== 'static' })
      this.#listedAt = startedAt
      this.#nextAt = startedAt + listEveryMs
      this.#failures = 0
      this.#failingSince = undefined
    } catch (error) {
      if (signal.aborted) throw error
      events.listFailed(error)
      this.#failingSince ??= startedAt
      const asked = error instanceof ProviderError ? (error.retryAfterMs ?? 0) : 0
      this.#nextAt = performance.now() + Math.max(asked, 1_000 + backoffMs(this.#failures++, 1_000, 60_000))
    }
  }

  #withMoved(cloud: Cloud): Cloud {
    const now = performance.now()
    for (const [address, { at }] of this.#moved) if (now - at > ownWordMs) this.#moved.delete(address)
    if (this.#moved.size === 0) return cloud
    return {
      ...cloud,
      addresses: cloud.addresses.map((address) => {
        const moved = this.#moved.get(address.address)
        return moved ? { ...address, serverId: moved.serverId } : address
      }),
    }
  }
}
