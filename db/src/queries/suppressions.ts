/** The suppression lists: of an organization, and of each of its projects. */
import type postgres from 'postgres'
import type { Sql } from '../client.ts'
import type { Actor } from './audit.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'
import { advance, readFrom } from './event-cursors.ts'

export const suppressionOrigins = ['bounce', 'complaint', 'unsubscribe', 'manual', 'import'] as const
export type SuppressionOrigin = (typeof suppressionOrigins)[number]

/** Times are texts in UTC with microseconds. */
export type Suppression = {
  id: string
  email: string
  origin: SuppressionOrigin
  sourceId: string | null
  createdAt: string
  /** Null: it holds for every project of the organization. */
  projectId: string | null
  reason: string | null
  expiresAt: string | null
}

/**
 * What a caller sees: with a project, its list and that of the whole organization; without, all of the organization.
 */
export type SuppressionScope = { organizationId: string; projectId: string | null }

export type NewSuppression = {
  /** As suppressionAddress() gives it. */
  address: string
  origin: SuppressionOrigin
  reason?: string | null | undefined
  expiresAt?: string | null | undefined
}

export type SuppressionFilter = { origin?: SuppressionOrigin | undefined; search?: string | undefined }

/** Puts addresses on a list, for which see postel.suppress_addresses; their ids in the order given. */
export async function addSuppressions(
  sql: Sql,
  { organizationId, projectId }: SuppressionScope,
  entries: readonly NewSuppression[],
  actor: Actor,
  options: { isImport?: boolean } = {},
): Promise<{ ids: string[]; added: number }> {
  const json = JSON.stringify(
    entries.map(({ address, origin, reason, expiresAt }) => ({
      address,
      origin,
      reason: reason ?? null,
      expires_at: expiresAt ?? null,
    })),
  )
  const [row] = await sql<{ ids: string[]; added: number }[]>`
    select s.ids::text[] as ids, s.added
    from postel.suppress_addresses(
      ${organizationId}, ${projectId}::uuid, ${json}::text::json, ${JSON.stringify(actor)}::text::json,
      ${options.isImport ?? false}
    ) as s`
  return row!
}

/** Takes them off the list, for which see postel.suppress_lift. Addresses as suppressionAddress() gives them. */
export async function liftSuppressions(
  sql: Sql,
  { organizationId, projectId }: SuppressionScope,
  which: { ids?: readonly string[]; addresses?: readonly string[] },
  actor: Actor,
): Promise<{ id: string; address: string }[]> {
  return sql<{ id: string; address: string }[]>`
    select l.id, l.address
    from postel.suppress_lift(
      ${organizationId}, ${projectId}::uuid, ${[...(which.ids ?? [])]}::uuid[],
      postel.lower_all(${[...(which.addresses ?? [])]}::text[]), ${JSON.stringify(actor)}::text::json
    ) as l`
}

/** Those of these ids and addresses, also erased ones, that are in force and that the caller sees, its project's own first. */
export async function findSuppressions(
  sql: Sql,
  scope: SuppressionScope,
  which: { ids?: readonly string[]; addresses?: readonly string[] },
): Promise<Suppression[]> {
  const addresses = [...(which.addresses ?? [])]
  return sql<Suppression[]>`
    select ${columns(sql)}
    from postel.suppressions s
    where s.organization_id = ${scope.organizationId}
      and (${scope.projectId}::uuid is null or s.project_id = ${scope.projectId} or s.project_id is null)
      and (
        s.id = any (${[...(which.ids ?? [])]}::uuid[])
        or s.address = any (postel.lower_all(${addresses}::text[]))
        or s.address = any (array(select postel.address_hash(a) from unnest(${addresses}::text[]) as a))
      )
      and ${inForce(sql)}
    order by
      (s.project_id is null) = ${scope.projectId !== null}, s.id desc`
}

/** A page of what the caller sees, newest first. */
export async function listSuppressions(
  sql: Sql,
  scope: SuppressionScope,
  filter: SuppressionFilter,
  page: { limit: number } & Cursor,
): Promise<Page<Suppression>> {
  const order = page.before ? sql`asc` : sql`desc`
  // A list at a time, each along its index
  const part = (list: postgres.Fragment) => sql`
    (
      select * from postel.suppressions s
      where s.organization_id = ${scope.organizationId} and ${list} and ${inForce(sql)}
        ${filter.origin ? sql`and s.origin = ${filter.origin}` : sql``}
        ${filter.search ? sql`and position(lower(${filter.search}) in s.address) > 0` : sql``}
        ${page.after ? sql`and s.id < ${page.after}` : sql``}
        ${page.before ? sql`and s.id > ${page.before}` : sql``}
      order by s.id ${order}
      limit ${page.limit + 1}
    )`
  const lists =
    scope.projectId === null
      ? part(sql`true`)
      : sql`${part(sql`s.project_id = ${scope.projectId}`)} union all ${part(sql`s.project_id is null`)}`
  const rows = await sql<Suppression[]>`
    select ${columns(sql)}
    from (${lists}) as s
    order by s.id ${order}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

/** The project of this name or id; undefined when the organization has none, or several of this name. */
export async function findProject(
  sql: Sql,
  organizationId: string,
  project: string,
): Promise<string | undefined> {
  const rows = await sql<{ id: string }[]>`
    select p.id from postel.projects p
    where p.organization_id = ${organizationId} and (p.id::text = lower(${project}) or p.name = ${project})
      and p.deleted_at is null
    limit 2`
  return rows.length === 1 ? rows[0]!.id : undefined
}

/** `suppressions`: all before it is done. `suppressions_ahead`: read as far as that, but older events may still appear. */
export type SuppressionCursor = 'suppressions' | 'suppressions_ahead'

/** What the worker's task asks. */
export class SuppressionQueries {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** See event-cursors.ts. */
  readFrom(cursor: SuppressionCursor): Promise<string> {
    return readFrom(this.#sql, 'suppressions', cursor)
  }

  /** Moves a cursor on, never back. */
  advance(cursor: SuppressionCursor, lastEventId: string): Promise<void> {
    return advance(this.#sql, cursor, lastEventId)
  }

  /** See postel.suppress_from_events. */
  async readEvents(
    after: string,
    until: string,
    limit: number,
  ): Promise<{ lastId: string; read: number; added: number }> {
    const [row] = await this.#sql<{ lastId: string; read: number; added: number }[]>`
      select s.last_id as "lastId", s.read, s.added
      from postel.suppress_from_events(${after}, ${until}, ${limit}) as s`
    return row!
  }

  /** Forgets what has been over for a week. */
  async forget(): Promise<void> {
    await this.#sql`delete from postel.suppressions where expires_at < now() - interval '7 days'`
  }

  /** Asks for the next run of the task; one asked for before is replaced. */
  async runAgain(seconds: number): Promise<void> {
    await this.#sql`
      select graphile_worker.add_job(
        'suppressions', run_at := now() + make_interval(secs => ${seconds}), job_key := 'suppressions',
        max_attempts := 1
      )`
  }
}

function columns(sql: Sql): postgres.Fragment {
  return sql`
    s.id, s.address as email, s.origin, s.message_id as "sourceId", s.project_id as "projectId", s.reason,
    ${text(sql, sql`s.created_at`)} as "createdAt", ${text(sql, sql`s.expires_at`)} as "expiresAt"`
}

function text(sql: Sql, instant: postgres.Fragment): postgres.Fragment {
  return sql`to_char(${instant} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'`
}

function inForce(sql: Sql): postgres.Fragment {
  return sql`(s.expires_at is null or s.expires_at > now())`
}
