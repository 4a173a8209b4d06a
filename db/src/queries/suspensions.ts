/** What is not sent for now: mail to a recipient domain, or of a project; for the platform's operators. */
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'
import { requester } from './queue.ts'

/** Times are texts in UTC with microseconds. */
export type SuspensionRow = {
  id: string
  /** `*.example.com`: all below. */
  domain: string | null
  projectId: string | null
  reason: string
  /** Null: until it is ended. */
  until: string | null
  requestedBy: string
  /** Recipients in the queue behind it. */
  queued: number
  createdAt: string
}

/** A page of those in force, newest first. */
export async function listSuspensions(
  sql: Sql,
  page: { limit: number } & Cursor,
): Promise<Page<SuspensionRow>> {
  const order = page.before ? sql`asc` : sql`desc`
  const rows = await sql<SuspensionRow[]>`
    select ${columns(sql)}
    from postel.suspensions s
    where ${inForce(sql)}
      ${page.after ? sql`and s.id < ${page.after}::bigint` : sql``}
      ${page.before ? sql`and s.id > ${page.before}::bigint` : sql``}
    order by s.id ${order}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

export async function findSuspension(sql: Sql, id: string): Promise<SuspensionRow | undefined> {
  const [row] = await sql<SuspensionRow[]>`
    select ${columns(sql)} from postel.suspensions s where s.id = ${id}::bigint and ${inForce(sql)}`
  return row
}

/** Suspends a domain or gives its suspension a new reason and end; its id. postel.suspend refuses what is no domain. */
export async function suspendDomain(
  sql: Sql,
  actor: Actor,
  { domain, reason, until }: { domain: string; reason: string; until: string | null },
): Promise<string> {
  await sql`
    with ${requester(sql, actor)}, changed as materialized (
      select null::bigint as id, ${domain}::text as name, postel.suspend(${domain}, ${reason}, ${until}::text::timestamptz)
      from requester r
      where r.name is not null
    ), ${audited(sql, actor, null, 'suspension.created', 'suspension', { domain, reason, until })}
    select id from changed`
  const [row] = await sql<{ id: string }[]>`
    select s.id::text as id from postel.suspensions s where s.domain = postel.domain_pattern(${domain})`
  return row!.id
}

/** Suspends a project or gives its suspension a new reason; its id, undefined when there is no such project. */
export async function suspendProject(
  sql: Sql,
  actor: Actor,
  { projectId, reason }: { projectId: string; reason: string },
): Promise<string | undefined> {
  await sql`
    with ${requester(sql, actor)}, changed as materialized (
      select p.id, p.name, postel.pause_project(p.id::text, ${reason})
      from requester r
      join postel.projects p on p.id = ${projectId}
      where r.name is not null
    ), ${audited(sql, actor, null, 'suspension.created', 'project', { project_id: projectId, reason })}
    select id from changed`
  const [row] = await sql<{ id: string }[]>`
    select s.id::text as id from postel.suspensions s where s.project_id = ${projectId}`
  return row?.id
}

/** Ends a suspension; false when there is none of this id. */
export async function endSuspension(sql: Sql, actor: Actor, id: string): Promise<boolean> {
  const rows = await sql`
    with changed as materialized (
      select
        s.id, coalesce(s.domain, p.name, s.project_id::text) as name,
        case when s.domain is not null then postel.resume(s.domain) else postel.resume_project(s.project_id::text) end
      from postel.suspensions s
      left join postel.projects p on p.id = s.project_id
      where s.id = ${id}::bigint and ${inForce(sql)}
    ), ${audited(sql, actor, null, 'suspension.deleted', 'suspension')}
    select id from changed`
  return rows.length > 0
}

const inForce = (sql: Sql) => sql`(s.until is null or s.until > now())`

function columns(sql: Sql) {
  return sql`
    s.id::text as id, s.domain, s.project_id as "projectId", s.reason, s.until::text as until,
    s.requested_by as "requestedBy", s.created_at::text as "createdAt",
    (
      select coalesce(sum(cardinality(q.numbers)), 0)::int
      from postel.queue q
      where q.project_id = s.project_id
        or q.domain = s.domain
        or (s.domain like '*.%' and right(q.domain, length(s.domain) - 1) = substr(s.domain, 2))
    ) as queued`
}
