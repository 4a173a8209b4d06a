/** What DNS says of the source IPs: which are due to be looked at, and what was seen. */
import type { Sql } from '../client.ts'

export type IpToCheck = {
  id: number
  address: string
  /** The name that EHLO says; null: not known. */
  ehloName: string | null
  /** What was wrong when it was last looked at; undefined: it never was, under this EHLO name. */
  before: string | null | undefined
}

/** Null: nobody can tell. */
export type IpCheck = {
  ptrNames: readonly string[]
  ptrOk: boolean
  forwardOk: boolean
  ehloOk: boolean | null
  /** What is wrong, and what to do about it. */
  problem: string | null
}

/** Looked at again after an hour; sooner while something is wrong that somebody may be mending, or DNS did not answer. */
const againMinutes = { right: 60, wrong: 10, fault: 5 }

/**
 * The source IPs to look at now, the longest due first: those that are new, or have another EHLO name than at the last look, at once.
 * `ehloName` is what EHLO says for an IP without a name of its own.
 */
export async function dueIpChecks(sql: Sql, ehloName: string | null, limit: number): Promise<IpToCheck[]> {
  const rows = await sql<(IpToCheck & { known: boolean })[]>`
    select
      a.id, host(a.address) as address, e.name as "ehloName", c.problem as before,
      c.checked_at is not null and c.ehlo_name is not distinct from e.name as known
    from postel.ip_addresses a
    cross join lateral (select coalesce(a.ehlo_name, ${ehloName}::text) as name) as e
    left join postel.ip_checks c on c.ip_id = a.id
    where a.state <> 'retired'
      and (c.ip_id is null or c.due_at <= now() or c.ehlo_name is distinct from e.name)
    order by c.due_at nulls first, a.id
    limit ${limit}`
  return rows.map(({ known, ...row }) => ({ ...row, before: known ? row.before : undefined }))
}

/** Writes down what was seen. */
export async function recordIpCheck(sql: Sql, ip: IpToCheck, check: IpCheck): Promise<void> {
  const { ptrNames, ptrOk, forwardOk, ehloOk, problem } = check
  const minutes = problem === null ? againMinutes.right : againMinutes.wrong
  await sql`
    insert into postel.ip_checks (
      ip_id, ehlo_name, ptr_names, ptr_ok, forward_ok, ehlo_ok, problem, checked_at, due_at
    )
    select
      a.id, ${ip.ehloName}, ${ptrNames as string[]}::text[], ${ptrOk}, ${forwardOk}, ${ehloOk}, ${problem}, now(),
      now() + make_interval(mins => ${minutes})
    from postel.ip_addresses a
    where a.id = ${ip.id}
    on conflict (ip_id) do update
    set
      ehlo_name = excluded.ehlo_name, ptr_names = excluded.ptr_names, ptr_ok = excluded.ptr_ok,
      forward_ok = excluded.forward_ok, ehlo_ok = excluded.ehlo_ok, problem = excluded.problem,
      checked_at = excluded.checked_at, fault = null, due_at = excluded.due_at`
}

/** DNS could not tell: what was known before stands, but what was known of another EHLO name. */
export async function recordIpCheckFault(sql: Sql, ip: IpToCheck, fault: string): Promise<void> {
  await sql`
    insert into postel.ip_checks as c (ip_id, ehlo_name, fault, due_at)
    select a.id, ${ip.ehloName}, ${fault}, now() + make_interval(mins => ${againMinutes.fault})
    from postel.ip_addresses a
    where a.id = ${ip.id}
    on conflict (ip_id) do update
    set
      ehlo_ok = case when c.ehlo_name is not distinct from excluded.ehlo_name then c.ehlo_ok end,
      problem = case when c.ehlo_name is not distinct from excluded.ehlo_name then c.problem end,
      ehlo_name = excluded.ehlo_name, fault = excluded.fault, due_at = excluded.due_at`
}

export type KnownIpCheck = {
  address: string
  ptrOk: boolean | null
  forwardOk: boolean | null
  ehloOk: boolean | null
}

/** What is known of every source IP that is not retired; for metrics. */
export function knownIpChecks(sql: Sql): Promise<KnownIpCheck[]> {
  return sql<KnownIpCheck[]>`
    select host(a.address) as address, c.ptr_ok as "ptrOk", c.forward_ok as "forwardOk", c.ehlo_ok as "ehloOk"
    from postel.ip_checks c
    join postel.ip_addresses a on a.id = c.ip_id
    where a.state <> 'retired'
    order by a.id`
}
