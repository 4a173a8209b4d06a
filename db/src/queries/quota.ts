/** What the processes that accept mail ask of Postgres about limits: what they are, blocks of quota, shares of rates. */
import type { Sql } from '../client.ts'
import type { OrganizationStatus } from './credentials.ts'

/** What holds for the mail of a project. A null limit is no limit. */
export type ProjectLimits = {
  projectId: string
  status: OrganizationStatus
  statusReason: string | null
  /** Recipients of a calendar month (UTC), of the whole organization. */
  monthlyRecipients: number | null
  /** Recipients a second. */
  recipientsPerSecond: number | null
  /** Of one key, whose mail may be of several projects. */
  keyRecipientsPerSecond: number | null
}

/** A block of quota; `block` and `granted` are null where the organization has none, `block` where nothing is left. */
export type Reserved = {
  block: string | null
  granted: number | null
  seconds: number | null
  quota: number | null
}

/** `back`: recipients that it will not use. `close`: it is done with the block. */
export type Renewal = { id: string; back: number; close: boolean }

export class QuotaQueries {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Projects that are not there are missing. */
  async limits(projectIds: readonly string[]): Promise<ProjectLimits[]> {
    return this.#sql<ProjectLimits[]>`
      select
        p.id as "projectId", o.status, o.status_reason as "statusReason",
        coalesce(o.monthly_recipients, l.monthly_recipients)::float8 as "monthlyRecipients",
        coalesce(p.recipients_per_second, o.recipients_per_second, l.recipients_per_second) as "recipientsPerSecond",
        case when coalesce(o.recipients_per_second, l.recipients_per_second) is not null then
          greatest(p.recipients_per_second, coalesce(o.recipients_per_second, l.recipients_per_second))
        end as "keyRecipientsPerSecond"
      from postel.projects p
      join postel.organizations o on o.id = p.organization_id
      left join postel.plans l on l.id = o.plan_id
      where p.id = any (${projectIds as string[]}::uuid[])`
  }

  /** See postel.quota_reserve. */
  async reserve(
    organizationId: string,
    process: string,
    block: string | null,
    need: number,
    spare: number,
  ): Promise<Reserved> {
    const [row] = await this.#sql<Reserved[]>`
      select r.block, r.granted::float8 as granted, r.seconds, r.quota::float8 as quota
      from postel.quota_reserve(${organizationId}, ${process}, ${block}, ${need}, ${spare}) as r`
    return row!
  }

  /** The blocks that live on, each for how many seconds; see postel.quota_renew. */
  async renew(process: string, blocks: readonly Renewal[]): Promise<{ block: string; seconds: number }[]> {
    return this.#sql<{ block: string; seconds: number }[]>`
      select r.block, r.seconds
      from postel.quota_renew(${process}, ${JSON.stringify(blocks)}::text::jsonb) as r`
  }

  /** How many processes use the rate of each project and key; see postel.rate_shares. */
  async shares(
    process: string,
    ownerIds: readonly string[],
  ): Promise<{ ownerId: string; processes: number }[]> {
    return this.#sql<{ ownerId: string; processes: number }[]>`
      select r.owner_id as "ownerId", r.processes
      from postel.rate_shares(${process}, ${ownerIds as string[]}::uuid[]) as r`
  }
}
