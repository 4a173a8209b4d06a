/** Plans, and what of them, or instead of them, an organization has; for the platform's operators. */
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'

/** A null limit is no limit. */
export type Limits = { monthlyRecipients: number | null; recipientsPerSecond: number | null }

export type PlanRow = Limits & { id: string; name: string; organizations: number; createdAt: string }

/** What is left out stays as it is. */
export type LimitsChange = { [Key in keyof Limits]?: Limits[Key] | undefined }
export type PlanChange = LimitsChange & { name?: string | undefined }

/** An organization's own limits come before its plan's; `effective` is what holds. */
export type OrganizationLimits = Limits & {
  id: string
  planId: string | null
  trusted: boolean
  effective: Limits
}

export type OrganizationLimitsChange = LimitsChange & {
  planId?: string | null | undefined
  trusted?: boolean | undefined
}

export async function listPlans(sql: Sql, page: { limit: number } & Cursor): Promise<Page<PlanRow>> {
  const order = page.before ? sql`asc` : sql`desc`
  const rows = await sql<PlanRow[]>`
    select ${columns(sql)}
    from postel.plans l
    where true
      ${page.after ? sql`and l.id < ${page.after}::uuid` : sql``}
      ${page.before ? sql`and l.id > ${page.before}::uuid` : sql``}
    order by l.id ${order}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

export async function findPlan(sql: Sql, id: string): Promise<PlanRow | undefined> {
  const [row] = await sql<PlanRow[]>`select ${columns(sql)} from postel.plans l where l.id = ${id}`
  return row
}

/** The new plan's id. A name that is taken is a duplicate. */
export async function createPlan(sql: Sql, actor: Actor, plan: Limits & { name: string }): Promise<string> {
  const [row] = await sql<{ id: string }[]>`
    with changed as (
      insert into postel.plans (name, monthly_recipients, recipients_per_second)
      values (${plan.name}, ${plan.monthlyRecipients}, ${plan.recipientsPerSecond})
      returning id, name
    ), ${audited(sql, actor, null, 'plan.created', 'plan', plan)}
    select id from changed`
  return row!.id
}

/** False when there is none of this id. */
export async function changePlan(sql: Sql, actor: Actor, id: string, change: PlanChange): Promise<boolean> {
  const { name, monthlyRecipients, recipientsPerSecond } = change
  const rows = await sql`
    with changed as (
      update postel.plans l
      set
        name = ${name === undefined ? sql`l.name` : name},
        monthly_recipients = ${monthlyRecipients === undefined ? sql`l.monthly_recipients` : monthlyRecipients},
        recipients_per_second = ${recipientsPerSecond === undefined ? sql`l.recipients_per_second` : recipientsPerSecond}
      where l.id = ${id}
      returning l.id, l.name
    ), ${audited(sql, actor, null, 'plan.updated', 'plan', change)}
    select id from changed`
  return rows.length > 0
}

/** False when there is none of this id. A plan that an organization has is referenced. */
export async function deletePlan(sql: Sql, actor: Actor, id: string): Promise<boolean> {
  const rows = await sql`
    with changed as (
      delete from postel.plans l where l.id = ${id} returning l.id, l.name
    ), ${audited(sql, actor, null, 'plan.deleted', 'plan')}
    select id from changed`
  return rows.length > 0
}

export async function findLimits(sql: Sql, organizationId: string): Promise<OrganizationLimits | undefined> {
  const [row] = await sql<
    (Omit<OrganizationLimits, 'effective'> & { planMonthly: number | null; planPerSecond: number | null })[]
  >`
    select
      o.id, o.plan_id as "planId", o.trusted, o.monthly_recipients::float8 as "monthlyRecipients",
      o.recipients_per_second as "recipientsPerSecond", l.monthly_recipients::float8 as "planMonthly",
      l.recipients_per_second as "planPerSecond"
    from postel.organizations o
    left join postel.plans l on l.id = o.plan_id
    where o.id = ${organizationId}`
  if (!row) return
  const { planMonthly, planPerSecond, ...own } = row
  return {
    ...own,
    effective: {
      monthlyRecipients: own.monthlyRecipients ?? planMonthly,
      recipientsPerSecond: own.recipientsPerSecond ?? planPerSecond,
    },
  }
}

/** False when there is no such organization. A plan that is not there is referenced. */
export async function changeLimits(
  sql: Sql,
  actor: Actor,
  organizationId: string,
  change: OrganizationLimitsChange,
): Promise<boolean> {
  const { planId, trusted, monthlyRecipients, recipientsPerSecond } = change
  const rows = await sql`
    with changed as (
      update postel.organizations o
      set
        plan_id = ${planId === undefined ? sql`o.plan_id` : planId},
        trusted = ${trusted === undefined ? sql`o.trusted` : trusted},
        monthly_recipients = ${monthlyRecipients === undefined ? sql`o.monthly_recipients` : monthlyRecipients},
        recipients_per_second = ${recipientsPerSecond === undefined ? sql`o.recipients_per_second` : recipientsPerSecond}
      where o.id = ${organizationId}
      returning o.id, o.name
    ), ${audited(sql, actor, organizationId, 'organization.limits_changed', 'organization', change)}
    select id from changed`
  return rows.length > 0
}

function columns(sql: Sql) {
  return sql`
    l.id, l.name, l.monthly_recipients::float8 as "monthlyRecipients", l.recipients_per_second as "recipientsPerSecond",
    to_char(l.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as "createdAt",
    (select count(*)::int from postel.organizations o where o.plan_id = l.id) as organizations`
}
