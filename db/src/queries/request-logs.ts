/** The requests of API keys: written in batches, read by their organization, kept some days. */
import type postgres from 'postgres'
import type { Sql } from '../client.ts'
import { type Cursor, cutPage, type Page, type Tenant } from './emails.ts'

export type RequestRecord = {
  /** When it was answered. */
  at: Date
  organizationId: string
  projectId: string | null
  apiKeyId: string | null
  method: string
  path: string
  status: number
  durationMs: number
  userAgent: string | null
  error: string | null
}

export type RequestLog = Omit<RequestRecord, 'at' | 'organizationId' | 'projectId'> & {
  id: string
  /** In UTC with microseconds. */
  createdAt: string
}

/** Stores requests in one statement, which a crash of the database may lose. */
export async function storeRequests(sql: Sql, requests: readonly RequestRecord[]): Promise<void> {
  await sql`
    insert into postel.request_logs (
      created_at, organization_id, project_id, api_key_id, method, path, status, duration_ms, user_agent, error
    )
    select
      r.at, r."organizationId", r."projectId", r."apiKeyId", r.method, r.path, r.status, r."durationMs", r."userAgent",
      r.error
    from json_to_recordset(${JSON.stringify(requests)}::text::json) as r (
      at timestamptz, "organizationId" uuid, "projectId" uuid, "apiKeyId" uuid, method text, path text, status smallint,
      "durationMs" integer, "userAgent" text, error text
    )
    cross join (select set_config('synchronous_commit', 'off', true)) as s`
}

export async function listRequests(
  sql: Sql,
  tenant: Tenant,
  page: { limit: number } & Cursor,
): Promise<Page<RequestLog>> {
  const rows = await sql<RequestLog[]>`
    select ${columns(sql)}
    from postel.request_logs r
    where ${ownedBy(sql, tenant)}
      ${page.after ? sql`and r.id < ${page.after}` : sql``}
      ${page.before ? sql`and r.id > ${page.before}` : sql``}
    order by r.id ${page.before ? sql`asc` : sql`desc`}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

export async function findRequest(sql: Sql, tenant: Tenant, id: string): Promise<RequestLog | undefined> {
  const [row] = await sql<RequestLog[]>`
    select ${columns(sql)} from postel.request_logs r where r.id = ${id} and ${ownedBy(sql, tenant)}`
  return row
}

/** Deletes at most `limit` of the requests before a number of days, the oldest first; returns how many. */
export async function forgetRequests(sql: Sql, days: number, limit: number): Promise<number> {
  const rows = await sql`
    delete from postel.request_logs
    where id in (
      select r.id from postel.request_logs r
      where r.id < postel.uuid_v7_floor(now() - make_interval(days => ${days}))
      order by r.id
      limit ${limit}
    )
    returning id`
  return rows.length
}

function ownedBy(sql: Sql, { organizationId, projectId }: Tenant): postgres.Fragment {
  return sql`r.organization_id = ${organizationId} ${projectId === null ? sql`` : sql`and r.project_id = ${projectId}`}`
}

function columns(sql: Sql): postgres.Fragment {
  return sql`
    r.id, r.created_at::text as "createdAt", r.api_key_id as "apiKeyId", r.method, r.path, r.status,
    r.duration_ms as "durationMs", r.user_agent as "userAgent", r.error`
}
