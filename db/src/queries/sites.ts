/** What outbound has learned of sites and destinations, kept for its successor and for people. */
import type { Sql } from '../client.ts'

export type SiteRow = {
  ipId: number
  site: string
  state: 'open' | 'slowed' | 'backing_off' | 'suspended'
  factor: number
  connectionsMax: number
  messagesPerMinute: number | null
  /** Milliseconds until something may be sent again; 0: now. */
  waitMs: number
  reason: string | null
  refusals: number
}

/** Writes down what has changed; a site where all is well again has no row. */
export async function saveSites(sql: Sql, rows: readonly SiteRow[]): Promise<void> {
  await sql`
    with input as materialized (
      select * from json_to_recordset(${JSON.stringify(rows)}::text::json) as i (
        "ipId" integer, site text, state text, factor real, "connectionsMax" integer, "messagesPerMinute" integer,
        "waitMs" double precision, reason text, refusals integer
      )
    ),
    well as (
      delete from postel.ip_sites s using input i
      where i.state = 'open' and s.ip_id = i."ipId" and s.site = i.site
    )
    insert into postel.ip_sites (
      ip_id, site, state, factor, connections_max, messages_per_minute, until, reason, refusals, updated_at
    )
    select
      i."ipId", i.site, i.state, i.factor, i."connectionsMax", i."messagesPerMinute",
      case when i."waitMs" > 0 then clock_timestamp() + make_interval(secs => i."waitMs" / 1000) end,
      i.reason, i.refusals, clock_timestamp()
    from input i
    where i.state <> 'open'
    order by i."ipId", i.site
    on conflict on constraint ip_sites_pkey do update
    set
      state = excluded.state, factor = excluded.factor, connections_max = excluded.connections_max,
      messages_per_minute = excluded.messages_per_minute, until = excluded.until, reason = excluded.reason,
      refusals = excluded.refusals, updated_at = excluded.updated_at`
}

/** What was written down for these IPs within a day. */
export function loadSites(sql: Sql, ipIds: readonly number[]): Promise<SiteRow[]> {
  return sql<SiteRow[]>`
    select
      s.ip_id as "ipId", s.site, s.state, s.factor::float8 as factor, s.connections_max as "connectionsMax",
      s.messages_per_minute as "messagesPerMinute",
      greatest(0, coalesce(extract(epoch from s.until - clock_timestamp()) * 1000, 0))::float8 as "waitMs",
      s.reason, s.refusals
    from postel.ip_sites s
    where s.ip_id = any (${ipIds as number[]}) and s.updated_at > now() - interval '1 day'`
}

/** Writes down which site each recipient domain belongs to. */
export async function saveDestinations(
  sql: Sql,
  found: readonly { domain: string; site: string; hosts: readonly string[] }[],
): Promise<void> {
  await sql`
    insert into postel.destinations (domain, site, mx_hosts, seen_at)
    select i.domain, i.site, array(select json_array_elements_text(i.hosts)), clock_timestamp()
    from json_to_recordset(${JSON.stringify(found)}::text::json) as i (domain text, site text, hosts json)
    order by i.domain
    on conflict (domain) do update
    set site = excluded.site, mx_hosts = excluded.mx_hosts, seen_at = excluded.seen_at`
}
