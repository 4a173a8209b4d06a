/** How far a reader of the events has come, for those who work through them behind a cursor. */
import type { Sql } from '../client.ts'

/**
 * The event after which to read: that of `cursor` or of the reader's own, whichever is further, less some seconds in case the
 * database's clock was set back meanwhile. The reader's first time it lies an hour back: what was before is old news.
 */
export async function readFrom(sql: Sql, reader: string, cursor: string): Promise<string> {
  const [row] = await sql<{ after: string }[]>`
    with first as (
      insert into postel.event_cursors (name, last_event_id, updated_at)
      values (${reader}, postel.uuid_v7_floor(now() - interval '1 hour'), now())
      on conflict (name) do nothing
      returning last_event_id
    ),
    cursors as (
      select f.last_event_id from first f
      union all
      select c.last_event_id from postel.event_cursors c where c.name in (${reader}, ${cursor})
    )
    select postel.uuid_v7_floor(postel.uuid_v7_time(c.last_event_id) - interval '5 seconds') as after
    from cursors c
    order by c.last_event_id desc
    limit 1`
  return row!.after
}

/** Moves a cursor on, never back. */
export async function advance(sql: Sql, cursor: string, lastEventId: string): Promise<void> {
  await sql`
    insert into postel.event_cursors as c (name, last_event_id, updated_at)
    values (${cursor}, ${lastEventId}, now())
    on conflict (name) do update
    set last_event_id = excluded.last_event_id, updated_at = excluded.updated_at
    where c.last_event_id < excluded.last_event_id`
}
