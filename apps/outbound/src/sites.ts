/**
 * All sites: a message reserves its place at its own, within what may be loaded for all of them together, and gives it back
 * when it has ended. Lets sessions go with their IP, and at a stop.
 */
import type { Descriptor, LoadedMessage } from '@postel/db/queries/outbound'
import type { ReadyMessage } from './deliver.ts'
import { type Kind, kinds, LoadShares } from './load-shares.ts'
import type { Destination } from './plan.ts'
import { type DeliveryOptions, Site, type SiteRecord } from './site.ts'
import { isUrgent } from './turns.ts'

export type SitesOptions = DeliveryOptions & {
  /** Undefined while it is being found out; onFound() will unpark `domain <name>`. */
  destinationOf: (domain: string, urgent: boolean) => Destination | undefined
  /** What was in the way under this name has given way for so many rows. */
  onRoom: (obstacle: string, rows: number) => void
  /** The message was not sent and has no outcome: it stays in the queue. */
  onReleased: (message: LoadedMessage) => void
}

type Reservation = { site: Site; destination: Destination; kind: Kind; bytes: number }

export class Sites {
  readonly #options: SitesOptions
  readonly #sites = new Map<string, Site>()
  readonly #reservations = new Map<number, Reservation>()
  readonly #shares = new LoadShares()
  readonly #remembered = new Map<string, { record: SiteRecord; at: number }>()
  /** IPs that belong on another node, each with the deadline of what is in flight. */
  readonly #leaving = new Map<number, NodeJS.Timeout>()
  #stopping = false
  #ended: (() => void) | undefined

  constructor(options: SitesOptions) {
    this.#options = options
  }

  get connections(): number {
    let count = 0
    for (const site of this.#sites.values()) count += site.sessions
    return count
  }

  /** Takes the place for a row that is about to be loaded; or says what is in the way. */
  reserve(row: Descriptor): string | undefined {
    const destination = this.#options.destinationOf(row.domain, isUrgent(row.priority))
    if (!destination) return `domain ${row.domain}`
    const site = this.#site(row.ipId, destination)
    if (!site.hasRoom()) return keyOf(site.ipId, site.name)
    const { kind } = site
    if (!this.#shares.hasRoom(kind, row.sizeBytes)) return kind
    this.#shares.take(kind, row.sizeBytes)
    site.take(row.domain)
    this.#reservations.set(row.id, { site, destination, kind, bytes: row.sizeBytes })
    return undefined
  }

  /** Gives the place back: the message turned out to be gone, or was not sent. */
  unreserve(row: Pick<Descriptor, 'id'>): void {
    this.#end(row, (site) => site.giveBack())
  }

  /** Hands over a message that has a place. */
  add(ready: ReadyMessage): void {
    const reservation = this.#reservations.get(ready.message.id)
    if (!reservation || this.#isEnding(reservation.site.ipId)) return this.#release(ready.message)
    const { site, destination } = reservation
    site.add({ ...ready, destination })
  }

  /** What the last holder of these IPs had learned of their sites. */
  remember(records: readonly SiteRecord[]): void {
    for (const record of records)
      this.#remembered.set(keyOf(record.ipId, record.site), { record, at: performance.now() })
  }

  /** What people should see that has changed since the last call. */
  takeChanges(): SiteRecord[] {
    const changes: SiteRecord[] = []
    for (const site of this.#sites.values()) {
      const change = site.takeChange()
      // What another holder of the IP learns is its own to tell
      if (change && this.#options.holds(site.ipId)) changes.push(change)
      this.#forget(site)
    }
    return changes
  }

  /** These could not be written down: they are told again. */
  untell(records: readonly SiteRecord[]): void {
    for (const { ipId, site } of records) this.#sites.get(keyOf(ipId, site))?.untell()
  }

  /**
   * Ends all sessions: messages before their final dot are released, those after it may wait for the reply until the
   * deadline, and then they are in doubt.
   */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true
    for (const timer of this.#leaving.values()) clearTimeout(timer)
    for (const site of this.#sites.values()) {
      site.stopWaking()
      site.wind()
      site.cut(false)
    }
    if (this.connections === 0) return
    const timer = setTimeout(() => {
      for (const site of this.#sites.values()) site.cut(true)
    }, deadlineMs)
    await new Promise<void>((resolve) => {
      this.#ended = resolve
    })
    clearTimeout(timer)
  }

  /** The same for all sessions from one IP, which is to be let go. Nothing is begun from it until stay(). */
  leave(ipId: number, deadlineMs: number): void {
    if (this.#leaving.has(ipId) || this.#stopping) return
    const cut = () => {
      for (const site of this.#of(ipId)) site.cut(true)
    }
    this.#leaving.set(ipId, setTimeout(cut, deadlineMs))
    for (const site of this.#of(ipId)) {
      site.wind()
      site.cut(false)
    }
  }

  /** The IP may be sent from again, or has been let go. */
  stay(ipId: number): void {
    clearTimeout(this.#leaving.get(ipId))
    this.#leaving.delete(ipId)
  }

  #of(ipId: number): Site[] {
    return [...this.#sites.values()].filter((site) => site.ipId === ipId)
  }

  #isEnding(ipId: number): boolean {
    return this.#stopping || this.#leaving.has(ipId)
  }

  #site(ipId: number, destination: Destination): Site {
    const key = keyOf(ipId, destination.site)
    const known = this.#sites.get(key)
    if (known) {
      known.limitTo(destination.limits)
      return known
    }
    const remembered = this.#remembered.get(key)
    this.#remembered.delete(key)
    const site: Site = new Site(
      ipId,
      destination,
      {
        delivery: this.#options,
        isEnding: () => this.#isEnding(ipId),
        onLeft: (message) => this.#end(message, (left) => left.leave()),
        onReleased: (message) => this.#release(message),
        onRoom: (rows) => this.#options.onRoom(key, rows),
        onSessionEnded: () => {
          this.#forget(site)
          if (this.#stopping && this.connections === 0) this.#ended?.()
        },
      },
      remembered && { record: remembered.record, agoMs: performance.now() - remembered.at },
    )
    this.#sites.set(key, site)
    return site
  }

  #release(message: LoadedMessage): void {
    this.unreserve(message)
    this.#options.onReleased(message)
  }

  #end(row: Pick<Descriptor, 'id'>, leave: (site: Site) => void): void {
    const reservation = this.#reservations.get(row.id)
    if (!reservation) return
    this.#reservations.delete(row.id)
    const { site, kind, bytes } = reservation
    this.#shares.giveBack(kind, bytes)
    leave(site)
    // The shares lie one in the other: room for one kind may be room for the others
    for (const each of kinds) if (this.#shares.hasRoom(each, 0)) this.#options.onRoom(each, 1)
    this.#forget(site)
  }

  /** Never one with a session: stop() and leave() reach those through #sites alone. */
  #forget(site: Site): void {
    if (!site.isForgettable) return
    site.stopWaking()
    this.#sites.delete(keyOf(site.ipId, site.name))
  }
}

function keyOf(ipId: number, site: string): string {
  return `${ipId} ${site}`
}
