/**
 * What is waiting in memory: lanes of small descriptors, one per (source IP, priority, recipient domain), bounded each
 * and together. Taking goes round the lanes, so one domain's depth costs the others nothing. A lane over its bound
 * remembers the id that it stopped at and is filled up from the table when it runs low.
 */
import type { Descriptor } from '@postel/db/queries/outbound'

export type Lane = {
  readonly ipId: number
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
}

const laneMax = 2_000
const totalMax = 50_000
const refillBelow = 500

export class Lanes {
  readonly #lanes = new Map<string, Lane>()
  #round: Lane[] = []
  #turn = 0
  #count = 0

  /** Descriptors in memory that nobody took yet. */
  get count(): number {
    return this.#count
  }

  /** Whether more may be read from the table at all. */
  get hasRoom(): boolean {
    return this.#count < totalMax
  }

  /** Adds a row to its lane; false when the lane is over its bound and will be filled up later. */
  add(item: Descriptor): boolean {
    const lane = this.#lane(item)
    if (lane.stoppedAt !== undefined || lane.items.length - lane.head >= laneMax) {
      lane.stoppedAt = Math.min(lane.stoppedAt ?? Number.POSITIVE_INFINITY, item.id - 1)
      if (lane.refilling) lane.leftBehind = Math.min(lane.leftBehind ?? item.id, item.id)
      return false
    }
    lane.items.push(item)
    this.#count++
    return true
  }

  /** Puts a row back in front of its lane. */
  putBack(item: Descriptor): void {
    const lane = this.#lane(item)
    lane.items.splice(lane.head, 0, item)
    this.#count++
  }

  /**
   * Takes up to `limit` rows and about `bytesMax` bytes, one from each lane in turn, as long as `mayTake` allows the
   * lane. The turn goes on where the last call stopped.
   */
  take(limit: number, bytesMax: number, mayTake: (lane: Lane) => boolean): Descriptor[] {
    const taken: Descriptor[] = []
    let bytes = 0
    let fruitless = 0
    while (taken.length < limit && bytes < bytesMax && fruitless < this.#round.length) {
      if (this.#turn >= this.#round.length) this.#turn = 0
      const lane = this.#round[this.#turn]!
      if (lane.head >= lane.items.length) {
        this.#dropIfDone(lane)
        if (this.#round[this.#turn] === lane) {
          this.#turn++
          fruitless++
        }
        continue
      }
      this.#turn++
      if (!mayTake(lane)) {
        fruitless++
        continue
      }
      const item = lane.items[lane.head]!
      lane.items[lane.head++] = undefined as never
      if (lane.head > 1_000) {
        lane.items = lane.items.slice(lane.head)
        lane.head = 0
      }
      this.#count--
      taken.push(item)
      bytes += item.sizeBytes
      fruitless = 0
    }
    return taken
  }

  /** Lanes that left rows in the table and have room for them now. */
  thirsty(): Lane[] {
    return this.#round.filter(
      (lane) =>
        lane.stoppedAt !== undefined && !lane.refilling && lane.items.length - lane.head < refillBelow,
    )
  }

  /** How many rows a refill may bring. */
  roomOf(lane: Lane): number {
    return laneMax - (lane.items.length - lane.head)
  }

  /** Takes in what the table had behind stoppedAt; `all` when there was no more. `isKnown` rows are skipped. */
  refill(
    lane: Lane,
    rows: readonly Descriptor[],
    all: boolean,
    isKnown: (item: Descriptor) => boolean,
  ): Descriptor[] {
    const added = rows.filter((row) => !isKnown(row))
    lane.items.push(...added)
    this.#count += added.length
    const last = rows[rows.length - 1]?.id ?? lane.stoppedAt!
    if (lane.leftBehind !== undefined) lane.stoppedAt = Math.min(last, lane.leftBehind - 1)
    else lane.stoppedAt = all ? undefined : last
    return added
  }

  /** The domains of an IP whose lanes left rows in the table, and behind which id. */
  overflowing(ipId: number): { domains: string[]; stops: number[] } {
    const stops = new Map<string, number>()
    for (const lane of this.#round) {
      if (lane.ipId !== ipId || lane.stoppedAt === undefined) continue
      stops.set(lane.domain, Math.max(stops.get(lane.domain) ?? 0, lane.stoppedAt))
    }
    return { domains: [...stops.keys()], stops: [...stops.values()] }
  }

  /** Forgets an IP. */
  drop(ipId: number): void {
    for (const [key, lane] of this.#lanes) {
      if (lane.ipId !== ipId) continue
      this.#count -= lane.items.length - lane.head
      this.#lanes.delete(key)
    }
    this.#round = [...this.#lanes.values()]
  }

  clear(): void {
    this.#lanes.clear()
    this.#round = []
    this.#count = 0
  }

  #lane(item: Descriptor): Lane {
    const key = `${item.ipId} ${item.priority} ${item.domain}`
    const known = this.#lanes.get(key)
    if (known) return known
    const lane: Lane = {
      ipId: item.ipId,
      domain: item.domain,
      priority: item.priority,
      items: [],
      head: 0,
      stoppedAt: undefined,
      refilling: false,
      leftBehind: undefined,
    }
    this.#lanes.set(key, lane)
    this.#round.push(lane)
    return lane
  }

  #dropIfDone(lane: Lane): void {
    if (lane.stoppedAt !== undefined || lane.refilling) return
    this.#lanes.delete(`${lane.ipId} ${lane.priority} ${lane.domain}`)
    this.#round.splice(this.#round.indexOf(lane), 1)
  }
}
