/** The built-in mailbox: what sandbox delivery brought there, and test mail. */
import type { Sql } from '../client.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'

/** Whose mail: an organization's, one project's, or all of it for the person at the machine itself. */
export type SandboxScope = { organizationId: string; projectId: string | null } | 'everything'

export type SandboxSummary = {
  id: string
  /** In UTC with microseconds: `2026-11-21 20:13:42.674981+00`. */
  receivedAt: string
  /** The message that was delivered; null for mail that did not come from Postel. */
  messageId: string | null
  clientAddress: string
  ehloName: string
  envelopeFrom: string
  recipients: string[]
  /** The first part of the message, enough for its header section in all but odd cases. */
  head: Buffer
}

const headBytes = 65_536

/** A page of what was received, newest first. */
export async function listSandboxMessages(
  sql: Sql,
  scope: SandboxScope,
  page: { limit: number } & Cursor,
): Promise<Page<SandboxSummary>> {
  const order = page.before ? sql`asc` : sql`desc`
  const rows = await sql<SandboxSummary[]>`
    select ${columns(sql)}, substring(s.raw from 1 for ${headBytes}) as head
    from postel.sandbox_messages s
    where ${inScope(sql, scope)}
      ${page.after ? sql`and s.id < ${page.after}::bigint` : sql``}
      ${page.before ? sql`and s.id > ${page.before}::bigint` : sql``}
    order by s.id ${order}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

/** One received message with all its bytes; undefined when there is none in scope. */
export async function findSandboxMessage(
  sql: Sql,
  scope: SandboxScope,
  id: string,
): Promise<(SandboxSummary & { raw: Buffer }) | undefined> {
  const [row] = await sql<(Omit<SandboxSummary, 'head'> & { raw: Buffer })[]>`
    select ${columns(sql)}, s.raw
    from postel.sandbox_messages s
    where s.id = ${id}::bigint and ${inScope(sql, scope)}`
  return row && { ...row, head: row.raw.subarray(0, headBytes) }
}

function columns(sql: Sql) {
  return sql`
    s.id::text as id, s.received_at::text as "receivedAt", s.message_id as "messageId",
    s.client_address as "clientAddress", s.ehlo_name as "ehloName", s.envelope_from as "envelopeFrom", s.recipients`
}

function inScope(sql: Sql, scope: SandboxScope) {
  if (scope === 'everything') return sql`true`
  const { organizationId, projectId } = scope
  return sql`s.organization_id = ${organizationId}
    and (${projectId}::uuid is null or s.project_id is null or s.project_id = ${projectId}::uuid)`
}
