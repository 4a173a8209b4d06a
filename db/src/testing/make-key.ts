/** Keys of every kind, as tests need them. */
import type { Sql } from '../client.ts'
import { newSecret } from '../new-secret.ts'

export type KeyOptions = {
  /** Without one: of the platform. */
  organizationId?: string
  /** Without one: of the whole organization. */
  projectId?: string
  permission?: 'full_access' | 'sending_access'
  networks?: readonly string[]
  domain?: string
  test?: boolean
  /** From now; negative: it has expired. */
  expiresInSeconds?: number
}

export async function makeKey(sql: Sql, options: KeyOptions = {}): Promise<string> {
  const { organizationId, projectId, permission = 'full_access', networks, domain, test = false } = options
  const { secret, prefix, hash } = newSecret(test ? 'pk_test_' : 'pk_live_')
  await sql`
    insert into postel.api_keys (
      organization_id, project_id, name, prefix, hash, permission, networks, domain_id, test, expires_at
    )
    values (
      ${organizationId ?? null}, ${projectId ?? null}, 'made for a test', ${prefix}, ${hash}, ${permission},
      ${(networks as string[] | undefined) ?? null}::text[]::cidr[],
      (select d.id from postel.domains d where d.name = ${domain ?? null} and d.organization_id = ${organizationId ?? null}),
      ${test}, now() + make_interval(secs => ${options.expiresInSeconds ?? null}::float8)
    )`
  return secret
}
