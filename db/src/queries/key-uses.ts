/** When keys and passwords were last used: gathered in memory, written down to the minute. */
import type { Sql } from '../client.ts'

/** This often, all in one statement. */
const writeEveryMs = 60_000

export class KeyUses {
  readonly #sql: Sql
  readonly #onLost: (error: unknown) => void
  #used = new Set<string>()
  #writing: NodeJS.Timeout | undefined

  /** `onLost`: they could not be written down; it is tried again with the next. */
  constructor(sql: Sql, onLost: (error: unknown) => void) {
    this.#sql = sql
    this.#onLost = onLost
  }

  add(id: string): void {
    this.#used.add(id)
    this.#writing ??= setTimeout(() => void this.#write(), writeEveryMs).unref()
  }

  async stop(): Promise<void> {
    clearTimeout(this.#writing)
    await this.#write()
  }

  /** One statement for all keys, that waits neither for the disk nor for other processes that write the same. */
  async #write(): Promise<void> {
    this.#writing = undefined
    const ids = [...this.#used]
    if (ids.length === 0) return
    this.#used = new Set()
    try {
      await this.#sql`
        with relaxed as materialized (select set_config('synchronous_commit', 'off', true)),
        of_keys as (
          update postel.api_keys k set last_used_at = date_trunc('minute', now())
          from (
            select a.id from postel.api_keys a cross join relaxed
            where a.id = any (${ids}::uuid[]) and (a.last_used_at is null or a.last_used_at < date_trunc('minute', now()))
            order by a.id
            for no key update of a skip locked
          ) as u
          where k.id = u.id
        )
        update postel.smtp_credentials c set last_used_at = date_trunc('minute', now())
        from (
          select s.id from postel.smtp_credentials s
          where s.id = any (${ids}::uuid[]) and (s.last_used_at is null or s.last_used_at < date_trunc('minute', now()))
          order by s.id
          for no key update of s skip locked
        ) as u
        where c.id = u.id`
    } catch (error) {
      for (const id of ids) this.#used.add(id)
      this.#onLost(error)
    }
  }
}
