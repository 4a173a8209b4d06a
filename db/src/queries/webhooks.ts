/** The webhooks of an organization, or of one project of it, and what they were told. */
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'

/** Whose webhooks: of the organization, or with a project those of that alone. Every query here names both in its where. */
export type WebhookOwner = { organizationId: string; projectId: string | null }

/** Times are texts in UTC with microseconds: `2026-11-21 20:13:42.674981+00`. */
export type WebhookSummary = {
  id: string
  createdAt: string
  status: 'enabled' | 'disabled'
  statusReason: string | null
  endpoint: string
  events: string[]
}

/** `secret` is sealed. */
export type WebhookRow = WebhookSummary & { secret: Buffer }

export type WebhookChanges = { endpoint?: string; events?: string[]; status?: 'enabled' | 'disabled' }

/** `attempting`: tried in vain, and to be tried again. */
export type WebhookEventStatus = 'success' | 'pending' | 'failed' | 'attempting'

export type WebhookEventSummary = { id: string; type: string; createdAt: string; status: WebhookEventStatus }

export type WebhookEventRow = WebhookEventSummary & { nextAttemptAt: string | null; payload: string }

export type WebhookAttemptRow = {
  id: string
  statusCode: number | null
  error: string | null
  response: string | null
  durationMs: number
  sentAt: string
}

type PageRequest = { limit: number } & Cursor

/** An id for a webhook to come, to which its secret can be bound. */
export async function newWebhookId(sql: Sql): Promise<string> {
  const [row] = await sql<{ id: string }[]>`select postel.uuid_v7() as id`
  return row!.id
}

/** False when the organization has `max` already. */
export async function createWebhook(
  sql: Sql,
  actor: Actor,
  { organizationId, projectId }: WebhookOwner,
  webhook: { id: string; endpoint: string; events: string[]; secret: Buffer },
  max: number,
): Promise<boolean> {
  const { id, endpoint, events, secret } = webhook
  const rows = await sql`
    with changed as (
      insert into postel.webhooks (id, organization_id, project_id, endpoint, events, secret)
      select ${id}, ${organizationId}, ${projectId}, ${endpoint}, ${events}::text[], ${secret}
      where (
        select count(*) from postel.webhooks w where w.organization_id = ${organizationId} and w.deleted_at is null
      ) < ${max}
      returning id, endpoint as name
    ), ${audited(sql, actor, organizationId, 'webhook.created', 'webhook', { endpoint, events })},
    ${woken(sql)}
    select c.id from changed c cross join woken`
  return rows.length > 0
}

export async function findWebhook(
  sql: Sql,
  owner: WebhookOwner,
  id: string,
): Promise<WebhookRow | undefined> {
  const [row] = await sql<WebhookRow[]>`
    select
      w.id, w.created_at::text as "createdAt", w.status, w.status_reason as "statusReason", w.endpoint, w.events, w.secret
    from postel.webhooks w
    where w.id = ${id} and ${owned(sql, owner)}`
  return row
}

/** A page, newest first. */
export async function listWebhooks(
  sql: Sql,
  owner: WebhookOwner,
  page: PageRequest,
): Promise<Page<WebhookSummary>> {
  const rows = await sql<WebhookSummary[]>`
    select
      w.id, w.created_at::text as "createdAt", w.status, w.status_reason as "statusReason", w.endpoint, w.events
    from postel.webhooks w
    where ${owned(sql, owner)} ${place(sql, sql`w.id`, page)}`
  return cutPage(rows, page)
}

/** Enabling it again begins anew: it is told of what happens from then on, and of what was still to be told. */
export async function updateWebhook(
  sql: Sql,
  actor: Actor,
  owner: WebhookOwner,
  id: string,
  changes: WebhookChanges,
): Promise<boolean> {
  const { endpoint = null, events = null, status = null } = changes
  const rows = await sql`
    with changed as (
      update postel.webhooks w
      set
        endpoint = coalesce(${endpoint}::text, w.endpoint),
        events = coalesce(${events}::text[], w.events),
        status = coalesce(${status}::text, w.status),
        status_reason = case when ${status}::text is null then w.status_reason end,
        enabled_at = case when ${status}::text = 'enabled' and w.status = 'disabled' then now() else w.enabled_at end,
        failing_since = case when ${status}::text = 'enabled' and w.status = 'disabled' then null else w.failing_since end
      where w.id = ${id} and ${owned(sql, owner)}
      returning w.id, w.endpoint as name
    ), ${audited(sql, actor, owner.organizationId, 'webhook.updated', 'webhook', changes)},
    ${woken(sql)}
    select c.id from changed c cross join woken`
  return rows.length > 0
}

/** It is gone at once; the worker removes what it was told. */
export async function deleteWebhook(
  sql: Sql,
  actor: Actor,
  owner: WebhookOwner,
  id: string,
): Promise<boolean> {
  const rows = await sql`
    with changed as (
      update postel.webhooks w
      set status = 'disabled', deleted_at = now()
      where w.id = ${id} and ${owned(sql, owner)}
      returning w.id, w.endpoint as name
    ), ${audited(sql, actor, owner.organizationId, 'webhook.deleted', 'webhook')}
    select id from changed`
  return rows.length > 0
}

/** From now on it signs with this secret, and for `overlapHours` with the one before as well. */
export async function rotateWebhookSecret(
  sql: Sql,
  actor: Actor,
  owner: WebhookOwner,
  id: string,
  secret: Buffer,
  overlapHours: number,
): Promise<boolean> {
  const rows = await sql`
    with changed as (
      update postel.webhooks w
      set
        previous_secret = w.secret, previous_secret_until = now() + make_interval(hours => ${overlapHours}),
        secret = ${secret}
      where w.id = ${id} and ${owned(sql, owner)}
      returning w.id, w.endpoint as name
    ), ${audited(sql, actor, owner.organizationId, 'webhook.secret_rotated', 'webhook')}
    select id from changed`
  return rows.length > 0
}

/** An event of its own for a webhook that is enabled: it is sent like any other. Its id. */
export async function addTestEvent(
  sql: Sql,
  owner: WebhookOwner,
  id: string,
  event: { type: string; payload: string },
): Promise<string | undefined> {
  const [row] = await sql<{ id: string }[]>`
    with changed as (
      insert into postel.webhook_deliveries (webhook_id, type, payload, next_attempt_at)
      select w.id, ${event.type}, ${event.payload}, now()
      from postel.webhooks w
      where w.id = ${id} and w.status = 'enabled' and ${owned(sql, owner)}
      returning id
    ),
    ${woken(sql)}
    select c.id from changed c cross join woken`
  return row?.id
}

/** A page of what a webhook was or is to be told, newest first; undefined when the owner has no such webhook. */
export async function listWebhookEvents(
  sql: Sql,
  owner: WebhookOwner,
  webhookId: string,
  page: PageRequest,
): Promise<Page<WebhookEventSummary> | undefined> {
  if (!(await isOwned(sql, owner, webhookId))) return undefined
  const rows = await sql<WebhookEventSummary[]>`
    select d.id, d.type, d.created_at::text as "createdAt", ${status(sql)} as status
    from postel.webhooks w
    join postel.webhook_deliveries d on d.webhook_id = w.id
    where w.id = ${webhookId} and ${owned(sql, owner)} ${place(sql, sql`d.id`, page)}`
  return cutPage(rows, page)
}

export async function findWebhookEvent(
  sql: Sql,
  owner: WebhookOwner,
  webhookId: string,
  id: string,
): Promise<WebhookEventRow | undefined> {
  const [row] = await sql<WebhookEventRow[]>`
    select
      d.id, d.type, d.created_at::text as "createdAt", ${status(sql)} as status,
      d.next_attempt_at::text as "nextAttemptAt", d.payload
    from postel.webhooks w
    join postel.webhook_deliveries d on d.webhook_id = w.id
    where w.id = ${webhookId} and d.id = ${id} and ${owned(sql, owner)}`
  return row
}

/** A page of the attempts to tell it, newest first; undefined when there is no such event. */
export async function listWebhookAttempts(
  sql: Sql,
  owner: WebhookOwner,
  webhookId: string,
  id: string,
  page: PageRequest,
): Promise<Page<WebhookAttemptRow> | undefined> {
  if (!(await findWebhookEvent(sql, owner, webhookId, id))) return undefined
  const rows = await sql<WebhookAttemptRow[]>`
    select
      a.id, a.status_code as "statusCode", a.error, a.response_body as response, a.duration_ms as "durationMs",
      a.at::text as "sentAt"
    from postel.webhooks w
    join postel.webhook_deliveries d on d.webhook_id = w.id
    join postel.webhook_attempts a on a.delivery_id = d.id
    where w.id = ${webhookId} and d.id = ${id} and ${owned(sql, owner)} ${place(sql, sql`a.id`, page)}`
  return cutPage(rows, page)
}

/** Sends it again under the same id, with all its retries; false when there is no such event, or its webhook is disabled. */
export async function replayWebhookEvent(
  sql: Sql,
  actor: Actor,
  owner: WebhookOwner,
  webhookId: string,
  id: string,
): Promise<boolean> {
  const rows = await sql`
    with changed as (
      update postel.webhook_deliveries d
      set state = 'pending', attempts = 0, next_attempt_at = now()
      from postel.webhooks w
      where w.id = ${webhookId} and d.webhook_id = w.id and d.id = ${id} and w.status = 'enabled' and ${owned(sql, owner)}
      returning d.id, d.type as name
    ), ${audited(sql, actor, owner.organizationId, 'webhook.event_replayed', 'webhook_event')},
    ${woken(sql)}
    select c.id from changed c cross join woken`
  return rows.length > 0
}

async function isOwned(sql: Sql, owner: WebhookOwner, id: string): Promise<boolean> {
  const rows = await sql`select from postel.webhooks w where w.id = ${id} and ${owned(sql, owner)}`
  return rows.length > 0
}

function owned(sql: Sql, { organizationId, projectId }: WebhookOwner) {
  return sql`w.organization_id = ${organizationId} and w.deleted_at is null
    and (${projectId}::uuid is null or w.project_id = ${projectId}::uuid)`
}

/** The worker looks at once. */
function woken(sql: Sql) {
  return sql`woken as (
    select graphile_worker.add_job('webhooks', job_key := 'webhooks', max_attempts := 1) from changed
  )`
}

function status(sql: Sql) {
  return sql`case
    when d.state = 'delivered' then 'success'
    when d.state = 'failed' then 'failed'
    when d.attempts > 0 then 'attempting'
    else 'pending'
  end`
}

/** The end of a where, the order and the limit of a page. */
function place(sql: Sql, id: ReturnType<Sql>, page: PageRequest) {
  return sql`
    ${page.after ? sql`and ${id} < ${page.after}` : sql``}
    ${page.before ? sql`and ${id} > ${page.before}` : sql``}
    order by ${id} ${page.before ? sql`asc` : sql`desc`}
    limit ${page.limit + 1}`
}
