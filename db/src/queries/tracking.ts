/** What is added to mail, for whom, and what is told of it by those who opened it. */
import type { Sql } from '../client.ts'

/** What is on for a project and a sender domain of it. */
export type MailFeatures = {
  unsubscribe: boolean
  openTracking: boolean
  clickTracking: boolean
  /** Only where DNS has shown that it leads here. */
  trackingHost: string | null
}

/** How long an answer is believed. */
const ttlMs = 5_000
const entriesMax = 10_000

/** Looks up what is on, and keeps it for some seconds: for most mail that is all that it costs. */
export class MailFeatureDirectory {
  readonly #sql: Sql
  readonly #entries = new Map<
    string,
    { at: number; features: MailFeatures | undefined | Promise<MailFeatures | undefined> }
  >()

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Undefined where nothing is on. A promise only where it has to be asked for; that rejects with the database's error. */
  of(projectId: string, domain: string): MailFeatures | undefined | Promise<MailFeatures | undefined> {
    const key = `${projectId} ${domain}`
    const known = this.#entries.get(key)
    if (known && performance.now() - known.at < ttlMs) return known.features
    if (this.#entries.size >= entriesMax) this.#entries.clear()
    const features = this.#lookUp(projectId, domain)
    const entry = { at: performance.now(), features: features as MailFeatures | undefined | typeof features }
    this.#entries.set(key, entry)
    features.then(
      (found) => {
        entry.features = found
      },
      () => this.#entries.delete(key),
    )
    return features
  }

  async #lookUp(projectId: string, domain: string): Promise<MailFeatures | undefined> {
    const [row] = await this.#sql<MailFeatures[]>`
      select
        p.unsubscribe, coalesce(d.open_tracking, false) as "openTracking",
        coalesce(d.click_tracking, false) as "clickTracking",
        d.tracking_subdomain || '.' || d.name as "trackingHost"
      from postel.projects p
      left join postel.domains d
        on d.organization_id = p.organization_id and d.name = ${domain}
        and (d.open_tracking or d.click_tracking) and d.tracking_verified_at is not null
      where p.id = ${projectId} and (p.unsubscribe or d.tracking_subdomain is not null)`
    return row
  }
}

/** What a link in a message says of it: see LinkToken of @postel/mail. */
export type LinkedMessage = { projectId: string; ref: string; at: Date; number: number | null }

export type Activity = LinkedMessage & {
  type: 'opened' | 'clicked'
  data: { ip_address: string | null; user_agent: string; timestamp: string; link?: string }
}

/** Writes events down; those of messages that are gone are dropped. */
export async function recordActivity(sql: Sql, activities: readonly Activity[]): Promise<void> {
  const json = JSON.stringify(
    activities.map(({ projectId, ref, at, number, type, data }) => ({
      project: projectId,
      ref,
      at,
      number,
      type,
      data,
    })),
  )
  await sql`
    insert into postel.events (created_at, organization_id, message_id, number, type, data)
    select now(), m.organization_id, m.message_id, a.number, a.type, a.data
    from json_to_recordset(${json}::text::json) as a (
      project uuid, ref text, at timestamptz, number smallint, type text, data jsonb
    )
    cross join lateral postel.linked_message(a.project, a.ref, a.at) as m`
}

/** See postel.suppress_unsubscribed. Whether the address got the project's mail until now. */
export async function unsubscribe(
  sql: Sql,
  { projectId, ref, at, number }: LinkedMessage,
  address: string,
  data: { ip_address: string | null; user_agent: string },
): Promise<boolean> {
  const [row] = await sql<{ added: boolean }[]>`
    select postel.suppress_unsubscribed(
      ${projectId}, ${ref}, ${at}, ${number}::smallint, ${address}, ${JSON.stringify(data)}::text::jsonb
    ) as added`
  return row!.added
}
