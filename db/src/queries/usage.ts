/** What was accepted, by project and day, and what of the month's quota that used. */
import type { Sql } from '../client.ts'

export type UsageRow = {
  /** `YYYY-MM-DD`, UTC. */
  day: string
  projectId: string
  projectName: string
  messages: number
  recipients: number
}

export type MonthUsage = {
  /** Null: no limit. */
  quota: number | null
  /** Recipients of the whole organization, as of now. */
  used: number
  days: UsageRow[]
}

/** Of a month (its first day), newest day first. With a project the days are of that alone; the quota is the organization's. */
export async function readUsage(
  sql: Sql,
  { organizationId, projectId }: { organizationId: string; projectId: string | null },
  month: string,
): Promise<MonthUsage> {
  const [row] = await sql<{ quota: number | null; used: number; days: UsageRow[] | null }[]>`
    select
      coalesce(o.monthly_recipients, l.monthly_recipients)::float8 as quota,
      coalesce(
        (
          select m.used + (
            select coalesce(sum(u.recipients), 0) from postel.quota_uses u
            where u.organization_id = o.id and u.at >= ${month}::date and u.at < ${month}::date + interval '1 month'
          )
          from postel.quota_months m
          where m.organization_id = o.id and m.month = ${month}::date
            and coalesce(o.monthly_recipients, l.monthly_recipients) is not null
        ),
        postel.usage_of(o.id, ${month}::date)
      )::float8 as used,
      (
        select json_agg(json_build_object(
          'day', u.day, 'projectId', u.project_id, 'projectName', p.name, 'messages', u.messages, 'recipients', u.recipients
        ) order by u.day desc, u.recipients desc, u.project_id)
        from postel.usage u
        join postel.projects p on p.id = u.project_id and p.organization_id = u.organization_id
        where u.organization_id = o.id and u.day >= ${month}::date and u.day < ${month}::date + interval '1 month'
          and (${projectId}::uuid is null or u.project_id = ${projectId}::uuid)
      ) as days
    from postel.organizations o
    left join postel.plans l on l.id = o.plan_id
    where o.id = ${organizationId}`
  if (!row) throw new Error(`no organization ${organizationId}`)
  return { ...row, days: row.days ?? [] }
}

/** What the worker asks for. */
export class UsageQueries {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Counts what was accepted, as far as `until`; see postel.usage_count. */
  async count(until: string): Promise<void> {
    for (let reached = ''; reached < until; ) {
      const [row] = await this.#sql<
        { reached: string }[]
      >`select postel.usage_count(${until}::uuid) as reached`
      reached = row!.reached
    }
  }

  /** Warns organizations that have nearly used, or used, their month; returns how many. See postel.quota_check. */
  async warn(): Promise<number> {
    const due = await this.#sql<{ id: string }[]>`select d as id from postel.quota_due() as d`
    let warned = 0
    for (const { id } of due) {
      const [row] = await this.#sql<
        { percent: number | null }[]
      >`select postel.quota_check(${id}::uuid) as percent`
      if (row!.percent !== null) warned++
    }
    return warned
  }
}
