/** Organizations: the tenants themselves. */
import type { Sql } from '../client.ts'
import { sqlState } from '../errors.ts'
import { type Actor, audited } from './audit.ts'
import type { OrganizationStatus } from './credentials.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'

/** `createdAt` is a text in UTC with microseconds. */
export type Organization = {
  id: string
  name: string
  status: OrganizationStatus
  statusReason: string | null
  createdAt: string
}

/** Which organizations may be seen: all, those of a person, or one. */
export type OrganizationScope = 'all' | { userId: string } | { organizationId: string }

export async function listOrganizations(
  sql: Sql,
  scope: OrganizationScope,
  page: { limit: number } & Cursor,
): Promise<Page<Organization & { role: string | null }>> {
  const rows = await sql<(Organization & { role: string | null })[]>`
    select ${columns(sql)}, ${roleIn(sql, scope)} as role
    from postel.organizations o
    where ${within(sql, scope)}
      ${page.after ? sql`and o.id < ${page.after}` : sql``}
      ${page.before ? sql`and o.id > ${page.before}` : sql``}
    order by o.id ${page.before ? sql`asc` : sql`desc`}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

/** Undefined when there is none of this id in the scope. */
export async function findOrganization(
  sql: Sql,
  scope: OrganizationScope,
  id: string,
): Promise<(Organization & { role: string | null }) | undefined> {
  const [row] = await sql<(Organization & { role: string | null })[]>`
    select ${columns(sql)}, ${roleIn(sql, scope)} as role
    from postel.organizations o
    where o.id = ${id} and ${within(sql, scope)}`
  return row
}

/** A new organization, with `adminId` as its first admin where there is one. */
export async function createOrganization(
  sql: Sql,
  actor: Actor,
  name: string,
  adminId: string | null,
): Promise<string> {
  const [row] = await sql<{ id: string }[]>`
    with changed as (
      insert into postel.organizations (name) values (${name}) returning id, name
    ),
    first_admin as (
      insert into postel.members (organization_id, user_id, role)
      select c.id, ${adminId}::uuid, 'admin' from changed c where ${adminId}::uuid is not null
    ),
    logged as (
      insert into postel.audit_log (
        organization_id, actor_kind, actor_id, actor_name, address, action, target_kind, target_id, target_name
      )
      select
        c.id, ${actor.kind}, ${actor.id}, ${actor.name}, ${actor.address}::inet, 'organization.created', 'organization',
        c.id::text, c.name
      from changed c
    )
    select id from changed`
  return row!.id
}

/** How many organizations a person is an admin of. */
export async function countAdministered(sql: Sql, userId: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from postel.members m where m.user_id = ${userId} and m.role = 'admin'`
  return row!.count
}

/** False when there is no such organization. */
export async function renameOrganization(sql: Sql, actor: Actor, id: string, name: string): Promise<boolean> {
  const rows = await sql`
    with changed as (
      update postel.organizations set name = ${name} where id = ${id} returning id, name
    ), ${audited(sql, actor, id, 'organization.updated', 'organization', { name })}
    select id from changed`
  return rows.length > 0
}

/**
 * Deletes an organization that has nothing any more: members and invitations go with it, and its keys that are revoked.
 * `in_use` when it still has projects (deleted ones too: their mail is on record), domains, live keys or anything else.
 */
export async function deleteOrganization(
  sql: Sql,
  actor: Actor,
  id: string,
): Promise<'deleted' | 'unknown' | 'in_use'> {
  try {
    const rows = await sql`
      with target as materialized (
        select o.id from postel.organizations o
        where o.id = ${id}
          and not exists (select from postel.projects p where p.organization_id = o.id)
          and not exists (select from postel.domains d where d.organization_id = o.id)
          and not exists (select from postel.api_keys k where k.organization_id = o.id and k.revoked_at is null)
      ),
      keys as (delete from postel.api_keys k using target t where k.organization_id = t.id),
      changed as (
        delete from postel.organizations o using target t where o.id = t.id returning o.id, o.name
      ), ${audited(sql, actor, id, 'organization.deleted', 'organization')}
      select id from changed`
    if (rows.length > 0) return 'deleted'
  } catch (error) {
    // foreign_key_violation: a table that came later refers to it
    if (sqlState(error) !== '23503') throw error
    return 'in_use'
  }
  return (await findOrganization(sql, 'all', id)) ? 'in_use' : 'unknown'
}

function columns(sql: Sql) {
  return sql`o.id, o.name, o.status, o.status_reason as "statusReason", o.created_at::text as "createdAt"`
}

function within(sql: Sql, scope: OrganizationScope) {
  if (scope === 'all') return sql`true`
  if ('organizationId' in scope) return sql`o.id = ${scope.organizationId}`
  return sql`exists (
    select from postel.members m where m.organization_id = o.id and m.user_id = ${scope.userId}
  )`
}

function roleIn(sql: Sql, scope: OrganizationScope) {
  if (scope === 'all' || 'organizationId' in scope) return sql`null::text`
  return sql`(select m.role from postel.members m where m.organization_id = o.id and m.user_id = ${scope.userId})`
}
