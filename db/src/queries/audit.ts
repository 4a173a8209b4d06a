/** The audit log: who changed what. Written in the statement of the change, so neither is without the other. */
import type postgres from 'postgres'
import type { Sql } from '../client.ts'

/** Who did it. */
export type Actor = {
  kind: 'api_key' | 'person' | 'system'
  id: string | null
  name: string
  /** Where the request came from; null when it came from no network. */
  address: string | null
}

/**
 * A CTE that logs each row of the CTE `changed` before it, which has the columns `id` and `name`. `details` is what was
 * asked for, never a secret.
 *
 *     with changed as (
 *       update postel.api_keys set revoked_at = now()
 *       where id = ${id} and organization_id = ${organizationId} and revoked_at is null
 *       returning id, name
 *     ), ${audited(sql, actor, organizationId, 'api_key.revoked', 'api_key')}
 *     select id from changed
 */
export function audited(
  sql: Sql,
  actor: Actor,
  organizationId: string | null,
  action: string,
  targetKind: string,
  details?: unknown,
): postgres.Fragment {
  return sql`logged as (
    insert into postel.audit_log (
      organization_id, actor_kind, actor_id, actor_name, address, action, target_kind, target_id, target_name, details
    )
    select
      ${organizationId}::uuid, ${actor.kind}, ${actor.id}, ${actor.name}, ${actor.address}::inet, ${action}, ${targetKind},
      c.id::text, c.name, ${details === undefined ? null : JSON.stringify(details)}::text::jsonb
    from changed c
  )`
}
