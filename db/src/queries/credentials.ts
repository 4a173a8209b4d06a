/** Who may submit: API keys, SMTP passwords and trusted networks, found by hash and kept for a few seconds. */
import { createHash } from 'node:crypto'
import type { Sql } from '../client.ts'

/** Whoever passed authentication, and what it may do. */
export type Principal = {
  organizationId: string
  projectId: string
  permission: 'full_access' | 'sending_access'
  /** Verified domains that the project may send from: lower-case A-labels. */
  domains: readonly string[]
  /** The name of the project's pool, the only one that its mail leaves from. */
  pool: string
}

/** A network whose clients need no AUTH. */
export type TrustedNetwork = { network: string; principal: Principal }

/** How long an answer is believed, so that a revocation is felt within it. */
export const credentialsTtlMs = 5_000
const entriesMax = 10_000

/** Secrets are long random texts made by us, so one round of SHA-256 is enough to keep them safe at rest. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/**
 * Looks credentials up. Answers, also negative ones, are kept for credentialsTtlMs; while the database is away an
 * answer that is too old is not used: the caller gets the database's error.
 */
export class Credentials {
  readonly #sql: Sql
  readonly #entries = new Map<string, { at: number; principal: Promise<Principal | undefined> }>()
  #networks: { at: number; list: Promise<TrustedNetwork[]> } | undefined

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** The principal of an API key or SMTP password; undefined when it is unknown or revoked. */
  bySecret(secret: string): Promise<Principal | undefined> {
    const hash = hashSecret(secret)
    const key = hash.toString('base64')
    const known = this.#entries.get(key)
    if (known && performance.now() - known.at < credentialsTtlMs) return known.principal
    if (this.#entries.size >= entriesMax) this.#entries.clear()
    const principal = this.#lookUp(hash)
    this.#entries.set(key, { at: performance.now(), principal })
    principal.catch(() => this.#entries.delete(key))
    return principal
  }

  /** The trusted networks, the narrowest first. */
  networks(): Promise<TrustedNetwork[]> {
    if (this.#networks && performance.now() - this.#networks.at < credentialsTtlMs) return this.#networks.list
    const list = this.#lookUpNetworks()
    this.#networks = { at: performance.now(), list }
    list.catch(() => {
      this.#networks = undefined
    })
    return list
  }

  async #lookUp(hash: Buffer): Promise<Principal | undefined> {
    const [row] = await this.#sql<Principal[]>`
      select
        c.organization_id as "organizationId",
        c.project_id as "projectId",
        c.permission,
        array(
          select d.name from postel.domains d
          where d.organization_id = c.organization_id
            and (d.project_id is null or d.project_id = c.project_id)
            and d.status = 'verified'
        ) as domains,
        l.name as pool
      from (
        select k.organization_id, k.project_id, k.permission
        from postel.api_keys k
        where k.hash = ${hash} and k.revoked_at is null
        union all
        select s.organization_id, s.project_id, 'sending_access'
        from postel.smtp_credentials s
        where s.hash = ${hash} and s.revoked_at is null
      ) as c
      join postel.projects p on p.id = c.project_id
      join postel.ip_pools l on l.id = p.pool_id
      limit 1`
    return row
  }

  async #lookUpNetworks(): Promise<TrustedNetwork[]> {
    const rows = await this.#sql<(Principal & { network: string })[]>`
      select
        s.network::text as network,
        s.organization_id as "organizationId",
        s.project_id as "projectId",
        'sending_access' as permission,
        array(
          select d.name from postel.domains d
          where d.organization_id = s.organization_id
            and (d.project_id is null or d.project_id = s.project_id)
            and d.status = 'verified'
        ) as domains,
        l.name as pool
      from postel.smtp_credentials s
      join postel.projects p on p.id = s.project_id
      join postel.ip_pools l on l.id = p.pool_id
      where s.network is not null and s.revoked_at is null
      order by masklen(s.network) desc, s.id`
    return rows.map(({ network, ...principal }) => ({ network, principal }))
  }
}
