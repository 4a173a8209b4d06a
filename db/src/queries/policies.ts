/** What outbound must know besides the mail: rules of destinations, suspensions, who insists on TLS, which IPs are ours. */
import type { Sql } from '../client.ts'

export type DestinationRuleRow = {
  name: string
  origin: 'shipped' | 'operator'
  domains: string[]
  mx: string[]
  connectionsMax: number | null
  messagesPerConnection: number | null
  messagesPerMinute: number | null
  recipientsPerTransaction: number | null
  tls: string | null
  smarthost: string | null
}

export type ReplyRuleRow = {
  position: number
  mx: string | null
  pattern: string
  category: string
  outcome: 'deferred' | 'bounced' | null
}

export type PolicyRows = {
  rules: DestinationRuleRow[]
  replyRules: ReplyRuleRow[]
  /** Recipient domains, `*.example.com` for all below one. */
  suspendedDomains: string[]
  suspendedProjects: string[]
  /** hold_all is under way: nothing may be sent. */
  allSuspended: boolean
  /** Projects and sender domains whose mail leaves only over TLS with a good certificate. */
  enforcedProjects: string[]
  enforcedDomains: string[]
  ownAddresses: string[]
  ownNames: string[]
}

/** All of it in one statement: a few rows, asked for every few seconds. */
export async function readPolicies(sql: Sql): Promise<PolicyRows> {
  const [row] = await sql<{ policies: PolicyRows }[]>`
    select json_build_object(
      'rules', (
        select coalesce(json_agg(json_build_object(
          'name', r.name, 'origin', r.origin, 'domains', r.domains, 'mx', r.mx,
          'connectionsMax', r.connections_max, 'messagesPerConnection', r.messages_per_connection,
          'messagesPerMinute', r.messages_per_minute, 'recipientsPerTransaction', r.recipients_per_transaction,
          'tls', r.tls, 'smarthost', r.smarthost
        ) order by r.name, r.origin), '[]')
        from postel.destination_rules r
      ),
      'replyRules', (
        select coalesce(json_agg(json_build_object(
          'position', r.position, 'mx', r.mx, 'pattern', r.pattern, 'category', r.category, 'outcome', r.outcome
        ) order by r.position, r.id), '[]')
        from postel.reply_rules r
      ),
      'suspendedDomains', (
        select coalesce(json_agg(s.domain order by s.domain), '[]') from postel.suspensions s
        where s.domain is not null and (s.until is null or s.until > now())
      ),
      'suspendedProjects', (
        select coalesce(json_agg(s.project_id order by s.project_id), '[]') from postel.suspensions s
        where s.project_id is not null and (s.until is null or s.until > now())
      ),
      'allSuspended', exists (
        select from postel.operations o where o.finished_at is null and o.verb = 'hold' and o.filter ? 'all'
      ),
      'enforcedProjects', (
        select coalesce(json_agg(p.id order by p.id), '[]') from postel.projects p where p.tls = 'enforced'
      ),
      'enforcedDomains', (
        select coalesce(json_agg(d.name order by d.name), '[]') from postel.domains d
        where d.tls = 'enforced' and d.status = 'verified'
      ),
      'ownAddresses', (
        select coalesce(json_agg(host(a.address) order by a.id), '[]') from postel.ip_addresses a
        where a.state <> 'retired'
      ),
      'ownNames', (
        select coalesce(json_agg(distinct lower(a.ehlo_name)), '[]') from postel.ip_addresses a
        where a.ehlo_name is not null and a.state <> 'retired'
      )
    ) as policies`
  return row!.policies
}
