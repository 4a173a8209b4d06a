/** Templates: mail with variables. What is edited is the draft; what is sent is what was published last. */
import type postgres from 'postgres'
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'
import { type Cursor, cutPage, type Page, type Tenant } from './emails.ts'

export type TemplateVariable = {
  key: string
  type: 'string' | 'number'
  fallback_value: string | number | null
  created_at: string
  updated_at: string
}

/** What a message is made of. */
export type TemplateContent = {
  /** Another one after each change. */
  version: string
  from: string | null
  subject: string | null
  reply_to: string[] | null
  html: string
  text: string | null
  variables: TemplateVariable[]
}

/** Times are texts in UTC with microseconds. */
export type TemplateSummary = {
  id: string
  name: string
  alias: string | null
  status: 'draft' | 'published'
  createdAt: string
  updatedAt: string
  publishedAt: string | null
}

export type Template = TemplateSummary & {
  projectId: string
  draft: TemplateContent
  published: TemplateContent | null
}

/** Who changes it, for the audit log. */
type By = { tenant: Tenant; actor: Actor }

/** Rejects with a unique violation where the project has a template of this alias. */
export async function createTemplate(
  sql: Sql,
  { tenant, actor }: By & { tenant: { projectId: string } },
  template: { name: string; alias: string | null; draft: TemplateContent },
): Promise<string> {
  const { name, alias, draft } = template
  const [row] = await sql<{ id: string }[]>`
    with changed as (
      insert into postel.templates (organization_id, project_id, name, alias, draft)
      select p.organization_id, p.id, ${name}, ${alias}, ${JSON.stringify(draft)}::text::jsonb
      from postel.projects p
      where p.id = ${tenant.projectId} and p.organization_id = ${tenant.organizationId}
      returning id, name
    ), ${audited(sql, actor, tenant.organizationId, 'template.created', 'template')}
    select id from changed`
  return row!.id
}

/** By id or alias; of several projects' the newest of that alias. */
export async function findTemplate(
  sql: Sql,
  tenant: Tenant,
  idOrAlias: string,
): Promise<Template | undefined> {
  const [row] = await sql<Template[]>`
    select
      ${summaryColumns(sql)}, t.project_id as "projectId", t.draft, t.published
    from postel.templates t
    where ${ownedBy(sql, tenant)} and (t.id::text = lower(${idOrAlias}) or t.alias = ${idOrAlias})
    order by t.id::text = lower(${idOrAlias}) desc, t.id desc
    limit 1`
  return row
}

export async function listTemplates(
  sql: Sql,
  tenant: Tenant,
  page: { limit: number } & Cursor,
): Promise<Page<TemplateSummary>> {
  const rows = await sql<TemplateSummary[]>`
    select ${summaryColumns(sql)}
    from postel.templates t
    where ${ownedBy(sql, tenant)}
      ${page.after ? sql`and t.id < ${page.after}` : sql``}
      ${page.before ? sql`and t.id > ${page.before}` : sql``}
    order by t.id ${page.before ? sql`asc` : sql`desc`}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

/** Replaces the draft that had the version `former`; false where it has another by now. Rejects as createTemplate. */
export async function updateTemplate(
  sql: Sql,
  { tenant, actor }: By,
  id: string,
  change: { former: string; name: string; alias: string | null; draft: TemplateContent },
): Promise<boolean> {
  const { former, name, alias, draft } = change
  const rows = await sql`
    with changed as (
      update postel.templates t
      set name = ${name}, alias = ${alias}, draft = ${JSON.stringify(draft)}::text::jsonb, updated_at = now()
      where t.id = ${id} and ${ownedBy(sql, tenant)} and t.draft ->> 'version' = ${former}
      returning t.id, t.name
    ), ${audited(sql, actor, tenant.organizationId, 'template.updated', 'template')}
    select id from changed`
  return rows.length > 0
}

/** From now on the draft is what is sent; false where there is no such template. */
export async function publishTemplate(sql: Sql, { tenant, actor }: By, id: string): Promise<boolean> {
  const rows = await sql`
    with changed as (
      update postel.templates t
      set published = t.draft, status = 'published', published_at = now(), updated_at = now()
      where t.id = ${id} and ${ownedBy(sql, tenant)}
      returning t.id, t.name
    ), ${audited(sql, actor, tenant.organizationId, 'template.published', 'template')}
    select id from changed`
  return rows.length > 0
}

export async function deleteTemplate(sql: Sql, { tenant, actor }: By, id: string): Promise<boolean> {
  const rows = await sql`
    with changed as (
      delete from postel.templates t where t.id = ${id} and ${ownedBy(sql, tenant)} returning t.id, t.name
    ), ${audited(sql, actor, tenant.organizationId, 'template.deleted', 'template')}
    select id from changed`
  return rows.length > 0
}

function ownedBy(sql: Sql, { organizationId, projectId }: Tenant): postgres.Fragment {
  return sql`t.organization_id = ${organizationId} ${projectId === null ? sql`` : sql`and t.project_id = ${projectId}`}`
}

function summaryColumns(sql: Sql): postgres.Fragment {
  return sql`
    t.id, t.name, t.alias, t.status, t.created_at::text as "createdAt", t.updated_at::text as "updatedAt",
    t.published_at::text as "publishedAt"`
}
