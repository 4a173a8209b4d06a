/** What the worker asks of Postgres to tell webhooks of events. */
import type { Sql } from '../client.ts'

/** `webhooks`: all before it is done. `webhooks_ahead`: read as far as that, but older events may still appear. */
export type WebhookCursor = 'webhooks' | 'webhooks_ahead'

/** A delivery that is this process's for some time. */
export type ClaimedDelivery = {
  id: string
  webhookId: string
  type: string
  /** The body, byte for byte. */
  payload: string
  /** Made before, since it was last replayed. */
  attempts: number
  createdAt: Date
  endpoint: string
  /** Nothing that it was told lately was taken. */
  failing: boolean
  /** Sealed. */
  secret: Buffer
  /** Sealed; null unless it signs as well. */
  previousSecret: Buffer | null
}

/** What an attempt met. */
export type AttemptResult = {
  id: string
  /** ClaimedDelivery.attempts. */
  after: number
  at: Date
  ms: number
  /** null: no reply. */
  status: number | null
  /** null: it was taken. */
  error: string | null
  body: string | null
  retryAfterSeconds: number | null
}

export type ClaimLimits = {
  /** How many of which webhook are being sent. */
  inFlight: ReadonlyMap<string, number>
  free: number
  /** Of these, for webhooks that are failing. */
  freeFailing: number
  perWebhook: number
  leaseSeconds: number
}

export class WebhookDispatchQueries {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /**
   * The event after which to read up to `until`, the present: that of the cursor, less a second, but nothing before the first
   * webhook was enabled; undefined when there is none that is. A cursor that lies ahead of the present, because the database's
   * clock was set back, is taken back: what comes now has ids before it.
   */
  async readFrom(cursor: WebhookCursor, until: string): Promise<string | undefined> {
    const [row] = await this.#sql<{ after: string | null }[]>`
      with taken_back as (
        update postel.event_cursors c
        set last_event_id = ${until}, updated_at = now()
        where c.name in ('webhooks', 'webhooks_ahead') and c.last_event_id > ${until}
      )
      select case when w.since is not null then greatest(
        postel.uuid_v7_floor(w.since),
        (
          select postel.uuid_v7_floor(postel.uuid_v7_time(least(c.last_event_id, ${until})) - interval '1 second')
          from postel.event_cursors c
          where c.name in ('webhooks', ${cursor})
          order by c.last_event_id desc
          limit 1
        )
      ) end as after
      from (select min(h.enabled_at) as since from postel.webhooks h where h.status = 'enabled') as w`
    return row!.after ?? undefined
  }

  /** See postel.webhook_fan_out. */
  async fanOut(after: string, until: string, limit: number): Promise<{ lastId: string; made: number }> {
    const [row] = await this.#sql<{ lastId: string; made: number }[]>`
      select f.last_id as "lastId", f.made from postel.webhook_fan_out(${after}, ${until}, ${limit}) as f`
    return row!
  }

  /** Moves a cursor on, never back. */
  async advance(cursor: WebhookCursor, lastEventId: string): Promise<void> {
    await this.#sql`
      insert into postel.event_cursors as c (name, last_event_id, updated_at)
      values (${cursor}, ${lastEventId}, now())
      on conflict (name) do update
      set last_event_id = excluded.last_event_id, updated_at = excluded.updated_at
      where c.last_event_id < excluded.last_event_id`
  }

  /** See postel.webhook_claim. */
  async claim(limits: ClaimLimits): Promise<ClaimedDelivery[]> {
    const { inFlight, free, freeFailing, perWebhook, leaseSeconds } = limits
    return this.#sql<ClaimedDelivery[]>`
      select
        c.id, c.webhook_id as "webhookId", c.type, c.payload, c.attempts, c.created_at as "createdAt", c.endpoint,
        c.failing, c.secret, c.previous_secret as "previousSecret"
      from postel.webhook_claim(
        ${[...inFlight.keys()]}::text[]::uuid[], ${[...inFlight.values()]}::int[], ${free}, ${freeFailing}, ${perWebhook},
        ${leaseSeconds}
      ) as c`
  }

  /** See postel.webhook_record; the webhooks that it disabled. */
  async record(results: readonly AttemptResult[]): Promise<{ webhookId: string; reason: string }[]> {
    const json = JSON.stringify(
      results.map(({ retryAfterSeconds, ...result }) => ({ ...result, retry_after: retryAfterSeconds })),
    )
    return this.#sql<{ webhookId: string; reason: string }[]>`
      select r.webhook_id as "webhookId", r.reason from postel.webhook_record(${json}::text::json) as r`
  }

  /** The traceparents of these messages, as far as they were traced. */
  async traces(messageIds: readonly string[]): Promise<Map<string, string>> {
    const rows = await this.#sql<{ id: string; traceparent: string }[]>`
      select m.id, m.details ->> 'traceparent' as traceparent
      from postel.messages m
      where m.id = any (${messageIds as string[]}::uuid[]) and m.details ->> 'traceparent' is not null`
    return new Map(rows.map(({ id, traceparent }) => [id, traceparent]))
  }

  /** Asks for a run of the task now; one asked for before is replaced. */
  async runNow(): Promise<void> {
    await this.#sql`select graphile_worker.add_job('webhooks', job_key := 'webhooks', max_attempts := 1)`
  }

  /** Removes at most `limit` deliveries that are older than this, or of a webhook that was deleted; how many. */
  async forget(olderThanDays: number, limit: number): Promise<number> {
    const removed = await this.#sql`
      delete from postel.webhook_deliveries d
      where d.id in (
        select o.id from postel.webhook_deliveries o
        where o.id < postel.uuid_v7_floor(now() - make_interval(days => ${olderThanDays}))
        union all
        select o.id from postel.webhooks w
        join postel.webhook_deliveries o on o.webhook_id = w.id
        where w.deleted_at is not null
        limit ${limit}
      )`
    return removed.count
  }

  /** Removes webhooks that were deleted, once nothing of them is left. */
  async forgetDeleted(): Promise<void> {
    await this.#sql`
      delete from postel.webhooks w
      where w.deleted_at is not null
        and not exists (select from postel.webhook_deliveries d where d.webhook_id = w.id)`
  }
}
