/** What comes back about mail that was delivered. */
import type { Sql } from '../client.ts'
import { sqlState } from '../errors.ts'

export type ReturnedType = 'returned' | 'return_delayed' | 'confirmed' | 'complained'

/** See postel.record_returned. */
export type ReturnedResult =
  | 'recorded'
  | 'repeated'
  | 'too_early'
  | 'not_asked'
  | 'not_delivered'
  | 'no_recipient'
  | 'unknown'

export type Returned = {
  messageId: string
  /** deliveries.number; negative: of the recipients with the domain of that one, those that the entries name. */
  number: number
  type: ReturnedType
  entries: readonly { addresses: readonly string[]; data: Record<string, unknown> }[]
}

/** See postel.returned_message. */
export async function mayReturn(sql: Sql, messageId: string, host: string): Promise<boolean> {
  const [row] = await sql<{ may: boolean }[]>`
    select postel.returned_message(${messageId}, ${host}) as may`
  return row!.may
}

/** See postel.record_returned. `events` are payloads of postel_events. */
export async function recordReturned(
  sql: Sql,
  { messageId, number, type, entries }: Returned,
): Promise<{ result: ReturnedResult; events: string[] }> {
  const [row] = await sql<{ result: ReturnedResult; events: unknown[] | null }[]>`
    select r.result, r.events
    from postel.record_returned(
      ${messageId}, ${number}::smallint, ${type}, ${JSON.stringify(entries)}::text::json
    ) as r`
  return { result: row!.result, events: (row!.events ?? []).map((event) => JSON.stringify(event)) }
}

/** Whether mail for the people behind a domain's bounces (postmaster) may come to this host: below a domain of somebody's. */
export async function isReturnHost(sql: Sql, host: string): Promise<boolean> {
  const [row] = await sql<{ known: boolean }[]>`
    select exists (
      select from postel.domains d
      where d.status = 'verified' and d.return_path || '.' || d.name = lower(${host})
    ) as known`
  return row!.known
}

export type ForwardTarget = {
  /** Of system mail: `Name <local@domain>`. */
  from: string
}

/**
 * Submits what `compose` makes, from the sender of system mail to one address. False where there is no such sender, or nothing
 * was made, or nothing may be sent.
 */
export async function forwardToPeople(
  sql: Sql,
  to: string,
  compose: (target: ForwardTarget) => Buffer | undefined,
): Promise<boolean> {
  const [settings] = await sql<{ from: string; project: string | null }[]>`
    select
      s.value as from,
      (select p.value from postel.system_settings p where p.key = 'mail_project') as project
    from postel.system_settings s where s.key = 'mail_from'`
  const raw = settings && compose(settings)
  if (!raw) return false
  const sender = /<([^<>]+)>$/.exec(settings.from.trim())?.[1] ?? settings.from.trim()
  const options = settings.project === null ? {} : { project: settings.project }
  try {
    await sql`
    select postel.submit_raw_with(${sender}, ${[to]}::text[], ${raw}, ${JSON.stringify(options)}::text::jsonb)`
  } catch (error) {
    // No project may send as system mail does, or the mail cannot be sent: the next one like it neither
    if (['42501', '22023', '54000'].includes(sqlState(error) ?? '')) return false
    throw error
  }
  return true
}
