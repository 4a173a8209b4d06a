/**
 * What is waiting in memory: lanes of small descriptors, one per (source IP, priority, project, recipient domain), bounded
 * each and together. Taking goes round the lanes by turns.ts, so one domain's or one project's depth costs the others
 * nothing. A lane that may not be taken from is parked under what blocks it until that gives way. A lane over its bound
 * remembers the id that it stopped at and is filled up from the table when it runs low.
 */
import type { Descriptor } from '@postel/db/queries/outbound'
import { Turns } from './turns.ts'

export type Lane = {
  readonly key: string
  readonly ipId: number
  readonly projectId: string
  readonly domain: string
  readonly priority: number
  items: Descriptor[]
  /** Position in items of the next to take; items before it are gone. */
  head: number
  /** Rows with higher ids were left in the table; undefined: all known rows are in memory. */
  stoppedAt: number | undefined
  refilling: boolean
  /** The lowest id that was left in the table while a refill was on its way. */
  leftBehind: number | undefined
  /** In line, or parked. */
  inLine: boolean
  dropped: boolean
}

const laneMax = 2_000
/** However many lanes there are, this much of each may be in memory. */
const laneMin = 20
/** Above it lanes are cut down to their share. */
const totalMax = 50_000
/** Above it nothing more is read: that many lanes are blocked at once. */
const totalEver = 400_000

export type LanesOptions = {
  /** These rows were dropped from memory and will be read again. */
  onShed?: (rows: readonly Descriptor[]) => void
}

export class Lanes {
  readonly #options: LanesOptions
  readonly #lanes = new Map<string, Lane>()
  readonly #turns = new Turns()
  readonly #parked = new Map<string, Turns>()
  /** Lanes that left rows in the table, and those of them that run low. */
  readonly #stopped = new Set<Lane>()
  readonly #dry = new Set<Lane>()
  #count = 0
  #shedAt = totalMax

  constructor(options: LanesOptions = {}) {
    this.#options = options
  }

  /** Descriptors in memory that nobody took yet. */
  get count(): number {
    return this.#count
  }

  /** Whether more may be read from the table at all. */
  get hasRoom(): boolean {
    return this.#count < totalEver
  }

  /** Adds a row to its lane; false when the row is to stay in the table for now. */
  add(item: Descriptor): boolean {
    const lane = this.#lane(item)
    if (lane.stoppedAt !== undefined || lane.items.length - lane.head >= this.#bound) {
      lane.stoppedAt = Math.min(lane.stoppedAt ?? Number.POSITIVE_INFINITY, item.id - 1)
      this.#stopped.add(lane)
      if (lane.refilling) lane.leftBehind = Math.min(lane.leftBehind ?? item.id, item.id)
      else if (this.#isDry(lane)) this.#dry.add(lane)
      return false
    }
    lane.items.push(item)
    this.#count++
    this.#queue(lane)
    if (this.#count > this.#shedAt) this.#shed()
    return true
  }

  /** Puts a row back in front of its lane. */
  putBack(item: Descriptor): void {
    const lane = this.#lane(item)
    lane.items.splice(lane.head, 0, item)
    this.#count++
    this.#queue(lane)
  }

  /**
   * Takes up to `limit` rows and about `bytesMax` bytes, one from each lane in its turn. `blockedBy` says what keeps a
   * lane from being taken from, or takes the room for one row and says nothing; the lane is parked under that name.
   */
  take(
    limit: number,
    bytesMax: number,
    blockedBy: (lane: Lane, item: Descriptor) => string | undefined,
  ): Descriptor[] {
    const taken: Descriptor[] = []
    let bytes = 0
    while (taken.length < limit && bytes < bytesMax) {
      const lane = this.#turns.next()
      if (!lane) break
      lane.inLine = false
      if (lane.dropped) continue
      if (lane.head >= lane.items.length) {
        this.#dropIfDone(lane)
        continue
      }
      const item = lane.items[lane.head]!
      const obstacle = blockedBy(lane, item)
      if (obstacle !== undefined) {
        this.#park(lane, obstacle)
        continue
      }
      lane.items[lane.head++] = undefined as never
      if (lane.head > 1_000) {
        lane.items = lane.items.slice(lane.head)
        lane.head = 0
      }
      this.#count--
      taken.push(item)
      bytes += item.sizeBytes
      this.#queue(lane)
      if (lane.stoppedAt !== undefined && this.#isDry(lane)) this.#dry.add(lane)
    }
    return taken
  }

  /** What stood under this name has given way for so many rows: as many lanes come back into line. */
  unpark(obstacle: string, lanes = Number.POSITIVE_INFINITY): void {
    const parked = this.#parked.get(obstacle)
    if (!parked) return
    for (let left = lanes; left > 0 && parked.size > 0; ) {
      const lane = parked.next()!
      lane.inLine = false
      if (lane.dropped) continue
      this.#queue(lane)
      left--
    }
    if (parked.size === 0) this.#parked.delete(obstacle)
  }

  /** Everything is worth another look. */
  unparkAll(): void {
    for (const obstacle of [...this.#parked.keys()]) this.unpark(obstacle)
  }

  /** Up to so many of the lanes that left rows in the table and have room for them now. */
  thirsty(most: number): Lane[] {
    const lanes: Lane[] = []
    for (const lane of this.#dry) {
      if (lanes.length >= most) break
      if (!lane.refilling) lanes.push(lane)
    }
    return lanes
  }

  /** Forgets the lanes of what may not be sent for now: their rows stay in the table. */
  dropSuspended(isSuspended: (projectId: string, domain: string) => boolean): void {
    const rows: Descriptor[] = []
    for (const lane of this.#lanes.values()) {
      if (!isSuspended(lane.projectId, lane.domain)) continue
      for (const row of lane.items.slice(lane.head)) rows.push(row)
      this.#forget(lane)
    }
    if (rows.length > 0) this.#options.onShed?.(rows)
  }

  /** How many rows a refill may bring. */
  roomOf(lane: Lane): number {
    return Math.max(1, this.#bound - (lane.items.length - lane.head))
  }

  /** Takes in what the table had behind stoppedAt; `all` when there was no more. `isKnown` rows are skipped. */
  refill(
    lane: Lane,
    rows: readonly Descriptor[],
    all: boolean,
    isKnown: (item: Descriptor) => boolean,
  ): Descriptor[] {
    if (lane.dropped) return []
    const added = rows.filter((row) => !isKnown(row))
    lane.items.push(...added)
    this.#count += added.length
    this.#queue(lane)
    const last = rows[rows.length - 1]?.id ?? lane.stoppedAt!
    if (lane.leftBehind !== undefined) lane.stoppedAt = Math.min(last, lane.leftBehind - 1)
    else lane.stoppedAt = all ? undefined : last
    if (lane.stoppedAt === undefined) this.#stopped.delete(lane)
    if (lane.stoppedAt === undefined || !this.#isDry(lane)) this.#dry.delete(lane)
    return added
  }

  /** The lanes of an IP that left rows in the table, and behind which id. */
  overflowing(ipId: number): {
    projects: string[]
    priorities: number[]
    domains: string[]
    stops: number[]
  } {
    const lanes = [...this.#stopped].filter((lane) => lane.ipId === ipId)
    return {
      projects: lanes.map(({ projectId }) => projectId),
      priorities: lanes.map(({ priority }) => priority),
      domains: lanes.map(({ domain }) => domain),
      stops: lanes.map(({ stoppedAt }) => stoppedAt!),
    }
  }

  /** Forgets an IP. */
  drop(ipId: number): void {
    for (const lane of this.#lanes.values()) if (lane.ipId === ipId) this.#forget(lane)
  }

  clear(): void {
    for (const lane of this.#lanes.values()) lane.dropped = true
    this.#lanes.clear()
    this.#stopped.clear()
    this.#dry.clear()
    this.#turns.clear()
    this.#parked.clear()
    this.#count = 0
  }

  /** What each lane may have in memory: less, the more lanes there are, once memory is short. */
  get #bound(): number {
    if (this.#count < totalMax / 2) return laneMax
    return Math.min(laneMax, Math.max(laneMin, Math.floor(totalMax / this.#lanes.size)))
  }

  /** Cuts lanes down to their share, so that a few deep ones do not keep the others' mail from being read. */
  #shed(): void {
    const bound = this.#bound
    const rows: Descriptor[] = []
    for (const lane of this.#lanes.values()) {
      const keep = lane.head + bound
      if (lane.items.length <= keep) continue
      const cut = lane.items.splice(keep)
      rows.push(...cut)
      // Rows that were put back stand in front, so the lowest id of what is cut is where the table goes on
      const from = cut.reduce((lowest, row) => Math.min(lowest, row.id), Number.POSITIVE_INFINITY)
      lane.stoppedAt = Math.min(lane.stoppedAt ?? Number.POSITIVE_INFINITY, from - 1)
      if (lane.refilling) lane.leftBehind = Math.min(lane.leftBehind ?? from, from)
      this.#stopped.add(lane)
    }
    this.#count -= rows.length
    // With little to cut, look again only when much more has come
    this.#shedAt = Math.max(totalMax, Math.floor(this.#count * 1.2))
    if (rows.length > 0) this.#options.onShed?.(rows)
  }

  #isDry(lane: Lane): boolean {
    return lane.items.length - lane.head < this.#bound / 4
  }

  #lane(item: Descriptor): Lane {
    const key = `${item.ipId} ${item.priority} ${item.projectId} ${item.domain}`
    const known = this.#lanes.get(key)
    if (known) return known
    const lane: Lane = {
      key,
      ipId: item.ipId,
      projectId: item.projectId,
      domain: item.domain,
      priority: item.priority,
      items: [],
      head: 0,
      stoppedAt: undefined,
      refilling: false,
      leftBehind: undefined,
      inLine: false,
      dropped: false,
    }
    this.#lanes.set(key, lane)
    return lane
  }

  #queue(lane: Lane): void {
    if (lane.inLine || lane.dropped) return
    lane.inLine = true
    this.#turns.push(lane)
  }

  #park(lane: Lane, obstacle: string): void {
    let parked = this.#parked.get(obstacle)
    if (!parked) {
      parked = new Turns()
      this.#parked.set(obstacle, parked)
    }
    lane.inLine = true
    parked.push(lane)
  }

  #dropIfDone(lane: Lane): void {
    if (lane.stoppedAt === undefined && !lane.refilling) this.#forget(lane)
  }

  #forget(lane: Lane): void {
    this.#count -= lane.items.length - lane.head
    lane.dropped = true
    this.#stopped.delete(lane)
    this.#dry.delete(lane)
    this.#lanes.delete(lane.key)
  }
}
