/** How mail to a provider is sent: the rules that come with Postel, and operators' own, which come before them. */
import type postgres from 'postgres'
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'

export type RuleFields = {
  name: string
  /** Recipient domains, `*.example.com` for all below. */
  domains: string[]
  /** Host names of mail exchangers, each for itself and all below. */
  mx: string[]
  /** Null: as in the shipped rule of this name, or else in `default`. */
  connectionsMax: number | null
  messagesPerConnection: number | null
  messagesPerMinute: number | null
  recipientsPerTransaction: number | null
  tls: 'opportunistic' | 'enforced' | null
  /** Its password is sealed. Undefined: as it stands, or none. */
  smarthost: string | null | undefined
  note: string | null
}

export type RuleRow = RuleFields & {
  id: string
  origin: 'shipped' | 'operator'
  /** Its password is sealed, or plain as it was written in psql. */
  smarthost: string | null
  createdAt: string
}

/** A page of all rules, newest first. */
export async function listRules(sql: Sql, page: { limit: number } & Cursor): Promise<Page<RuleRow>> {
  const order = page.before ? sql`asc` : sql`desc`
  const rows = await sql<RuleRow[]>`
    select ${columns(sql)}
    from postel.destination_rules r
    where true
      ${page.after ? sql`and r.id < ${page.after}::bigint` : sql``}
      ${page.before ? sql`and r.id > ${page.before}::bigint` : sql``}
    order by r.id ${order}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

export async function findRule(sql: Sql, id: string): Promise<RuleRow | undefined> {
  const [row] = await sql<RuleRow[]>`
    select ${columns(sql)} from postel.destination_rules r where r.id = ${id}::bigint`
  return row
}

/** The id of an operator's new rule. A name that another of them has is a duplicate. `details`: for the audit log. */
export async function createRule(
  sql: Sql,
  actor: Actor,
  rule: RuleFields,
  details: unknown,
): Promise<string> {
  const [row] = await sql<{ id: string }[]>`
    with changed as (
      insert into postel.destination_rules (
        origin, name, domains, mx, connections_max, messages_per_connection, messages_per_minute,
        recipients_per_transaction, tls, smarthost, note
      )
      values (
        'operator', ${rule.name}, ${rule.domains}::text[], ${rule.mx}::text[], ${rule.connectionsMax},
        ${rule.messagesPerConnection}, ${rule.messagesPerMinute}, ${rule.recipientsPerTransaction}, ${rule.tls},
        ${rule.smarthost ?? null}, ${rule.note}
      )
      returning id, name
    ), ${audited(sql, actor, null, 'destination_rule.created', 'destination_rule', details)}
    ${announced(sql)}`
  return row!.id
}

/** Gives an operator's rule these fields; false when there is none of this id. */
export async function replaceRule(
  sql: Sql,
  actor: Actor,
  id: string,
  rule: RuleFields,
  details: unknown,
): Promise<boolean> {
  const rows = await sql`
    with changed as (
      update postel.destination_rules r
      set
        name = ${rule.name}, domains = ${rule.domains}::text[], mx = ${rule.mx}::text[],
        connections_max = ${rule.connectionsMax}, messages_per_connection = ${rule.messagesPerConnection},
        messages_per_minute = ${rule.messagesPerMinute}, recipients_per_transaction = ${rule.recipientsPerTransaction},
        tls = ${rule.tls}, note = ${rule.note}
        ${rule.smarthost === undefined ? sql`` : sql`, smarthost = ${rule.smarthost}`}
      where r.id = ${id}::bigint and r.origin = 'operator'
      returning r.id, r.name
    ), ${audited(sql, actor, null, 'destination_rule.updated', 'destination_rule', details)}
    ${announced(sql)}`
  return rows.length > 0
}

/** Deletes an operator's rule; false when there is none of this id. */
export async function deleteRule(sql: Sql, actor: Actor, id: string): Promise<boolean> {
  const rows = await sql`
    with changed as (
      delete from postel.destination_rules r
      where r.id = ${id}::bigint and r.origin = 'operator'
      returning r.id, r.name
    ), ${audited(sql, actor, null, 'destination_rule.deleted', 'destination_rule')}
    ${announced(sql)}`
  return rows.length > 0
}

/** Outbound reads the rules again at once. */
function announced(sql: Sql): postgres.Fragment {
  return sql`select id::text as id, pg_notify('postel_control', 'rules') from changed`
}

function columns(sql: Sql) {
  return sql`
    r.id::text as id, r.name, r.origin, r.domains, r.mx, r.connections_max as "connectionsMax",
    r.messages_per_connection as "messagesPerConnection", r.messages_per_minute as "messagesPerMinute",
    r.recipients_per_transaction as "recipientsPerTransaction", r.tls, r.smarthost, r.note,
    r.created_at::text as "createdAt"`
}
