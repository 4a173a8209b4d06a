/** SMTP passwords and trusted networks, for those who manage them. What they open is in credentials.ts. */
import type { Sql } from '../client.ts'
import { newSecret } from '../new-secret.ts'
import { type Actor, audited } from './audit.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'

type Scope = { organizationId: string; projectId: string | null }

/** Times are texts in UTC with microseconds. */
export type SmtpCredentialRow = {
  id: string
  name: string
  projectId: string
  /** How the password begins; null for a network. */
  prefix: string | null
  network: string | null
  test: boolean
  createdAt: string
  expiresAt: string | null
  lastUsedAt: string | null
}

export type NewSmtpCredential = {
  name: string
  /** A network whose clients need no password; null: a password is made. */
  network: string | null
  test: boolean
  expiresAt: Date | null
}

/** Makes one for a project. The password is known only from this answer. Undefined when the organization has no such project. */
export async function createSmtpCredential(
  sql: Sql,
  actor: Actor,
  { organizationId, projectId }: { organizationId: string; projectId: string },
  { name, network, test, expiresAt }: NewSmtpCredential,
): Promise<{ id: string; password: string | null } | undefined> {
  const made = network === null ? newSecret(test ? 'sp_test_' : 'sp_live_') : undefined
  const details = { project_id: projectId, network, test, expires_at: expiresAt }
  const [row] = await sql<{ id: string }[]>`
    with changed as (
      insert into postel.smtp_credentials (
        organization_id, project_id, name, prefix, hash, network, test, expires_at
      )
      select
        p.organization_id, p.id, ${name}, ${made?.prefix ?? null}, ${made?.hash ?? null}::bytea,
        network(${network}::inet), ${test}::boolean, ${expiresAt}::timestamptz
      from postel.projects p
      where p.id = ${projectId} and p.organization_id = ${organizationId} and p.deleted_at is null
      returning id, name
    ), ${audited(sql, actor, organizationId, 'smtp_credential.created', 'smtp_credential', details)}
    select id from changed`
  return row && { id: row.id, password: made?.secret ?? null }
}

/** A page of those that are not revoked, newest first. */
export async function listSmtpCredentials(
  sql: Sql,
  scope: Scope,
  page: { limit: number } & Cursor,
): Promise<Page<SmtpCredentialRow>> {
  const rows = await sql<SmtpCredentialRow[]>`
    select
      c.id, c.name, c.project_id as "projectId", c.prefix, c.network::text as network, c.test,
      c.created_at::text as "createdAt", c.expires_at::text as "expiresAt", c.last_used_at::text as "lastUsedAt"
    from postel.smtp_credentials c
    where ${inScope(sql, scope)}
      ${page.after ? sql`and c.id < ${page.after}` : sql``}
      ${page.before ? sql`and c.id > ${page.before}` : sql``}
    order by c.id ${page.before ? sql`asc` : sql`desc`}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

/** Revokes it for good; false when there is none in scope. Felt everywhere within credentialsTtlMs. */
export async function revokeSmtpCredential(
  sql: Sql,
  actor: Actor,
  scope: Scope,
  id: string,
): Promise<boolean> {
  const rows = await sql`
    with changed as (
      update postel.smtp_credentials c set revoked_at = now()
      where c.id = ${id} and ${inScope(sql, scope)}
      returning c.id, c.name
    ), ${audited(sql, actor, scope.organizationId, 'smtp_credential.revoked', 'smtp_credential')}
    select id from changed`
  return rows.length > 0
}

function inScope(sql: Sql, { organizationId, projectId }: Scope) {
  return sql`c.organization_id = ${organizationId} and (${projectId}::uuid is null or c.project_id = ${projectId}::uuid)
    and c.revoked_at is null`
}
