/** Figures of mail sent: counted from the events by the worker, read by quarter of an hour, domain or message. */
import type { Sql } from '../client.ts'
import type { Tenant } from './emails.ts'
import { forgetRequests } from './request-logs.ts'

export const counts = [
  'sent',
  'delivered',
  'suppressed',
  'bounced',
  'bounced_permanent',
  'bounced_transient',
  'delivery_delayed',
  'failed',
  'complained',
  'unsubscribed',
  'opened',
  'clicked',
  'unique_opened',
  'unique_clicked',
] as const
export type Counts = Record<(typeof counts)[number], number>

export type MetricsRow = Counts & {
  /** The local beginning of the period: `2026-11-21T00:00:00`; null where periods are not told apart. */
  period: string | null
  domain: string | null
  domainId: string | null
  emailId: string | null
}

/** A moment, or the beginning of a local day. */
export type Edge = { moment: Date } | { day: string }

export type Range = { from: Date; to: Date }

/** Moments of edges in a time zone; a day as the last edge ends with it. Rejects (22023) for a zone that Postgres does not know. */
export async function resolveRange(
  sql: Sql,
  range: { from: Edge | null; to: Edge },
  timeZone: string,
): Promise<Range> {
  const text = (edge: Edge) => ('moment' in edge ? edge.moment.toISOString() : edge.day)
  const { from, to } = range
  const [row] = await sql<Range[]>`
    select
      coalesce(
        case when ${from !== null && 'moment' in from} then ${from && text(from)}::text::timestamptz
          else ${from && text(from)}::text::timestamp at time zone ${timeZone} end,
        e.until - interval '6 days'
      ) as "from",
      e.until as "to"
    from (
      select case when ${'moment' in to} then ${text(to)}::text::timestamptz
        else (${text(to)}::text::timestamp + interval '1 day') at time zone ${timeZone} end as until
    ) as e`
  return row!
}

/** Sums over quarters of an hour that begin in the range. */
export async function readMetrics(
  sql: Sql,
  tenant: Tenant,
  question: Range & {
    timeZone: string
    granularity: 'hour' | 'day' | 'week' | 'month'
    byPeriod: boolean
    byDomain: boolean
    domainIds: readonly string[] | null
  },
): Promise<MetricsRow[]> {
  const { from, to, timeZone, granularity, byPeriod, byDomain, domainIds } = question
  return sql<MetricsRow[]>`
    select
      ${
        byPeriod
          ? sql`to_char(date_trunc(${granularity}::text, t.period at time zone ${timeZone}), 'YYYY-MM-DD"T"HH24:MI:SS')`
          : sql`null`
      } as period,
      ${byDomain ? sql`nullif(t.domain, '')` : sql`null`} as domain,
      ${byDomain ? sql`d.id` : sql`null`} as "domainId",
      null as "emailId",
      ${sums(sql)}
    from postel.email_metrics t
    left join postel.domains d on d.organization_id = t.organization_id and d.name = t.domain
    where t.organization_id = ${tenant.organizationId} and t.period >= ${from} and t.period < ${to}
      ${tenant.projectId === null ? sql`` : sql`and t.project_id = ${tenant.projectId}`}
      ${domainIds === null ? sql`` : sql`and d.id = any (${domainIds}::text[]::uuid[])`}
    group by 1, 2, 3
    order by 1, 2`
}

/** The same of single messages, whenever it happened. */
export async function readEmailMetrics(
  sql: Sql,
  tenant: Tenant,
  emailIds: readonly string[],
): Promise<MetricsRow[]> {
  return sql<MetricsRow[]>`
    select
      null as period, m.signing_domain as domain,
      (select d.id from postel.domains d where d.organization_id = m.organization_id and d.name = m.signing_domain) as "domainId",
      m.id as "emailId", s.*, e.*
    from unnest(${emailIds}::text[]::uuid[]) as i (id)
    cross join lateral (
      select r.* from postel.messages r where r.id = i.id offset 0
    ) as m
    cross join lateral (
      select
        (count(*) filter (where d.state <> 'suppressed'))::integer as sent,
        (count(*) filter (where d.state = 'delivered'))::integer as delivered,
        (count(*) filter (where d.state = 'suppressed'))::integer as suppressed,
        (count(*) filter (where b.number is not null or (d.state in ('bounced', 'expired') and d.attempts > 0)))::integer as bounced,
        (count(*) filter (
          where b.permanent = 'true' or (d.state = 'bounced' and d.attempts > 0)
        ))::integer as bounced_permanent,
        (count(*) filter (
          where b.permanent = 'false' or (d.state = 'expired' and d.attempts > 0)
        ))::integer as bounced_transient,
        (count(*) filter (where d.state in ('bounced', 'expired') and d.attempts = 0))::integer as failed
      from postel.deliveries d
      left join lateral (
        select e.number, e.data -> 'permanent' as permanent from postel.events e
        where e.message_id = d.message_id and e.number = d.number and e.type = 'returned'
          and e.type not in ('accepted', 'queued', 'deferred', 'delivered')
          and e.id >= postel.uuid_v7_floor(postel.uuid_v7_time(m.id))
        limit 1
      ) as b on true
      where d.message_id = m.id
    ) as s
    cross join lateral (
      select
        (select count(*) from postel.attempts a where a.message_id = m.id and a.outcome = 'deferred')::integer as delivery_delayed,
        (count(*) filter (where e.type = 'complained'))::integer as complained,
        (count(*) filter (where e.type = 'unsubscribed'))::integer as unsubscribed,
        (count(*) filter (where e.type = 'opened'))::integer as opened,
        (count(*) filter (where e.type = 'clicked'))::integer as clicked,
        (count(distinct coalesce(e.number, 0)) filter (where e.type = 'opened'))::integer as unique_opened,
        (count(distinct coalesce(e.number, 0)) filter (where e.type = 'clicked'))::integer as unique_clicked
      from postel.events e
      where e.message_id = m.id and e.type not in ('accepted', 'queued', 'deferred', 'delivered')
        and e.id >= postel.uuid_v7_floor(postel.uuid_v7_time(m.id))
    ) as e
    where m.organization_id = ${tenant.organizationId}
      ${tenant.projectId === null ? sql`` : sql`and m.project_id = ${tenant.projectId}`}
    order by m.id desc`
}

/** What the worker does for the figures. */
export class MetricsQueries {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** See postel.count_events. */
  async countEvents(until: string, limit: number): Promise<number> {
    const [row] = await this.#sql<{ read: number }[]>`select postel.count_events(${until}, ${limit}) as read`
    return row!.read
  }

  /** Deletes at most `limit` figures older than a number of days; returns how many. */
  async forgetMetrics(days: number, limit: number): Promise<number> {
    const rows = await this.#sql`
      delete from postel.email_metrics
      where ctid = any (array(
        select t.ctid from postel.email_metrics t
        where t.period < now() - make_interval(days => ${days})
        limit ${limit}
      ))
      returning organization_id`
    return rows.length
  }

  /** The same of requests. */
  forgetRequests(days: number, limit: number): Promise<number> {
    return forgetRequests(this.#sql, days, limit)
  }
}

/** Not as bigint, which the driver gives as a text. */
function sums(sql: Sql) {
  return counts
    .map((name) => sql`coalesce(sum(t.${sql(name)}), 0)::float8 as ${sql(name)}`)
    .reduce((all, each) => sql`${all}, ${each}`)
}
