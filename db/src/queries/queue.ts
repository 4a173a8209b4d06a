/** Mail that is not final yet: how much is where and why, and what people have done to it; of a tenant, or of everybody. */
import type postgres from 'postgres'
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'

/** Whose mail: an organization's, one of its projects', or with both null everybody's, as operators see it. */
export type QueueScope = { organizationId: string | null; projectId: string | null }

export type QueueFilter = {
  state?: 'queued' | 'deferred' | 'scheduled' | 'held' | undefined
  /** Exact. */
  domain?: string | undefined
  /** One of our source IPs. */
  ip?: string | undefined
}

/** Times are texts in UTC with microseconds. */
export type QueueState = {
  state: 'queued' | 'deferred' | 'scheduled' | 'held'
  messages: number
  recipients: number
  /** When the oldest of it was submitted. */
  oldestAt: string | null
  nextDueAt: string | null
}

export type QueueDomain = {
  domain: string
  /** What shares limits with it; null when it was not looked up yet. */
  site: string | null
  queued: number
  deferred: number
  scheduled: number
  held: number
  inFlight: number
  oldestAt: string
  nextDueAt: string | null
  blockedBy: string | null
}

export type QueueIp = {
  ip: string
  pool: string
  state: string
  queued: number
  inFlight: number
  oldestAt: string
}

export type QueueMessage = {
  id: string
  createdAt: string
  projectId: string
  parts: {
    domain: string
    state: QueueState['state']
    recipients: string[]
    attempts: number
    ip: string | null
    reason: string | null
    next_at: string | null
    expires_at: string
  }[]
}

export const queueVerbs = ['hold', 'release', 'cancel', 'bounce', 'retry'] as const
export type QueueVerb = (typeof queueVerbs)[number]

/** Which mail is meant; see postel.operation_filter. */
export type SteerFilter = {
  messageId?: string | undefined
  domain?: string | undefined
  ip?: string | undefined
  sender?: string | undefined
  recipient?: string | undefined
  olderThanSeconds?: number | undefined
}

export type OperationRow = {
  id: string
  verb: QueueVerb | 'move'
  state: 'waiting' | 'running' | 'finished'
  filter: {
    message_id: string | null
    project_id: string | null
    domain: string | null
    ip: string | null
    to_ip: string | null
    sender: string | null
    recipient: string | null
    submitted_before: string | null
  }
  reason: string | null
  requestedBy: string
  matched: number
  done: number
  createdAt: string
  finishedAt: string | null
}

/** A line per state that there is mail in. */
export function queueStates(sql: Sql, scope: QueueScope): Promise<QueueState[]> {
  return sql<QueueState[]>`
    with ${rows(sql, scope, {})}
    select
      r.state, count(distinct r.message_id)::int as messages, sum(cardinality(r.numbers))::int as recipients,
      min(postel.uuid_v7_time(r.message_id))::text as "oldestAt",
      (min(r.not_before) filter (where r.state <> 'held'))::text as "nextDueAt"
    from rows r
    group by r.state
    order by array_position(array['queued', 'deferred', 'scheduled', 'held'], r.state)`
}

/** The recipient domains that have mail, the most first. */
export async function queueDomains(
  sql: Sql,
  scope: QueueScope,
  limit: number,
): Promise<{ rows: QueueDomain[]; hasMore: boolean }> {
  const found = await sql<QueueDomain[]>`
    with ${rows(sql, scope, {})},
    domains as materialized (
      select
        r.domain, count(*)::int as rows,
        count(*) filter (where r.state = 'queued')::int as queued,
        count(*) filter (where r.state = 'deferred')::int as deferred,
        count(*) filter (where r.state = 'scheduled')::int as scheduled,
        count(*) filter (where r.state = 'held')::int as held,
        count(*) filter (where r.in_flight)::int as in_flight,
        min(postel.uuid_v7_time(r.message_id)) as oldest,
        min(r.not_before) filter (where r.state <> 'held') as next_due,
        array_agg(distinct r.ip_id) filter (where r.state = 'queued') as ip_ids,
        array_agg(distinct r.project_id) filter (where r.state = 'queued') as project_ids
      from rows r
      group by r.domain
      order by count(*) desc, r.domain
      limit ${limit + 1}
    )
    select
      d.domain, s.site, d.queued, d.deferred, d.scheduled, d.held, d.in_flight as "inFlight",
      d.oldest::text as "oldestAt", d.next_due::text as "nextDueAt",
      coalesce(
        postel.suspension_of(d.domain, null),
        (
          select string_agg(distinct postel.suspension_of(d.domain, p), '; ')
          from unnest(d.project_ids) as p
          having count(postel.suspension_of(d.domain, p)) > 0
        ),
        (
          select string_agg(postel.site_trouble(i.ip_id, i.site), '; ' order by i.ip_id)
          from postel.ip_sites i
          where i.site = s.site and i.ip_id = any (d.ip_ids)
        )
      ) as "blockedBy"
    from domains d
    left join postel.destinations s on s.domain = d.domain
    order by d.rows desc, d.domain`
  return { rows: found.slice(0, limit), hasMore: found.length > limit }
}

/** The source IPs that have mail in the queue, the most first. */
export function queueIps(sql: Sql, scope: QueueScope): Promise<QueueIp[]> {
  return sql<QueueIp[]>`
    with ${rows(sql, scope, { state: 'queued' })}
    select
      host(a.address) as ip, l.name as pool, a.state, count(*)::int as queued,
      count(*) filter (where r.in_flight)::int as "inFlight", min(postel.uuid_v7_time(r.message_id))::text as "oldestAt"
    from rows r
    join postel.ip_addresses a on a.id = r.ip_id
    join postel.ip_pools l on l.id = a.pool_id
    group by a.id, l.id
    order by count(*) desc, a.id`
}

/** A page of messages with what of them is not final, newest first. */
export async function queueMessages(
  sql: Sql,
  scope: QueueScope,
  filter: QueueFilter,
  page: { limit: number } & Cursor,
): Promise<Page<QueueMessage>> {
  const order = page.before ? sql`asc` : sql`desc`
  const found = await sql<QueueMessage[]>`
    with ${rows(sql, scope, filter, page)},
    page as materialized (
      select r.message_id from rows r group by r.message_id order by r.message_id ${order} limit ${page.limit + 1}
    )
    select
      r.message_id as id, postel.uuid_v7_time(r.message_id)::text as "createdAt", r.project_id as "projectId",
      json_agg(json_build_object(
        'domain', r.domain, 'state', r.state, 'recipients', r.recipients, 'attempts', r.attempts,
        'ip', (select host(a.address) from postel.ip_addresses a where a.id = r.ip_id), 'reason', r.reason,
        'next_at', case when r.state <> 'held' then r.not_before::text end, 'expires_at', r.expires_at::text
      ) order by r.domain, r.state) as parts
    from page p
    join rows r on r.message_id = p.message_id
    group by r.message_id, r.project_id
    order by r.message_id ${order}`
  return cutPage(found, page)
}

/**
 * Starts an operation: small ones are done when it resolves, larger ones go on in the worker. Its id. postel.steer refuses
 * what is no domain, address or source IP.
 */
export async function steer(
  sql: Sql,
  actor: Actor,
  scope: QueueScope,
  verb: QueueVerb,
  filter: SteerFilter,
  reason: string | null,
): Promise<string> {
  const seconds = filter.olderThanSeconds ?? null
  const [row] = await sql<{ id: string }[]>`
    with ${requester(sql, actor)}, changed as materialized (
      select
        postel.steer(
          ${verb}, ${scope.organizationId}, ${scope.projectId}, ${filter.messageId ?? null}, ${filter.domain ?? null},
          ${filter.ip ?? null}::text::inet, ${filter.sender ?? null}, ${filter.recipient ?? null},
          make_interval(secs => ${seconds}::float8), ${reason}
        ) as id,
        ${verb}::text as name
      from requester r
      where r.name is not null
    ), ${audited(sql, actor, scope.organizationId, `queue.${verb}`, 'operation', { ...scope, ...filter, reason })}
    select id::text as id from changed`
  return row!.id
}

/** One project of the scope; undefined when it has none of this id. */
export async function scopeOfProject(
  sql: Sql,
  scope: QueueScope,
  projectId: string,
): Promise<QueueScope | undefined> {
  const [row] = await sql<QueueScope[]>`
    select p.organization_id as "organizationId", p.id as "projectId"
    from postel.projects p
    where p.id = ${projectId}
      ${scope.organizationId === null ? sql`` : sql`and p.organization_id = ${scope.organizationId}`}
      ${scope.projectId === null ? sql`` : sql`and p.id = ${scope.projectId}`}`
  return row
}

/** A page of operations, newest first. */
export async function listOperations(
  sql: Sql,
  scope: QueueScope,
  page: { limit: number } & Cursor,
): Promise<Page<OperationRow>> {
  const order = page.before ? sql`asc` : sql`desc`
  const found = await sql<OperationRow[]>`
    select ${operationColumns(sql)}
    from postel.operations o
    where ${ofScope(sql, scope)}
      ${page.after ? sql`and o.id < ${page.after}::bigint` : sql``}
      ${page.before ? sql`and o.id > ${page.before}::bigint` : sql``}
    order by o.id ${order}
    limit ${page.limit + 1}`
  return cutPage(found, page)
}

export async function findOperation(
  sql: Sql,
  scope: QueueScope,
  id: string,
): Promise<OperationRow | undefined> {
  const [row] = await sql<OperationRow[]>`
    select ${operationColumns(sql)} from postel.operations o where o.id = ${id}::bigint and ${ofScope(sql, scope)}`
  return row
}

/** Ends an operation where it is; false when there is none of this id that runs. */
export async function stopOperation(sql: Sql, actor: Actor, scope: QueueScope, id: string): Promise<boolean> {
  const found = await sql`
    with changed as (
      update postel.operations o set finished_at = clock_timestamp()
      where o.id = ${id}::bigint and o.finished_at is null and ${ofScope(sql, scope)}
      returning o.id, o.verb as name
    ), ${audited(sql, actor, scope.organizationId, 'queue.operation_stopped', 'operation')}
    select id from changed`
  return found.length > 0
}

/** A CTE `requester` that names the caller for what functions write down; its row must be asked for before they are called. */
export function requester(sql: Sql, actor: Actor): postgres.Fragment {
  return sql`requester as materialized (
    select set_config('postel.requester', ${actor.name}, true) as name
  )`
}

/** A CTE `rows`: queue and waiting alike, as far as scope and filter go. */
function rows(
  sql: Sql,
  scope: QueueScope,
  { state, domain, ip }: QueueFilter,
  { after, before }: Cursor = {},
): postgres.Fragment {
  const asked = (table: postgres.Fragment) => sql`
    ${scope.organizationId === null ? sql`true` : sql`${table}.organization_id = ${scope.organizationId}`}
    ${scope.projectId === null ? sql`` : sql`and ${table}.project_id = ${scope.projectId}`}
    ${domain === undefined ? sql`` : sql`and ${table}.domain = ${domain}`}
    ${
      ip === undefined
        ? sql``
        : sql`and ${table}.ip_id = (select a.id from postel.ip_addresses a where a.address = ${ip}::text::inet)`
    }
    ${after === undefined ? sql`` : sql`and ${table}.message_id < ${after}`}
    ${before === undefined ? sql`` : sql`and ${table}.message_id > ${before}`}`
  return sql`rows as materialized (
    select
      'queued' as state, q.message_id, q.project_id, q.domain, q.ip_id, q.attempts, q.numbers, q.recipients, q.expires_at,
      null::timestamptz as not_before, null::text as reason,
      q.id = any ((select postel.in_flight())::bigint[]) as in_flight
    from postel.queue q
    where ${state === undefined || state === 'queued' ? sql`true` : sql`false`} and ${asked(sql`q`)}
    union all
    select
      w.state, w.message_id, w.project_id, w.domain, w.ip_id, w.attempts, w.numbers, w.recipients, w.expires_at,
      w.not_before, w.reason, false
    from postel.waiting w
    where ${state === undefined ? sql`true` : sql`w.state = ${state}`} and ${asked(sql`w`)}
  )`
}

function ofScope(sql: Sql, { organizationId, projectId }: QueueScope): postgres.Fragment {
  return sql`
    ${organizationId === null ? sql`true` : sql`o.organization_id = ${organizationId}`}
    ${projectId === null ? sql`` : sql`and o.project_id = ${projectId}`}`
}

function operationColumns(sql: Sql) {
  return sql`
    o.id::text as id, o.verb, o.reason,
    json_build_object(
      'message_id', o.filter ->> 'message_id',
      'project_id', o.filter ->> 'project_id',
      'domain', coalesce(o.filter ->> 'domain', '*' || (o.filter ->> 'below')),
      'ip', (select host(a.address) from postel.ip_addresses a where a.id = (o.filter ->> 'ip_id')::integer),
      'to_ip', (select host(a.address) from postel.ip_addresses a where a.id = (o.filter ->> 'to_ip_id')::integer),
      'sender', o.filter ->> 'sender',
      'recipient', o.filter ->> 'recipient',
      'submitted_before', postel.uuid_v7_time((o.filter ->> 'before')::uuid)::text
    ) as filter,
    o.requested_by as "requestedBy", o.matched::float8 as matched,
    o.done::float8 as done, o.created_at::text as "createdAt", o.finished_at::text as "finishedAt",
    case
      when o.finished_at is not null then 'finished'
      when o.id = (select min(f.id) from postel.operations f where f.finished_at is null) then 'running'
      else 'waiting'
    end as state`
}
