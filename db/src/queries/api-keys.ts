/** API keys, for those who manage them. What a key opens is in credentials.ts. */
import type { Sql } from '../client.ts'
import { type NewSecret, newSecret } from '../new-secret.ts'
import { type Actor, audited } from './audit.ts'
import type { Permission } from './credentials.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'

/** Whose keys: those of a project, of a whole organization (its projects' included), or with null those of the platform. */
export type KeyScope = { organizationId: string | null; projectId: string | null }

/** Times are texts in UTC with microseconds. */
export type ApiKeyRow = {
  id: string
  name: string
  prefix: string
  permission: Permission
  projectId: string | null
  domainId: string | null
  networks: string[] | null
  test: boolean
  createdAt: string
  expiresAt: string | null
  lastUsedAt: string | null
}

export type NewApiKey = {
  name: string
  permission: Permission
  domainId: string | null
  networks: readonly string[] | null
  test: boolean
  expiresAt: Date | null
}

/** What is undefined stays as it is. */
export type ApiKeyChanges = Partial<Omit<NewApiKey, 'test'>>

/**
 * Makes a key of the scope. Undefined when the project or the domain is none of the scope's. The secret is not kept
 * anywhere: it is known only from this answer.
 */
export async function createApiKey(
  sql: Sql,
  actor: Actor,
  { organizationId, projectId }: KeyScope,
  key: NewApiKey,
): Promise<{ id: string; secret: string } | undefined> {
  const { secret, prefix, hash }: NewSecret = newSecret(key.test ? 'pk_test_' : 'pk_live_')
  const { name, permission, domainId, networks, test, expiresAt } = key
  const details = {
    project_id: projectId,
    permission,
    domain_id: domainId,
    networks,
    test,
    expires_at: expiresAt,
  }
  const [row] = await sql<{ id: string }[]>`
    with changed as (
      insert into postel.api_keys (
        organization_id, project_id, name, prefix, hash, permission, domain_id, networks, test, expires_at
      )
      select
        ${organizationId}::uuid, ${projectId}::uuid, ${name}, ${prefix}, ${hash}, ${permission}, ${domainId}::uuid,
        ${asNetworks(sql, networks)}, ${test}::boolean, ${expiresAt}::timestamptz
      where (${projectId}::uuid is null or exists (
          select from postel.projects p
          where p.id = ${projectId}::uuid and p.organization_id = ${organizationId}::uuid and p.deleted_at is null
        ))
        and ${domainInScope(sql, { organizationId, projectId }, domainId)}
      returning id, name
    ), ${audited(sql, actor, organizationId, 'api_key.created', 'api_key', details)}
    select id from changed`
  return row && { id: row.id, secret }
}

/** A page of the keys that are not revoked, newest first. */
export async function listApiKeys(
  sql: Sql,
  scope: KeyScope,
  page: { limit: number } & Cursor,
): Promise<Page<ApiKeyRow>> {
  const rows = await sql<ApiKeyRow[]>`
    select
      k.id, k.name, k.prefix, k.permission, k.project_id as "projectId", k.domain_id as "domainId",
      k.networks::text[] as networks, k.test, k.created_at::text as "createdAt", k.expires_at::text as "expiresAt",
      k.last_used_at::text as "lastUsedAt"
    from postel.api_keys k
    where ${inScope(sql, scope)}
      ${page.after ? sql`and k.id < ${page.after}` : sql``}
      ${page.before ? sql`and k.id > ${page.before}` : sql``}
    order by k.id ${page.before ? sql`asc` : sql`desc`}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

/**
 * Changes a key; false when there is none in scope, or the domain is none of the key's. `anyRank`: also a key of the whole
 * organization with full access, and into one.
 */
export async function updateApiKey(
  sql: Sql,
  actor: Actor,
  scope: KeyScope,
  id: string,
  changes: ApiKeyChanges,
  anyRank: boolean,
): Promise<boolean> {
  const { name, permission, domainId, networks, expiresAt } = changes
  const details = { name, permission, domain_id: domainId, networks, expires_at: expiresAt }
  const rows = await sql`
    with changed as (
      update postel.api_keys k
      set
        name = coalesce(${name ?? null}, k.name),
        permission = coalesce(${permission ?? null}, k.permission),
        domain_id = case when ${domainId !== undefined}::boolean then ${domainId ?? null}::uuid else k.domain_id end,
        networks = case when ${networks !== undefined}::boolean
          then ${asNetworks(sql, networks ?? null)} else k.networks end,
        expires_at = case when ${expiresAt !== undefined}::boolean
          then ${expiresAt ?? null}::timestamptz else k.expires_at end
      where k.id = ${id} and ${inScope(sql, scope)} and ${ofRank(sql, anyRank)}
        and (${anyRank}::boolean or k.project_id is not null or ${permission !== 'full_access'}::boolean)
        and (${domainId ?? null}::uuid is null or exists (
          select from postel.domains d
          where d.id = ${domainId ?? null}::uuid and d.organization_id = k.organization_id
            and (d.project_id is null or k.project_id is null or d.project_id = k.project_id)
        ))
      returning k.id, k.name
    ), ${audited(sql, actor, scope.organizationId, 'api_key.updated', 'api_key', details)}
    select id from changed`
  return rows.length > 0
}

/** Revokes a key for good; false when there is none in scope. It is felt everywhere within credentialsTtlMs. */
export async function revokeApiKey(
  sql: Sql,
  actor: Actor,
  scope: KeyScope,
  id: string,
  anyRank: boolean,
): Promise<boolean> {
  const rows = await sql`
    with changed as (
      update postel.api_keys k set revoked_at = now()
      where k.id = ${id} and ${inScope(sql, scope)} and ${ofRank(sql, anyRank)}
      returning k.id, k.name
    ), ${audited(sql, actor, scope.organizationId, 'api_key.revoked', 'api_key')}
    select id from changed`
  return rows.length > 0
}

/** The id of a domain that keys of the scope may be limited to, by its id or name. */
export async function findDomainOfScope(
  sql: Sql,
  { organizationId, projectId }: KeyScope,
  domain: string,
): Promise<string | undefined> {
  const [row] = await sql<{ id: string }[]>`
    select d.id from postel.domains d
    where d.organization_id = ${organizationId} and (d.id::text = ${domain.toLowerCase()} or d.name = ${domain.toLowerCase()})
      and (d.project_id is null or ${projectId}::uuid is null or d.project_id = ${projectId}::uuid)
    limit 1`
  return row?.id
}

/** Bits behind a prefix are dropped, which a bare cast would refuse. */
function asNetworks(sql: Sql, networks: readonly string[] | null) {
  return networks === null
    ? sql`null::cidr[]`
    : sql`array(select network(n::inet) from unnest(${networks as string[]}::text[]) as n)`
}

function domainInScope(sql: Sql, { organizationId, projectId }: KeyScope, domainId: string | null) {
  return sql`(${domainId}::uuid is null or exists (
    select from postel.domains d
    where d.id = ${domainId}::uuid and d.organization_id = ${organizationId}::uuid
      and (d.project_id is null or ${projectId}::uuid is null or d.project_id = ${projectId}::uuid)
  ))`
}

function inScope(sql: Sql, { organizationId, projectId }: KeyScope) {
  return sql`k.organization_id is not distinct from ${organizationId}::uuid
    and (${projectId}::uuid is null or k.project_id = ${projectId}::uuid) and k.revoked_at is null`
}

/** Only admins touch what has the rights of an admin. */
function ofRank(sql: Sql, anyRank: boolean) {
  return sql`(${anyRank}::boolean or k.project_id is not null or k.permission = 'sending_access')`
}
