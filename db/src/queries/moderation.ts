/** Moderation: what organizations may do, set by operators and by how their mail ends. */
import type { Sql } from '../client.ts'
import type { Actor } from './audit.ts'
import type { OrganizationStatus } from './credentials.ts'

export type Moderation = {
  id: string
  status: OrganizationStatus
  reason: string | null
  /** When the status last changed; a text in UTC with microseconds. */
  since: string | null
  trusted: boolean
  /** How its mail of the last day ended, as far as that decides. */
  recipients: number
  invalid: number
  complained: number
}

/** When automatic moderation stops an organization; see postel.moderate_poor_rates. */
export type Thresholds = {
  hours: number
  recipients: number
  invalidPercent: number
  complaintPercent: number
}

export async function findModeration(sql: Sql, organizationId: string): Promise<Moderation | undefined> {
  const [row] = await sql<Moderation[]>`
    select
      o.id, o.status, o.status_reason as reason, o.trusted,
      to_char(o.status_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as since,
      coalesce(r.recipients, 0)::float8 as recipients, coalesce(r.invalid, 0)::float8 as invalid,
      coalesce(r.complained, 0)::float8 as complained
    from postel.organizations o
    cross join lateral (
      select sum(r.delivered + r.bounced) as recipients, sum(r.invalid) as invalid, sum(r.complained) as complained
      from postel.delivery_rates r
      where r.organization_id = o.id and r.period > now() - interval '1 day'
    ) as r
    where o.id = ${organizationId}`
  return row
}

/**
 * Stops an organization or lets it go on, and holds or releases its mail, in the background where it is much. False when
 * there is no such organization. See postel.moderate_organization.
 */
export async function moderate(
  sql: Sql,
  actor: Actor,
  organizationId: string,
  status: OrganizationStatus,
  reason: string | null,
): Promise<boolean> {
  const [row] = await sql<{ former: string | null }[]>`
    select postel.moderate_organization(
      ${organizationId}, ${status}, ${reason}, ${JSON.stringify(actor)}::text::json
    ) as former`
  if (row!.former === null) return false
  // A transaction of its own, that sees what was accepted until the status was there
  await sql`select postel.moderate_mail(${organizationId})`
  return true
}

/** What the worker asks for. */
export class ModerationQueries {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Counts how mail ended, as far as `until`; see postel.delivery_counts. */
  async count(until: string): Promise<void> {
    for (let reached = ''; reached < until; ) {
      const [row] = await this.#sql<{ reached: string }[]>`
        select postel.delivery_counts(${until}::uuid) as reached`
      reached = row!.reached
    }
  }

  /** Stops organizations whose mail ends badly; returns whom. */
  async stopPoor({ hours, recipients, invalidPercent, complaintPercent }: Thresholds): Promise<string[]> {
    const rows = await this.#sql<{ id: string }[]>`
      select s as id
      from postel.moderate_poor_rates(${hours}, ${recipients}, ${invalidPercent}, ${complaintPercent}) as s`
    return rows.map(({ id }) => id)
  }

  /** Lets mail follow the status of its organization, where it does not yet. */
  async enforce(): Promise<void> {
    const rows = await this.#sql<{ id: string }[]>`select d as id from postel.moderation_due() as d`
    for (const { id } of rows) await this.#sql`select postel.moderate_mail(${id}::uuid)`
  }
}
