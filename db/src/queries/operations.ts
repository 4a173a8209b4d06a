/** Bulk operations as whoever does them asks for their chunks. */
import type { Sql } from '../client.ts'

/** The rows to change next; see postel.claim_chunk. */
export type Claim = {
  /** null: nothing is to be done now. */
  id: string | null
  verb: string
  source: 'queue' | 'waiting' | null
  afterId: string
  toId: string
  phase: number | null
  /** Enough others are at it. */
  busy: boolean
  /** All that is left is locked by others, or about to be finished by them. */
  stalled: boolean
  /** The operation has come to its end. */
  finished: boolean
}

export type Chunk = {
  /** Recipients changed. */
  recipients: number
  /** Source IPs with new work. */
  ipIds: number[]
  /** When mail that was put back or moved becomes due. */
  due: Date[]
  /** What to give the next claim. */
  nextWindow: number
}

export class OperationQueries {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** The next chunk of the oldest unfinished operation. */
  async claim(window: number | null = null): Promise<Claim> {
    const [row] = await this.#sql<Claim[]>`
      select
        c.id::text as id, c.verb, c.source, c.after_id::text as "afterId", c.to_id::text as "toId", c.phase, c.busy,
        c.stalled, c.finished
      from postel.claim_chunk(${window}) as c`
    return row!
  }

  /** Does what was claimed; see postel.run_chunk. */
  async run({ id, source, afterId, toId, phase }: Claim): Promise<Chunk> {
    const [row] = await this.#sql<
      (Omit<Chunk, 'ipIds' | 'due'> & { ipIds: number[] | null; due: Date[] | null })[]
    >`
      select
        c.recipients::int as recipients, c.ip_ids as "ipIds", c.due,
        postel.next_window(${toId}::bigint - ${afterId}::bigint, c.recipients) as "nextWindow"
      from postel.run_chunk(${id}::bigint, ${source}, ${afterId}::bigint, ${toId}::bigint, ${phase}::integer) as c`
    return { ...row!, ipIds: row!.ipIds ?? [], due: row!.due ?? [] }
  }

  /** Makes sure that what becomes due at these moments is looked for then. Call it after the commit. */
  async scheduleRelease(due: readonly Date[]): Promise<void> {
    if (due.length === 0) return
    const moments = due.map((at) => at.toISOString())
    await this.#sql`select postel.schedule_release(${moments}::text[]::timestamptz[])`
  }
}
