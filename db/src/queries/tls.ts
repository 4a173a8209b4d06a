/** What outbound keeps of transport security: MTA-STS policies, and sessions counted for TLS reports. */
import type { Sql } from '../client.ts'

/** An MTA-STS policy as it was fetched. */
export type StoredPolicy = {
  domain: string
  /** Of the TXT record. */
  policyId: string
  /** The file. */
  policy: string
  fetchedAt: Date
  expiresAt: Date
}

/** Sessions of one day (UTC) that went alike; the names are those of RFC 8460. */
export type TlsResultCount = {
  day: string
  policyDomain: string
  policyType: string
  /** '' where no host was reached. */
  mxHost: string
  ipId: number
  result: string
  sessions: number
}

/** Results are kept for a report about the last days, not for history. */
const keepDays = 30

export class TlsQueries {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** The policies fetched after `since` that bind now, the oldest first. */
  async policies(since: Date): Promise<StoredPolicy[]> {
    return this.#sql<StoredPolicy[]>`
      select
        p.domain, p.policy_id as "policyId", p.policy, p.fetched_at as "fetchedAt", p.expires_at as "expiresAt"
      from postel.mta_sts_policies p
      where p.fetched_at > ${since} and p.expires_at > now()
      order by p.fetched_at`
  }

  /** Keeps a policy in the place of an older one of the domain, and forgets one policy or more that have expired. */
  async savePolicy({ domain, policyId, policy, fetchedAt, expiresAt }: StoredPolicy): Promise<void> {
    await this.#sql`
      with expired as (
        delete from postel.mta_sts_policies e
        where e.expires_at < now() and e.domain <> ${domain}
      )
      insert into postel.mta_sts_policies as p (domain, policy_id, policy, fetched_at, expires_at)
      values (${domain}, ${policyId}, ${policy}, ${fetchedAt}, ${expiresAt})
      on conflict (domain) do update
      set policy_id = excluded.policy_id, policy = excluded.policy, fetched_at = excluded.fetched_at,
        expires_at = excluded.expires_at
      where p.fetched_at <= excluded.fetched_at`
  }

  /** Adds to what other processes have counted, and forgets what is too old to be reported. */
  async addResults(counts: readonly TlsResultCount[]): Promise<void> {
    // In one order everywhere, so that two processes cannot wait for each other
    const rows = [...counts].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    const json = JSON.stringify(rows)
    await this.#sql`
      with forgotten as (
        delete from postel.tls_results o
        where o.day < (now() at time zone 'UTC')::date - ${keepDays}::int
      )
      insert into postel.tls_results as t
        (day, policy_domain, policy_type, mx_host, ip_id, result, sessions)
      select c.day, c."policyDomain", c."policyType", c."mxHost", c."ipId", c.result, c.sessions
      from json_to_recordset(${json}::text::json) as c (
        day date, "policyDomain" text, "policyType" text, "mxHost" text, "ipId" integer, result text, sessions bigint
      )
      on conflict on constraint tls_results_pkey do update set sessions = t.sessions + excluded.sessions`
  }
}
