/** Bulk operations as whoever does them asks for their chunks. */
import type { Sql } from '../client.ts'

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
  nextWindow: number
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
  async runChunk(window = 5_000): Promise<OperationChunk> {
    const [row] = await this.#sql<
      (Omit<OperationChunk, 'ipIds' | 'due'> & { ipIds: number[] | null; due: Date[] | null })[]
    >`
      select
        r.id::text as id, r.verb, r.busy, r.recipients::int as recipients, r.finished, r.stalled,
        r.next_window as "nextWindow", r.ip_ids as "ipIds", r.due
      from postel.run_operation(${window}) as r`
    return { ...row!, ipIds: row!.ipIds ?? [], due: row!.due ?? [] }
  }

  /** Makes sure that what becomes due at these moments is looked for then. Call it after the commit. */
  async scheduleRelease(due: readonly Date[]): Promise<void> {
    if (due.length === 0) return
    const moments = due.map((at) => at.toISOString())
    await this.#sql`select postel.schedule_release(${moments}::text[]::timestamptz[])`
  }
}
