/** A person's address: everything that an organization has stored about it, and its erasure. */
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'

const decompress = promisify(zstdDecompress)
/** Messages that one transaction changes. */
const chunkMessages = 200
/** Bodies in memory at once. */
const bodiesAtOnce = 20

export type Erasure = {
  /** Messages that were erased from. */
  messages: number
  /** Messages of which something is still to be delivered, to whomever: they are left as they are. */
  pending: number
}

/**
 * Erases an address (lower case, its domain in A-labels) from everything that the organization has, until `signal` says to
 * stop; what is left then counts as pending. `forms`: other ways in which it may be written. Mail to it that has not left is
 * cancelled first. The audit log says that it was done, and by whom, and not for which address.
 */
export async function eraseAddress(
  sql: Sql,
  actor: Actor,
  organizationId: string,
  address: string,
  forms: readonly string[],
  signal: AbortSignal,
): Promise<Erasure> {
  const all = [...new Set([address, ...forms.map((form) => form.toLowerCase())])]
  await sql`
    select postel.start_operation('cancel', jsonb_build_object('project_ids', p.ids, 'recipient', ${address}::text), null)
    from (
      select jsonb_agg(id) as ids from postel.projects where organization_id = ${organizationId}
    ) as p
    where p.ids is not null`
  let messages = 0
  for (let more = true; more && !signal.aborted; ) {
    const [row] = await sql<{ messages: number; shared: string[] | null }[]>`
      select e.messages, e.shared::text[] as shared
      from postel.erase_mail(${organizationId}, ${address}, ${all}::text[], ${chunkMessages}) as e`
    await eraseBodies(sql, row!.shared ?? [], all)
    messages += row!.messages
    more = row!.messages > 0
  }
  await sql`select postel.erase_records(${organizationId}, ${address}, ${all}::text[])`
  const [left] = await sql<{ pending: number }[]>`
    with changed as (select null::text as id, null::text as name),
    ${audited(sql, actor, organizationId, 'privacy.erased', 'address', { messages })}
    select count(distinct p.message_id)::int as pending
    from postel.privacy_mail(${organizationId}, ${address}, null, 1000000) as p`
  return { messages, pending: left!.pending }
}

/** Bodies of mail to several are deleted where they name the address: in a header or the text as it is sent. */
async function eraseBodies(sql: Sql, ids: readonly string[], forms: readonly string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += bodiesAtOnce) {
    const rows = await sql<{ id: string; encoding: number; body: Buffer }[]>`
      select b.message_id as id, b.encoding, b.body from postel.message_bodies b
      where b.message_id = any (${ids.slice(from, from + bodiesAtOnce)}::uuid[])`
    const naming: string[] = []
    for (const { id, encoding, body } of rows) {
      const text = (encoding === 1 ? await decompress(body) : body).toString('latin1').toLowerCase()
      if (forms.some((form) => text.includes(Buffer.from(form).toString('latin1')))) naming.push(id)
    }
    if (naming.length > 0)
      await sql`delete from postel.message_bodies b where b.message_id = any (${naming}::uuid[])`
  }
}

/** Times are texts in UTC with microseconds. */
export type ExportedEmail = {
  id: string
  projectId: string
  createdAt: string
  from: string
  subject: string
  details: unknown
  recipient: string
  state: string
  lastReply: string | null
  /** Whether the message itself is stored. */
  body: boolean
  attempts: unknown[]
  events: unknown[]
}

export type Export = {
  emails: ExportedEmail[]
  hasMore: boolean
  suppressions: unknown[]
  auditLog: unknown[]
}

const time = (sql: Sql, column: string) =>
  sql`to_char(${sql(column)} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'`

/** Everything that is stored about an address, a page of its mail at a time. */
export async function exportAddress(
  sql: Sql,
  organizationId: string,
  address: string,
  page: { limit: number; after?: string | undefined },
): Promise<Export> {
  const emails = await sql<ExportedEmail[]>`
    select
      m.id, m.project_id as "projectId", ${time(sql, 'm.created_at')} as "createdAt", m.header_from as "from", m.subject,
      m.details, d.recipient, d.state, d.last_reply as "lastReply",
      exists (select from postel.message_bodies b where b.message_id = m.id) as body,
      (
        select coalesce(json_agg(json_build_object(
          'at', ${time(sql, 'a.at')}, 'outcome', a.outcome, 'mx', a.mx_host, 'reply', a.reply
        ) order by a.attempt), '[]')
        from postel.attempts a where a.message_id = m.id and a.number = d.number
      ) as attempts,
      (
        select coalesce(json_agg(json_build_object(
          'at', ${time(sql, 'e.created_at')}, 'type', e.type, 'data', e.data
        ) order by e.id), '[]')
        from postel.events e
        where e.message_id = m.id and e.number = d.number
          and e.type not in ('accepted', 'queued', 'deferred', 'delivered')
      ) as events
    from postel.privacy_mail(${organizationId}, ${address}, ${page.after ?? null}::uuid, ${page.limit + 1}) as p
    join postel.messages m on m.id = p.message_id
    join postel.deliveries d on d.message_id = p.message_id and d.number = p.number
    order by m.id desc, d.number`
  const [rest] = await sql<{ suppressions: unknown[] | null; auditLog: unknown[] | null }[]>`
    select
      (
        select json_agg(json_build_object(
          'id', s.id, 'project_id', s.project_id, 'address', s.address, 'origin', s.origin, 'reason', s.reason,
          'created_at', ${time(sql, 's.created_at')}
        ) order by s.id)
        from postel.suppressions s
        where s.organization_id = ${organizationId} and s.address in (${address}, postel.address_hash(${address}))
      ) as suppressions,
      (
        select json_agg(json_build_object(
          'id', a.id, 'at', ${time(sql, 'a.created_at')}, 'action', a.action, 'target', a.target_name, 'details', a.details
        ) order by a.id)
        from postel.audit_log a
        where a.organization_id = ${organizationId} and postel.names_address(a.target_name, array[${address}::text])
      ) as "auditLog"`
  return {
    emails: emails.slice(0, page.limit),
    hasMore: emails.length > page.limit,
    suppressions: rest!.suppressions ?? [],
    auditLog: rest!.auditLog ?? [],
  }
}
