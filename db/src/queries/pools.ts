/** Pools of source IPs, for the platform's operators. */
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'

/** Times are texts in UTC with microseconds. */
export type PoolRow = {
  id: string
  name: string
  /** New projects get it. */
  isDefault: boolean
  ips: number
  projects: number
  createdAt: string
}

/** A page of all pools, newest first. */
export async function listPools(sql: Sql, page: { limit: number } & Cursor): Promise<Page<PoolRow>> {
  const order = page.before ? sql`asc` : sql`desc`
  const rows = await sql<PoolRow[]>`
    select ${columns(sql)}
    from postel.ip_pools l
    where true
      ${page.after ? sql`and l.id < ${page.after}::bigint` : sql``}
      ${page.before ? sql`and l.id > ${page.before}::bigint` : sql``}
    order by l.id ${order}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

export async function findPool(sql: Sql, id: string): Promise<PoolRow | undefined> {
  const [row] = await sql<PoolRow[]>`select ${columns(sql)} from postel.ip_pools l where l.id = ${id}::bigint`
  return row
}

/** The new pool's id; undefined when there is one of this name. The first pool is the default. */
export async function createPool(sql: Sql, actor: Actor, name: string): Promise<string | undefined> {
  const [row] = await sql<{ id: string }[]>`
    with changed as (
      insert into postel.ip_pools (name, is_default)
      select ${name}, not exists (select from postel.ip_pools l where l.is_default)
      on conflict on constraint ip_pools_name_unique do nothing
      returning id, name
    ), ${audited(sql, actor, null, 'pool.created', 'pool', { name })}
    select id::text as id from changed`
  return row?.id
}

/** Renames a pool or makes it the default; false when there is none of this id. A name that is taken is a duplicate. */
export async function changePool(
  sql: Sql,
  actor: Actor,
  id: string,
  change: { name?: string | undefined; default?: true | undefined },
): Promise<boolean> {
  const rows = await sql`
    with changed as materialized (
      select c.id, c.name
      from postel.change_pool(${id}::bigint, ${change.name ?? null}, ${change.default ?? false}) as c
    ), ${audited(sql, actor, null, 'pool.updated', 'pool', change)}
    select id from changed`
  return rows.length > 0
}

/** Deletes a pool that is not the default and that no IP and no project is in; false when it is not such a one. */
export async function deletePool(sql: Sql, actor: Actor, id: string): Promise<boolean> {
  const rows = await sql`
    with changed as (
      delete from postel.ip_pools l
      where l.id = ${id}::bigint
        and not l.is_default
        and not exists (select from postel.ip_addresses a where a.pool_id = l.id)
        and not exists (select from postel.projects p where p.pool_id = l.id)
      returning l.id, l.name
    ), ${audited(sql, actor, null, 'pool.deleted', 'pool')}
    select id from changed`
  return rows.length > 0
}

function columns(sql: Sql) {
  return sql`
    l.id::text as id, l.name, l.is_default as "isDefault", l.created_at::text as "createdAt",
    (select count(*)::int from postel.ip_addresses a where a.pool_id = l.id) as ips,
    (select count(*)::int from postel.projects p where p.pool_id = l.id and p.deleted_at is null) as projects`
}
