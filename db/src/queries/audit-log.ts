/** Reads of the audit log. */
import type { Sql } from '../client.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'

/** Times are texts in UTC with microseconds. */
export type AuditRow = {
  id: string
  createdAt: string
  organizationId: string | null
  actorKind: string
  actorId: string | null
  actorName: string
  address: string | null
  action: string
  targetKind: string
  targetId: string | null
  targetName: string | null
  details: Record<string, unknown> | null
}

export type AuditFilter = {
  /** An id or a name. */
  actor?: string | undefined
  /** `api_key.created`, or `api_key` for all of these. */
  action?: string | undefined
  /** An id or a name. */
  target?: string | undefined
  /** From this moment on. */
  since?: Date | undefined
  /** Up to this moment, which is left out. */
  until?: Date | undefined
}

/** A page of what was changed in an organization, or with null anywhere, newest first. */
export async function listAuditLog(
  sql: Sql,
  organizationId: string | null,
  filter: AuditFilter,
  page: { limit: number } & Cursor,
): Promise<Page<AuditRow>> {
  const { actor, action, target, since, until } = filter
  const rows = await sql<AuditRow[]>`
    select
      a.id, a.created_at::text as "createdAt", a.organization_id as "organizationId", a.actor_kind as "actorKind",
      a.actor_id as "actorId", a.actor_name as "actorName", host(a.address) as address, a.action,
      a.target_kind as "targetKind", a.target_id as "targetId", a.target_name as "targetName", a.details
    from postel.audit_log a
    where ${organizationId === null ? sql`true` : sql`a.organization_id = ${organizationId}`}
      ${actor === undefined ? sql`` : sql`and (a.actor_id = ${actor} or a.actor_name = ${actor})`}
      ${action === undefined ? sql`` : sql`and (a.action = ${action} or split_part(a.action, '.', 1) = ${action})`}
      ${target === undefined ? sql`` : sql`and (a.target_id = ${target} or a.target_name = ${target})`}
      ${since === undefined ? sql`` : sql`and a.id >= postel.uuid_v7_floor(${since})`}
      ${until === undefined ? sql`` : sql`and a.id < postel.uuid_v7_floor(${until})`}
      ${page.after ? sql`and a.id < ${page.after}` : sql``}
      ${page.before ? sql`and a.id > ${page.before}` : sql``}
    order by a.id ${page.before ? sql`asc` : sql`desc`}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}
