/** Bulk operations as whoever does them asks for their chunks. */
import type { Sql } from '../client.ts'

/** How much of the ids the next chunk looks at; see postel.operation_chunk. */
export type ChunkPlace = { window: number; phase: number | null }

const firstChunk: ChunkPlace = { window: 20_000, phase: 0 }

export type OperationChunk = {
  /** null: no operation is left, or somebody else is at it (`busy`). */
  id: string | null
  verb: string
  busy: boolean
  /** Recipients changed. */
  recipients: number
  finished: boolean
  /** All that is left is locked by others for the moment. */
  stalled: boolean
  /** What to give the next call. */
  next: ChunkPlace
  /** Source IPs with new work. */
  ipIds: number[]
  /** When mail that was put back or moved becomes due. */
  due: Date[]
}

export class OperationQueries {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** One chunk of the oldest unfinished operation; see postel.run_operation. */
  async runChunk({ window, phase } = firstChunk): Promise<OperationChunk> {
    const [row] = await this.#sql<
      (Omit<OperationChunk, 'ipIds' | 'due' | 'next'> &
        ChunkPlace & { ipIds: number[] | null; due: Date[] | null })[]
    >`
      select
        r.id::text as id, r.verb, r.busy, r.recipients::int as recipients, r.finished, r.stalled,
        r.next_window as window, r.next_phase as phase, r.ip_ids as "ipIds", r.due
      from postel.run_operation(${window}, ${phase}) as r`
    const { ipIds, due, ...chunk } = row!
    return {
      ...chunk,
      next: { window: row!.window, phase: row!.phase },
      ipIds: ipIds ?? [],
      due: due ?? [],
    }
  }

  /** Makes sure that what becomes due at these moments is looked for then. Call it after the commit. */
  async scheduleRelease(due: readonly Date[]): Promise<void> {
    if (due.length === 0) return
    const moments = due.map((at) => at.toISOString())
    await this.#sql`select postel.schedule_release(${moments}::text[]::timestamptz[])`
  }
}
