/** Reads of submitted mail for those who sent it: one message, a page of them, a stored body, what happened to it. */
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import type postgres from 'postgres'
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'

/** Whose mail: a project's, or with null all of the organization's. Every query here names it in its where. */
export type Tenant = { organizationId: string; projectId: string | null }

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

/** What happened last: a state, or what follows on it. */
export type MessageEvent = DeliveryState | 'failed' | 'opened' | 'clicked' | 'complained'

/** What a page is narrowed to; see postel.find_messages. */
export type EmailFilter = {
  recipient?: string
  sender?: string
  subject?: string
  /** `name:value` */
  tag?: string
  source?: string
  events?: readonly MessageEvent[]
  /** Submitted at or after it. */
  createdAfter?: Date
  /** Submitted before it. */
  createdBefore?: Date
}

/** `lookedTo`: where a page that is not full goes on, because more messages had to be looked at than one question may. */
export type EmailPage = Page<EmailSummary> & { lookedTo: string | null }

/** Times are texts in UTC with microseconds: `2026-11-21 20:13:42.674981+00`. */
export type EmailSummary = {
  id: string
  projectId: string
  createdAt: string
  messageId: string
  from: string
  subject: string
  /** What the submitter said beyond the body, as it was given to the Submitter. */
  details: unknown
  /** Every address of the envelope; null where `details` has a `to`. */
  envelopeTo: string[] | null
  /** See postel.last_event. */
  lastEvent: MessageEvent
  /** The earliest moment that something of it still waits for, or what it was last changed to; null where neither is. */
  scheduledAt: string | null
}

export type EmailRecipient = {
  email: string
  state: DeliveryState
  attempts: number
  lastReply: string | null
  updatedAt: string
}

const decompress = promisify(zstdDecompress)

/** One message with its recipients in their order; undefined when the tenant has no such message. */
export async function findEmail(
  sql: Sql,
  tenant: Tenant,
  id: string,
): Promise<(EmailSummary & { recipients: EmailRecipient[] }) | undefined> {
  const [summary] = await summaries(sql, tenant, [id], 'desc')
  if (!summary) return undefined
  const recipients = await sql<EmailRecipient[]>`
    select
      d.recipient as email,
      -- It was delivered, and came back
      case when b.number is null then d.state else 'bounced' end as state,
      d.attempts,
      case when b.number is null then d.last_reply else b.data ->> 'reply' end as "lastReply",
      coalesce(b.created_at, d.updated_at)::text as "updatedAt"
    from postel.messages m
    join postel.deliveries d on d.message_id = m.id
    left join postel.events b on b.message_id = m.id and b.number = d.number and b.type = 'returned'
      and b.type not in ('accepted', 'queued', 'deferred', 'delivered')
      and b.id >= postel.uuid_v7_floor(postel.uuid_v7_time(m.id))
    where m.id = ${id} and ${ownedBy(sql, tenant)}
    order by d.number`
  return { ...summary, recipients }
}

/** A page of the tenant's messages. A cursor is a place, not a row: it need not exist, nor be the tenant's. */
export async function listEmails(
  sql: Sql,
  tenant: Tenant,
  page: { limit: number } & Cursor,
  filter: EmailFilter = {},
): Promise<EmailPage> {
  const { createdAfter, createdBefore, ...fields } = filter
  const above = [page.before?.toLowerCase(), createdAfter && idFloor(createdAfter)]
    .filter(isText)
    .sort()
    .at(-1)
  const below = [page.after?.toLowerCase(), createdBefore && idFloor(createdBefore)].filter(isText).sort()[0]
  const [found] = await sql<{ ids: string[]; lookedTo: string | null }[]>`
    select f.ids::text[], f.looked_to as "lookedTo"
    from postel.find_messages(
      ${tenant.organizationId}, ${projectsOf(sql, tenant)}, ${JSON.stringify(fields)}::text::jsonb, ${page.limit + 1},
      ${above ?? null}::uuid, ${below ?? null}::uuid, ${page.before !== undefined}
    ) as f`
  const { ids, lookedTo } = found!
  const rows =
    ids.length === 0 ? [] : await summaries(sql, tenant, ids, page.before === undefined ? 'desc' : 'asc')
  const cut = cutPage(rows, page)
  return { ...cut, hasMore: cut.hasMore || lookedTo !== null, lookedTo }
}

/**
 * The MIME message as it was stored; undefined when the tenant has no such message or its body was removed, and for mail of
 * Postel itself: the links in it are the recipient's alone.
 */
export async function readStoredMessage(sql: Sql, tenant: Tenant, id: string): Promise<Buffer | undefined> {
  const [row] = await sql<{ encoding: number; body: Buffer }[]>`
    select b.encoding, b.body
    from postel.messages m
    join postel.message_bodies b on b.message_id = m.id
    where m.id = ${id} and m.source <> 'system' and ${ownedBy(sql, tenant)}`
  if (!row) return undefined
  return row.encoding === 1 ? decompress(row.body) : row.body
}

/** The organization's project of this id or name. */
export async function findProject(
  sql: Sql,
  organizationId: string,
  idOrName: string,
): Promise<string | undefined> {
  const [row] = await sql<{ id: string }[]>`
    select p.id from postel.projects p
    where p.organization_id = ${organizationId} and (p.id::text = lower(${idOrName}) or p.name = ${idOrName})
    order by p.id::text <> lower(${idOrName})
    limit 1`
  return row?.id
}

/** What sending a message again takes from it. */
export type SentBefore = {
  projectId: string
  source: string
  envelopeFrom: string
  headerFrom: string
  signingDomain: string | null
  subject: string
  details: unknown
  recipients: string[]
}

export async function findSentBefore(sql: Sql, tenant: Tenant, id: string): Promise<SentBefore | undefined> {
  const [row] = await sql<SentBefore[]>`
    select
      m.project_id as "projectId", m.source, m.envelope_from as "envelopeFrom", m.header_from as "headerFrom",
      m.signing_domain as "signingDomain", m.subject, m.details,
      array(select d.recipient from postel.deliveries d where d.message_id = m.id order by d.number) as recipients
    from postel.messages m
    where m.id = ${id} and ${ownedBy(sql, tenant)}`
  return row
}

/** One thing that happened to a message, or with `attempt` one try for one recipient. */
export type TimelineEntry = {
  at: string
  type: string
  recipient: string | null
  data: unknown
  attempt: {
    number: number
    duration_ms: number
    source_ip: string | null
    mx_host: string | null
    mx_address: string | null
    tls: string | null
    code: number | null
    enhanced_code: string | null
    category: string | null
    reply: string | null
    in_doubt: boolean
  } | null
}

/**
 * What happened to a message, the newest first: its submission, every try, and what came before and after. Tries are told
 * with what they met, so their outcome has no entry of its own.
 */
export function readTimeline(
  sql: Sql,
  tenant: Tenant,
  id: string,
  page: { limit: number; recipient?: string | undefined },
): Promise<TimelineEntry[]> {
  const one = (number: postgres.Fragment) =>
    page.recipient === undefined
      ? sql``
      : sql`and exists (
          select from postel.deliveries d
          where d.message_id = m.id and d.number = ${number} and lower(d.recipient) = lower(${page.recipient})
        )`
  return sql<TimelineEntry[]>`
    with m as materialized (
      select m.* from postel.messages m where m.id = ${id} and ${ownedBy(sql, tenant)}
    ),
    happened as (
      select m.created_at as at, 0 as rank, 'accepted' as type, null::smallint as number, null::jsonb as data, null::jsonb as attempt
      from m
      union all
      (
        select a.at, 1, a.outcome, a.number, null, jsonb_build_object(
          'number', a.attempt, 'duration_ms', a.duration_ms, 'source_ip', host(i.address), 'mx_host', a.mx_host,
          'mx_address', host(a.mx_address), 'tls', a.tls, 'code', a.code, 'enhanced_code', a.enhanced_code,
          'category', a.category, 'reply', a.reply, 'in_doubt', a.in_doubt
        )
        from m
        join postel.attempts a on a.message_id = m.id
        left join postel.ip_addresses i on i.id = a.ip_id
        where true ${one(sql`a.number`)}
        order by a.at desc
        limit ${page.limit}
      )
      union all
      (
        select e.created_at, 2, e.type, e.number, e.data, null
        from m
        join postel.events e on e.message_id = m.id
          and e.type not in ('accepted', 'queued', 'deferred', 'delivered')
          and e.id >= postel.uuid_v7_floor(postel.uuid_v7_time(m.id))
        where not exists (
          select from postel.attempts a
          where a.message_id = e.message_id and a.number = e.number and a.outcome = e.type
        )
          ${page.recipient === undefined ? sql`` : sql`and (e.number is null or (true ${one(sql`e.number`)}))`}
        order by e.created_at desc
        limit ${page.limit}
      )
    )
    select
      h.at::text as at, h.type, h.data, h.attempt,
      (select d.recipient from m join postel.deliveries d on d.message_id = m.id where d.number = h.number) as recipient
    from happened h
    order by h.at desc, h.rank desc, h.number desc
    limit ${page.limit}`
}

/** Who changes something, for the audit log. */
type Change = { tenant: Tenant; actor: Actor; id: string }

/** Gives what is scheduled another time, and returns it; undefined where nothing of the message is scheduled. */
export async function rescheduleEmail(sql: Sql, change: Change, at: Date): Promise<Date | undefined> {
  const { tenant, actor, id } = change
  const [row] = await sql<{ due: Date }[]>`
    with changed as materialized (
      select r.id, r.name, r.due
      from postel.reschedule(${tenant.organizationId}, ${projectsOf(sql, tenant)}, ${id}, ${at}) as r
    ), ${audited(sql, actor, tenant.organizationId, 'email.rescheduled', 'email', { scheduled_at: at.toISOString() })}
    select due from changed`
  return row?.due
}

/** Cancels what of a message is scheduled; false where nothing of it is. */
export async function cancelEmail(sql: Sql, { tenant, actor, id }: Change): Promise<boolean> {
  const rows = await sql`
    with changed as materialized (
      select c.id, c.name
      from postel.cancel_scheduled(${tenant.organizationId}, ${projectsOf(sql, tenant)}, ${id}) as c
    ), ${audited(sql, actor, tenant.organizationId, 'email.cancelled', 'email')}
    select id from changed`
  return rows.length > 0
}

/** Writes down that somebody who has the link may read a message until then; false where the tenant has no such message. */
export async function shareEmail(sql: Sql, { tenant, actor, id }: Change, until: Date): Promise<boolean> {
  const rows = await sql`
    with changed as (
      select m.id, m.subject as name from postel.messages m where m.id = ${id} and ${ownedBy(sql, tenant)}
    ), ${audited(sql, actor, tenant.organizationId, 'email.shared', 'email', { expires_at: until.toISOString() })}
    select id from changed`
  return rows.length > 0
}

/** Brings rows, fetched one beyond the limit and in the order of the question, into the form of a page, newest first. */
export function cutPage<Row>(rows: readonly Row[], page: { limit: number } & Cursor): Page<Row> {
  const kept = rows.slice(0, page.limit)
  return { rows: page.before ? kept.reverse() : kept, hasMore: rows.length > page.limit }
}

/** The projects that the tenant may look into, for functions. */
function projectsOf(sql: Sql, { organizationId, projectId }: Tenant): postgres.Fragment {
  return projectId === null
    ? sql`array(select p.id from postel.projects p where p.organization_id = ${organizationId})`
    : sql`array[${projectId}]::uuid[]`
}

/** For a where: that `m` is the tenant's. */
function ownedBy(sql: Sql, { organizationId, projectId }: Tenant): postgres.Fragment {
  return sql`m.organization_id = ${organizationId} ${projectId === null ? sql`` : sql`and m.project_id = ${projectId}`}`
}

/** The smallest UUIDv7 of a moment. */
function idFloor(at: Date): string {
  const hex = Math.max(0, at.getTime()).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}

function isText(value: string | undefined): value is string {
  return value !== undefined
}

/** The tenant's messages among these, with what stands in other tables: in one statement. */
function summaries(
  sql: Sql,
  tenant: Tenant,
  ids: readonly string[],
  order: 'asc' | 'desc',
): Promise<EmailSummary[]> {
  return sql<EmailSummary[]>`
    select
      m.id, m.project_id as "projectId", m.created_at::text as "createdAt", m.message_id_header as "messageId",
      m.header_from as "from", m.subject, m.details,
      case when m.details -> 'to' is null then array(
        select d.recipient from postel.deliveries d where d.message_id = m.id order by d.number
      ) end as "envelopeTo",
      (select l.event from postel.last_event(m.id) as l) as "lastEvent",
      coalesce(
        (select min(w.not_before)::text from postel.waiting w where w.message_id = m.id and w.state = 'scheduled'),
        (
          select (e.data ->> 'scheduled_at')::timestamptz::text from postel.events e
          where e.message_id = m.id and e.type = 'rescheduled'
            and e.type not in ('accepted', 'queued', 'deferred', 'delivered')
            and e.id >= postel.uuid_v7_floor(postel.uuid_v7_time(m.id))
          -- Not by id, whose index would be read through for want of any
          order by e.created_at desc
          limit 1
        )
      ) as "scheduledAt"
    from unnest(${ids}::text[]::uuid[]) as i (id)
    -- By key, whatever the planner thinks of how many ids there are
    cross join lateral (
      select r.* from postel.messages r where r.id = i.id offset 0
    ) as m
    where ${ownedBy(sql, tenant)}
    order by m.id ${order === 'asc' ? sql`asc` : sql`desc`}`
}
