/**
 * Reads the queue of the held IPs into lanes. Nothing is claimed or written: the IP is the lease, and the reader's cursor
 * jumps over all that is dead. A row that commits late, with an id below the cursor, is found by reading a little back
 * each time, further back each second, and from the beginning each minute.
 */
import type { Descriptor, LoadedMessage, OutboundQueries, Suspended } from '@postel/db/queries/outbound'
import type { OutboundEvents } from './events.ts'
import type { Lanes } from './lanes.ts'

const readLimit = 1_000
/** Rows read together with their bodies by a process that is idle. */
const takeLimit = 20
/** Ids that batches in commit at the same moment may lie apart. */
const overlapIds = 128
/** Lanes filled up at a time. */
const refillsMax = 4
const lookBackIds = 20_000
const lookBackEveryMs = 1_000
const compareEveryMs = 60_000

type Cursor = {
  ipId: number
  /** The highest id read. */
  at: number
  /** Rows in memory, in flight, or sent and not yet recorded. */
  known: Set<number>
  /** Recorded since the last look back, and before it: a slow look back may still see them. */
  done: Set<number>
  doneBefore: Set<number>
  dirty: boolean
  comparedAt: number
}

export type ReaderOptions = {
  queries: OutboundQueries
  lanes: Lanes
  events: OutboundEvents
  pollMs: number
  /** New rows are in the lanes. */
  onWork: () => void
  /** Whether mail may be sent from the IP now; what may not be sent is not read either. */
  isSendable: (ipId: number) => boolean
  /** What nothing may be sent of for now: its rows stay in the table. */
  suspended: () => Suspended
  isSuspended: (projectId: string, domain: string) => boolean
  /** Resolves when what is suspended is as had been announced when it was called. */
  policiesSettled: () => Promise<void>
  /** Whether a row is being sent or its outcome not yet recorded, even under a hold that was lost and taken again. */
  isInFlight: (id: number) => boolean
  /** A row that came with its body; false: there is no room for it now. */
  onLoaded: (message: LoadedMessage) => boolean
}

export class Reader {
  readonly #options: ReaderOptions
  readonly #cursors = new Map<number, Cursor>()
  #reading = false
  #lookingBack = false
  #stopped = false
  #active = false
  #pollTimer: NodeJS.Timeout | undefined
  #lookBackTimer: NodeJS.Timeout | undefined

  constructor(options: ReaderOptions) {
    this.#options = options
  }

  start(): void {
    this.#pollTimer = setInterval(() => {
      this.rescan()
      // An IP may have been resumed meanwhile
      this.#options.onWork()
    }, this.#options.pollMs)
    this.#lookBackTimer = setInterval(() => void this.#lookBack(), lookBackEveryMs)
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#pollTimer)
    clearInterval(this.#lookBackTimer)
  }

  /** Starts reading an IP from its oldest row, if it is not read already. */
  add(ipId: number): void {
    if (this.#cursors.has(ipId)) return
    this.#cursors.set(ipId, {
      ipId,
      at: 0,
      known: new Set(),
      done: new Set(),
      doneBefore: new Set(),
      dirty: true,
      comparedAt: performance.now(),
    })
    void this.#read()
  }

  remove(ipId: number): void {
    this.#cursors.delete(ipId)
    this.#options.lanes.drop(ipId)
  }

  /** A paused IP must not fill the memory that the others need: it is read anew when it is resumed. */
  #forgetRows(cursor: Cursor): void {
    if (cursor.at === 0) return
    this.#options.lanes.drop(cursor.ipId)
    cursor.at = 0
    cursor.known.clear()
  }

  /** These IPs have new work, says a notification. */
  hint(ipIds: readonly number[]): void {
    let any = false
    for (const id of ipIds) {
      const cursor = this.#cursors.get(id)
      if (cursor) any = cursor.dirty = true
    }
    if (any) void this.#read()
  }

  /** Hints may have been lost: look at every IP. */
  rescan(): void {
    for (const cursor of this.#cursors.values()) {
      cursor.dirty = true
      if (!this.#options.isSendable(cursor.ipId)) this.#forgetRows(cursor)
    }
    void this.#read()
  }

  /** Rows that were held back in the table may have room now. */
  refill(): void {
    for (const lane of this.#options.lanes.thirsty(refillsMax)) {
      const cursor = this.#cursors.get(lane.ipId)
      if (!cursor) continue
      lane.refilling = true
      lane.leftBehind = undefined
      const limit = this.#options.lanes.roomOf(lane)
      this.#options.queries
        .lane(lane, lane.stoppedAt!, limit)
        .then((rows) => {
          if (this.#cursors.get(lane.ipId) !== cursor) return
          const added = this.#options.lanes.refill(lane, rows, rows.length < limit, (row) =>
            this.#isKnown(cursor, row.id),
          )
          for (const row of added) cursor.known.add(row.id)
          if (added.length > 0) this.#options.onWork()
        })
        .catch((error) => this.#options.events.readFailed(error))
        .finally(() => {
          lane.refilling = false
        })
    }
    if (this.#options.lanes.hasRoom) this.#readIfDirty()
  }

  /** Something is not suspended any more: its rows were left in the table, wherever they stand. */
  readAnew(): void {
    for (const cursor of this.#cursors.values()) {
      cursor.at = 0
      cursor.dirty = true
    }
    void this.#read()
  }

  /** Whether the row is one that this reader has given out and that has not left the queue. */
  knows(item: Pick<Descriptor, 'id' | 'ipId'>): boolean {
    return this.#cursors.get(item.ipId)?.known.has(item.id) === true
  }

  /** These rows were dropped from memory: they are in the table and will be read again. */
  shed(rows: readonly Descriptor[]): void {
    for (const row of rows) this.#cursors.get(row.ipId)?.known.delete(row.id)
  }

  /** The row has left the queue, or is not ours any more. */
  forget(item: Pick<Descriptor, 'id' | 'ipId'>): void {
    const cursor = this.#cursors.get(item.ipId)
    if (cursor?.known.delete(item.id)) cursor.done.add(item.id)
  }

  /** The row was not sent after all and is to be found again. */
  release(item: Pick<Descriptor, 'id' | 'ipId'>): void {
    this.#cursors.get(item.ipId)?.known.delete(item.id)
    this.#active = true
  }

  #readIfDirty(): void {
    for (const cursor of this.#cursors.values())
      if (cursor.dirty && this.#options.isSendable(cursor.ipId)) return void this.#read()
  }

  async #read(): Promise<void> {
    if (this.#reading || this.#stopped) return
    this.#reading = true
    // Rows that stay in the table, as those of a suspended domain do, fill a small read up to less than its overlap
    let crowded = false
    try {
      while (!this.#stopped && this.#options.lanes.hasRoom) {
        const cursors = [...this.#cursors.values()].filter(
          (cursor) => cursor.dirty && this.#options.isSendable(cursor.ipId),
        )
        if (cursors.length === 0) break
        for (const cursor of cursors) cursor.dirty = false
        const starts = new Map(cursors.map((cursor) => [cursor.ipId, Math.max(0, cursor.at - overlapIds)]))
        const idle =
          !crowded && this.#options.lanes.count === 0 && cursors.every((cursor) => cursor.known.size === 0)
        const from = cursors.map((cursor) => ({ ipId: cursor.ipId, after: starts.get(cursor.ipId)! }))
        const limit = idle ? takeLimit : readLimit
        const { queries } = this.#options
        const rows = idle ? await queries.take(from, limit) : await queries.after(from, limit)
        // A suspension that was announced before these rows were must stop them
        await this.#options.policiesSettled()
        const counts = new Map<number, number>()
        let added = 0
        for (const row of rows) {
          const cursor = this.#cursors.get(row.ipId)
          if (!cursor) continue
          counts.set(row.ipId, (counts.get(row.ipId) ?? 0) + 1)
          if (row.id > cursor.at) cursor.at = row.id
          if (this.#take(cursor, row)) added++
        }
        for (const [ipId, count] of counts) {
          const cursor = this.#cursors.get(ipId)
          if (cursor && count >= limit) cursor.dirty = true
        }
        crowded = added === 0
        if (added > 0) {
          this.#active = true
          this.#options.onWork()
        }
      }
    } catch (error) {
      this.#options.events.readFailed(error)
    } finally {
      this.#reading = false
    }
  }

  #isKnown(cursor: Cursor, id: number): boolean {
    if (cursor.known.has(id) || cursor.done.has(id) || cursor.doneBefore.has(id)) return true
    return this.#options.isInFlight(id)
  }

  #take(cursor: Cursor, row: Descriptor | LoadedMessage): boolean {
    if (this.#isKnown(cursor, row.id)) return false
    if (this.#options.isSuspended(row.projectId, row.domain)) return false
    if (!('raw' in row && this.#options.onLoaded(row)) && !this.#options.lanes.add(row)) return false
    cursor.known.add(row.id)
    return true
  }

  async #lookBack(): Promise<void> {
    if (this.#lookingBack) return
    this.#lookingBack = true
    const active = this.#active
    this.#active = false
    for (const cursor of this.#cursors.values()) {
      const compare = performance.now() - cursor.comparedAt > compareEveryMs
      if (!active && !compare) continue
      if (compare) cursor.comparedAt = performance.now()
      try {
        await this.#compare(cursor, compare ? 0 : Math.max(0, cursor.at - lookBackIds))
      } catch (error) {
        this.#options.events.readFailed(error)
      }
    }
    this.#lookingBack = false
  }

  async #compare(cursor: Cursor, after: number): Promise<void> {
    const { queries, lanes, suspended, onWork } = this.#options
    const ids = await queries.idsBetween(
      cursor.ipId,
      after,
      cursor.at,
      lanes.overflowing(cursor.ipId),
      suspended(),
    )
    const missed = ids.filter((id) => !this.#isKnown(cursor, id))
    cursor.doneBefore = cursor.done
    cursor.done = new Set()
    if (missed.length === 0 || this.#stopped) return
    for (let start = 0; start < missed.length; start += readLimit) {
      const rows = await queries.byIds(cursor.ipId, missed.slice(start, start + readLimit))
      if (this.#cursors.get(cursor.ipId) !== cursor) return
      for (const row of rows) this.#take(cursor, row)
    }
    onWork()
  }
}
