/** Source IPs, for the platform's operators. */
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'
import { requester } from './queue.ts'

export const ipStates = ['active', 'warming', 'paused', 'quarantined', 'draining', 'retired'] as const
export type IpState = (typeof ipStates)[number]

/** Times are texts in UTC with microseconds. */
export type IpRow = {
  id: string
  address: string
  poolId: string
  pool: string
  /** Null: the host name of whichever process holds it. */
  ehloName: string | null
  state: IpState
  reason: string | null
  weight: number
  /** The node that should hold it; null: any that has it on an interface. */
  nodeName: string | null
  /** The node that holds it now. */
  heldBy: string | null
  heldSince: string | null
  queued: number
  inFlight: number
  oldestQueuedAt: string | null
  /** What DNS says of it; each null: nobody could tell yet. */
  dns: { ptrNames: string[]; ptrOk: boolean | null; forwardOk: boolean | null; ehloOk: boolean | null }
  /** What is wrong with it in DNS and what to do about it, or why DNS could not tell. */
  dnsProblem: string | null
  dnsCheckedAt: string | null
  createdAt: string
}

export type NewIp = {
  address: string
  poolId: string
  ehloName: string | null
  weight: number
  nodeName: string | null
  state: 'active' | 'warming' | 'paused'
}

/** What is named is changed; see postel.change_ip. */
export type IpChange = {
  weight?: number | undefined
  ehlo_name?: string | null | undefined
  node_name?: string | null | undefined
  pool_id?: string | undefined
  state?: 'active' | 'paused' | 'draining' | undefined
}

/** A page of the IPs, of one pool and of one state where these are given, newest first. */
export async function listIps(
  sql: Sql,
  filter: { poolId?: string | undefined; state?: IpState | undefined },
  page: { limit: number } & Cursor,
): Promise<Page<IpRow>> {
  const order = page.before ? sql`asc` : sql`desc`
  const rows = await sql<IpRow[]>`
    select ${columns(sql)}
    ${tables(sql)}
    where true
      ${filter.poolId === undefined ? sql`` : sql`and a.pool_id = ${filter.poolId}::bigint`}
      ${filter.state === undefined ? sql`` : sql`and a.state = ${filter.state}`}
      ${page.after ? sql`and a.id < ${page.after}::bigint` : sql``}
      ${page.before ? sql`and a.id > ${page.before}::bigint` : sql``}
    order by a.id ${order}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

export async function findIp(sql: Sql, id: string): Promise<IpRow | undefined> {
  const [row] = await sql<IpRow[]>`select ${columns(sql)} ${tables(sql)} where a.id = ${id}::bigint`
  return row
}

/** The new IP's id. An address that is there already is a duplicate; a pool that is not, a missing reference. */
export async function createIp(sql: Sql, actor: Actor, ip: NewIp): Promise<string> {
  const [row] = await sql<{ id: string }[]>`
    with changed as (
      insert into postel.ip_addresses (pool_id, address, ehlo_name, weight, node_name, state)
      values (
        ${ip.poolId}::text::integer, ${ip.address}::text::inet, ${ip.ehloName}, ${ip.weight}, ${ip.nodeName}, ${ip.state}
      )
      returning id, host(address) as name
    ), ${audited(sql, actor, null, 'ip.created', 'ip', ip)}
    select id::text as id, pg_notify('postel_control', 'ips') from changed`
  return row!.id
}

/** Changes an IP; false when there is none of this id. postel.change_ip refuses what cannot be. */
export async function changeIp(
  sql: Sql,
  actor: Actor,
  id: string,
  change: IpChange,
  reason: string | null,
): Promise<boolean> {
  const rows = await sql`
    with ${requester(sql, actor)}, changed as materialized (
      select c.id, c.name
      from requester r
      cross join lateral postel.change_ip(${id}::bigint, ${JSON.stringify(change)}::text::jsonb, ${reason}) as c
      where r.name is not null
    ), ${audited(sql, actor, null, 'ip.updated', 'ip', { ...change, ...(reason !== null && { reason }) })}
    select id from changed`
  return rows.length > 0
}

/** Moves the queue of an IP to another of its pool: how many rows; undefined when there is none of these ids. */
export async function moveQueue(sql: Sql, actor: Actor, id: string, to: string): Promise<number | undefined> {
  const [row] = await sql<{ moved: number }[]>`
    with ${requester(sql, actor)}, changed as materialized (
      select a.id, host(a.address) as name, postel.move_queue(a.address, t.address)::int as moved
      from requester r
      join postel.ip_addresses a on a.id = ${id}::bigint
      join postel.ip_addresses t on t.id = ${to}::bigint
      where r.name is not null
    ), ${audited(sql, actor, null, 'ip.queue_moved', 'ip', { to })}
    select moved from changed`
  return row?.moved
}

function columns(sql: Sql) {
  return sql`
    a.id::text as id, host(a.address) as address, l.id::text as "poolId", l.name as pool, a.ehlo_name as "ehloName",
    a.state, a.state_reason as reason, a.weight, a.node_name as "nodeName", p.node_name as "heldBy",
    h.acquired_at::text as "heldSince", q.queued, q.in_flight as "inFlight", q.oldest::text as "oldestQueuedAt",
    json_build_object(
      'ptrNames', coalesce(c.ptr_names, '{}'), 'ptrOk', c.ptr_ok, 'forwardOk', c.forward_ok, 'ehloOk', c.ehlo_ok
    ) as dns,
    coalesce(c.problem, c.fault) as "dnsProblem", c.checked_at::text as "dnsCheckedAt",
    a.created_at::text as "createdAt"`
}

function tables(sql: Sql) {
  return sql`
    from postel.ip_addresses a
    join postel.ip_pools l on l.id = a.pool_id
    left join postel.ip_checks c on c.ip_id = a.id
    left join postel.ip_holders h on h.ip_id = a.id and h.expires_at > now()
    left join postel.outbound_processes p on p.id = h.process_id
    cross join lateral (
      select
        count(*)::int as queued, count(*) filter (where q.id = any (p.in_flight))::int as in_flight,
        min(q.queued_at) as oldest
      from postel.queue q
      where q.ip_id = a.id
    ) as q`
}
