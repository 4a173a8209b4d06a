/** Projects, for those who manage them. */
import type postgres from 'postgres'
import type { Sql } from '../client.ts'
import { isDuplicate } from '../errors.ts'
import { type Actor, audited } from './audit.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'
import { requester } from './queue.ts'

/** Whose projects: an organization's, or only the one that the caller acts in. */
export type ProjectScope = { organizationId: string; projectId: string | null }

export type ProjectSettings = {
  name: string
  /** Of the pool that its mail leaves from. */
  pool: string
  retryScheduleSeconds: number[] | null
  expireAfterSeconds: number
  priority: number
  tls: 'opportunistic' | 'enforced'
  reports: 'never' | 'asked' | 'failures'
  delayNoticeAfterSeconds: number | null
  retentionDays: number | null
  bodyRetentionDays: number | null
  unsubscribe: boolean
  recipientsPerSecond: number | null
}

export type ProjectRow = ProjectSettings & { id: string; createdAt: string }

/** What is undefined stays as it is; in a new project, as the table has it. */
export type ProjectChanges = { [Key in keyof ProjectSettings]?: ProjectSettings[Key] | undefined }

/** `duplicate`: the organization has a project of this name. */
export type ProjectOutcome = { id: string } | 'duplicate' | 'no pool' | undefined

/**
 * Makes a project. Its pool is the default one, or one that a project of the organization uses; with `anyPool` any.
 * Undefined when there is no such organization.
 */
export async function createProject(
  sql: Sql,
  actor: Actor,
  organizationId: string,
  settings: ProjectChanges & { name: string },
  anyPool: boolean,
): Promise<ProjectOutcome> {
  const poolId = await findPool(sql, organizationId, settings.pool, anyPool)
  if (poolId === undefined) return 'no pool'
  const columns = Object.entries({ pool_id: poolId, ...columnsOf(settings) })
  const names = columns.map(([name]) => sql`${sql(name)}`)
  const values = columns.map(([name, value]) => parameter(sql, name, value))
  try {
    const [row] = await sql<{ id: string }[]>`
      with changed as (
        insert into postel.projects (organization_id, ${listed(sql, names)})
        select o.id, ${listed(sql, values)}
        from postel.organizations o where o.id = ${organizationId}
        returning id, name
      ), ${audited(sql, actor, organizationId, 'project.created', 'project', detailsOf(settings))}
      select id from changed`
    return row
  } catch (error) {
    if (isDuplicate(error)) return 'duplicate'
    throw error
  }
}

/** Changes a project; undefined when there is none in scope. About the pool see createProject. */
export async function updateProject(
  sql: Sql,
  actor: Actor,
  scope: ProjectScope,
  id: string,
  changes: ProjectChanges,
  anyPool: boolean,
): Promise<ProjectOutcome> {
  const { organizationId } = scope
  const columns: Record<string, unknown> = columnsOf(changes)
  if (changes.pool !== undefined) {
    const poolId = await findPool(sql, organizationId, changes.pool, anyPool)
    if (poolId === undefined) return 'no pool'
    columns.pool_id = poolId
  }
  const sets = Object.entries(columns).map(
    ([name, value]) => sql`${sql(name)} = ${parameter(sql, name, value)}`,
  )
  try {
    const [row] = await sql<{ id: string }[]>`
      with changed as (
        update postel.projects p
        set ${listed(sql, [sql`created_at = p.created_at`, ...sets])}
        where p.id = ${id} and ${inScope(sql, scope)}
        returning p.id, p.name
      ), ${audited(sql, actor, organizationId, 'project.updated', 'project', detailsOf(changes))}
      select id from changed`
    return row
  } catch (error) {
    if (isDuplicate(error)) return 'duplicate'
    throw error
  }
}

/**
 * Deletes a project: its keys and webhooks are dead, no mail is taken for it any more, and what waits is cancelled (much of it by the
 * worker, soon after). What was sent stays on record. Gives how many recipients are cancelled; undefined when there is no
 * such project in scope.
 */
export async function deleteProject(
  sql: Sql,
  actor: Actor,
  scope: ProjectScope,
  id: string,
): Promise<{ cancelled: number } | undefined> {
  const [row] = await sql<{ cancelled: number }[]>`
    with ${requester(sql, actor)},
    changed as (
      update postel.projects p set deleted_at = now()
      where p.id = ${id} and ${inScope(sql, scope)}
      returning p.id, p.name
    ), ${audited(sql, actor, scope.organizationId, 'project.deleted', 'project')},
    keys as (
      update postel.api_keys k set revoked_at = now() from changed c where k.project_id = c.id and k.revoked_at is null
    ),
    webhooks as (
      update postel.webhooks w set deleted_at = now() from changed c where w.project_id = c.id and w.deleted_at is null
    ),
    passwords as (
      update postel.smtp_credentials s set revoked_at = now() from changed c
      where s.project_id = c.id and s.revoked_at is null
    )
    select
      postel.start_operation(
        'cancel', jsonb_build_object('project_id', c.id), postel.signed_reason('the project was deleted')
      )::float8 as cancelled
    from changed c cross join requester`
  return row
}

/** A page of the projects, newest first. */
export async function listProjects(
  sql: Sql,
  scope: ProjectScope,
  page: { limit: number } & Cursor,
): Promise<Page<ProjectRow>> {
  const rows = await sql<ProjectRow[]>`
    ${select(sql)}
    where ${inScope(sql, scope)}
      ${page.after ? sql`and p.id < ${page.after}` : sql``}
      ${page.before ? sql`and p.id > ${page.before}` : sql``}
    order by p.id ${page.before ? sql`asc` : sql`desc`}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

export async function findProject(
  sql: Sql,
  scope: ProjectScope,
  id: string,
): Promise<ProjectRow | undefined> {
  const [row] = await sql<ProjectRow[]>`${select(sql)} where p.id = ${id} and ${inScope(sql, scope)}`
  return row
}

function select(sql: Sql) {
  return sql`
    select
      p.id, p.name, l.name as pool, p.retry_schedule_seconds as "retryScheduleSeconds",
      p.expire_after_seconds as "expireAfterSeconds", p.priority::int as priority, p.tls, p.reports,
      p.delay_notice_after_seconds as "delayNoticeAfterSeconds", p.retention_days as "retentionDays",
      p.body_retention_days as "bodyRetentionDays", p.unsubscribe, p.recipients_per_second as "recipientsPerSecond",
      p.created_at::text as "createdAt"
    from postel.projects p
    join postel.ip_pools l on l.id = p.pool_id`
}

function inScope(sql: Sql, { organizationId, projectId }: ProjectScope) {
  return sql`p.organization_id = ${organizationId} and (${projectId}::uuid is null or p.id = ${projectId}::uuid)
    and p.deleted_at is null`
}

async function findPool(
  sql: Sql,
  organizationId: string,
  name: string | undefined,
  anyPool: boolean,
): Promise<number | undefined> {
  const [row] = await sql<{ id: number }[]>`
    select l.id from postel.ip_pools l
    where ${name === undefined ? sql`l.is_default` : sql`l.name = ${name}`}
      and (${anyPool}::boolean or l.is_default or exists (
        select from postel.projects p
        where p.pool_id = l.id and p.organization_id = ${organizationId} and p.deleted_at is null
      ))`
  return row?.id
}

/** The columns that were given, but for the pool. */
function columnsOf(settings: ProjectChanges): Record<string, unknown> {
  const columns = {
    name: settings.name,
    retry_schedule_seconds: settings.retryScheduleSeconds,
    expire_after_seconds: settings.expireAfterSeconds,
    priority: settings.priority,
    tls: settings.tls,
    reports: settings.reports,
    delay_notice_after_seconds: settings.delayNoticeAfterSeconds,
    retention_days: settings.retentionDays,
    body_retention_days: settings.bodyRetentionDays,
    unsubscribe: settings.unsubscribe,
    recipients_per_second: settings.recipientsPerSecond,
  }
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined))
}

function detailsOf(settings: ProjectChanges): Record<string, unknown> {
  return { ...columnsOf(settings), ...(settings.pool !== undefined && { pool: settings.pool }) }
}

function listed(sql: Sql, items: postgres.Fragment[]): postgres.Fragment {
  return items.reduce((all, one) => sql`${all}, ${one}`)
}

/** Types that Postgres would not find out by itself in a select list. */
const types: Record<string, string> = {
  retry_schedule_seconds: 'int[]',
  name: 'text',
  tls: 'text',
  reports: 'text',
  unsubscribe: 'boolean',
  priority: 'smallint',
}

function parameter(sql: Sql, name: string, value: unknown) {
  return sql`${value as string}::${sql.unsafe(types[name] ?? 'int')}`
}
