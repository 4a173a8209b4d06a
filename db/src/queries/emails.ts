/** Reads of submitted mail for those who sent it: one message, a page of them, a stored body. */
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import type postgres from 'postgres'
import type { Sql } from '../client.ts'

/** Whose mail: every query here names both in its where. */
export type Tenant = { organizationId: string; projectId: string }

/** A place in a list that runs from the newest to the oldest; the id itself is not part of the page. */
export type Cursor = { after?: string | undefined; before?: string | undefined }

/** A page, newest first. `hasMore` is about the direction in which the page was asked for. */
export type Page<Row> = { rows: Row[]; hasMore: boolean }

export type DeliveryState =
  | 'queued'
  | 'scheduled'
  | 'held'
  | 'deferred'
  | 'delivered'
  | 'bounced'
  | 'expired'
  | 'cancelled'
  | 'suppressed'

/** Times are texts in UTC with microseconds: `2026-11-21 20:13:42.674981+00`. */
export type EmailSummary = {
  id: string
  createdAt: string
  messageId: string
  from: string
  subject: string
  /** What the submitter said beyond the body, as it was given to the Submitter. */
  details: unknown
  /** Every address of the envelope; null where `details` has a `to`. */
  envelopeTo: string[] | null
  /** Of the recipient that changed last; a final state wins among those of one moment. */
  lastState: DeliveryState
  /** The earliest moment that something of it still waits for; null when nothing is scheduled. */
  scheduledAt: string | null
}

export type EmailRecipient = {
  email: string
  state: DeliveryState
  attempts: number
  lastReply: string | null
  updatedAt: string
}

type Fragment = postgres.Fragment

const decompress = promisify(zstdDecompress)

/** One message with its recipients in their order; undefined when the tenant has no such message. */
export async function findEmail(
  sql: Sql,
  tenant: Tenant,
  id: string,
): Promise<(EmailSummary & { recipients: EmailRecipient[] }) | undefined> {
  const [summary] = await summaries(
    sql,
    sql`
      select * from postel.messages
      where id = ${id} and organization_id = ${tenant.organizationId} and project_id = ${tenant.projectId}`,
    sql`desc`,
  )
  if (!summary) return undefined
  const recipients = await sql<EmailRecipient[]>`
    select
      d.recipient as email, d.state, d.attempts, d.last_reply as "lastReply", d.updated_at::text as "updatedAt"
    from postel.messages m
    join postel.deliveries d on d.message_id = m.id
    where m.id = ${id} and m.organization_id = ${tenant.organizationId} and m.project_id = ${tenant.projectId}
    order by d.number`
  return { ...summary, recipients }
}

/** A page of the project's messages. A cursor is a place, not a row: it need not exist, nor be the tenant's. */
export async function listEmails(
  sql: Sql,
  tenant: Tenant,
  page: { limit: number } & Cursor,
): Promise<Page<EmailSummary>> {
  const order = page.before ? sql`asc` : sql`desc`
  const rows = await summaries(
    sql,
    sql`
      select * from postel.messages
      where organization_id = ${tenant.organizationId} and project_id = ${tenant.projectId}
        ${page.after ? sql`and id < ${page.after}` : sql``}
        ${page.before ? sql`and id > ${page.before}` : sql``}
      order by id ${order}
      limit ${page.limit + 1}`,
    order,
  )
  return cutPage(rows, page)
}

/** The MIME message as it was stored; undefined when the tenant has no such message or its body was removed. */
export async function readStoredMessage(sql: Sql, tenant: Tenant, id: string): Promise<Buffer | undefined> {
  const [row] = await sql<{ encoding: number; body: Buffer }[]>`
    select b.encoding, b.body
    from postel.messages m
    join postel.message_bodies b on b.message_id = m.id
    where m.id = ${id} and m.organization_id = ${tenant.organizationId} and m.project_id = ${tenant.projectId}`
  if (!row) return undefined
  return row.encoding === 1 ? decompress(row.body) : row.body
}

/** Rejects when the database cannot be asked or has not been migrated. */
export async function checkEmailTables(sql: Sql): Promise<void> {
  await sql`select from postel.messages limit 0`
}

/** Brings rows, fetched one beyond the limit and in the order of the question, into the form of a page, newest first. */
export function cutPage<Row>(rows: readonly Row[], page: { limit: number } & Cursor): Page<Row> {
  const kept = rows.slice(0, page.limit)
  return { rows: page.before ? kept.reverse() : kept, hasMore: rows.length > page.limit }
}

/** Adds to messages, chosen by `chosen` with the tenant in its where, what stands in other tables: in one statement. */
function summaries(sql: Sql, chosen: Fragment, order: Fragment): Promise<EmailSummary[]> {
  return sql<EmailSummary[]>`
    with chosen as materialized (${chosen})
    select
      m.id, m.created_at::text as "createdAt", m.message_id_header as "messageId", m.header_from as "from",
      m.subject, m.details,
      case when m.details -> 'to' is null then array(
        select d.recipient from postel.deliveries d where d.message_id = m.id order by d.number
      ) end as "envelopeTo",
      (
        select d.state from postel.deliveries d
        where d.message_id = m.id
        order by d.updated_at desc, d.state in ('queued', 'scheduled'), d.number desc
        limit 1
      ) as "lastState",
      (
        select min(w.not_before)::text from postel.waiting w where w.message_id = m.id and w.state = 'scheduled'
      ) as "scheduledAt"
    from chosen m
    order by m.id ${order}`
}
