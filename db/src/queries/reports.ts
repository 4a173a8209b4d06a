/** What the worker asks of Postgres to tell senders of their mail. */
import { zstdDecompressSync } from 'node:zlib'
import type { Sql } from '../client.ts'
import { advance, readFrom } from './event-cursors.ts'

/** Recipients of one message whose sender is to be told now. */
export type DueReport = { messageId: string; kind: 'final' | 'delayed'; numbers: number[] }

export type ReportedRecipient = {
  number: number
  recipient: string
  /** ORCPT as the sender gave it, its xtext decoded. */
  orcpt: string | null
  state: string
  lastReply: string | null
  /** null where none was made. */
  lastAttempt: {
    at: Date
    outcome: string
    code: number | null
    enhanced: string | null
    reply: string | null
    mx: string | null
  } | null
}

export type ReportFacts = {
  envelopeFrom: string
  messageIdHeader: string
  subject: string
  createdAt: Date
  expiresAt: Date
  envelopeId: string | null
  requireTls: boolean
  /** `raw` is all of the message, else only its beginning. */
  whole: boolean
  /** null when the message's body is not kept any more. */
  raw: Buffer | null
  recipients: ReportedRecipient[]
}

export type ComposedReport = {
  raw: Buffer
  messageId: string
  from: string
  subject: string
  details: Record<string, unknown>
}

/** `reports`: all before it is done. `reports_ahead`: read as far as that, but older events may still appear. */
export type Cursor = 'reports' | 'reports_ahead'

type RecipientRow = {
  number: number
  recipient: string
  orcpt: string | null
  state: string
  last_reply: string | null
  at: string | null
  outcome: string
  code: number | null
  enhanced: string | null
  reply: string | null
  mx: string | null
}

export class ReportQueries {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** See postel.event_writers. */
  async eventWriters(): Promise<{ at: string; writers: string[] }> {
    const [row] = await this.#sql<{ at: string; writers: string[] }[]>`
      select w.at, w.writers from postel.event_writers() as w`
    return row!
  }

  /** See event-cursors.ts. */
  readFrom(cursor: Cursor): Promise<string> {
    return readFrom(this.#sql, 'reports', cursor)
  }

  /** Moves a cursor on, never back. */
  advance(cursor: Cursor, lastEventId: string): Promise<void> {
    return advance(this.#sql, cursor, lastEventId)
  }

  /** See postel.reports_due. */
  async due(
    after: string,
    until: string,
    limit: number,
  ): Promise<{ lastId: string; read: number; due: DueReport[] }> {
    type Row = { message_id: string; kind: DueReport['kind']; numbers: number[] }
    const [row] = await this.#sql<{ lastId: string; read: number; due: Row[] | null }[]>`
      select r.last_id as "lastId", r.read, r.due from postel.reports_due(${after}, ${until}, ${limit}) as r`
    return {
      lastId: row!.lastId,
      read: row!.read,
      due: (row!.due ?? []).map(({ message_id, kind, numbers }) => ({
        messageId: message_id,
        kind,
        numbers,
      })),
    }
  }

  /** See postel.report_facts; undefined when the message is gone. */
  async facts({ messageId, numbers }: DueReport): Promise<ReportFacts | undefined> {
    const [row] = await this.#sql<
      (Omit<ReportFacts, 'raw' | 'recipients'> & {
        encoding: number | null
        body: Buffer | null
        recipients: RecipientRow[] | null
      })[]
    >`
      select
        f.envelope_from as "envelopeFrom", f.message_id_header as "messageIdHeader", f.subject,
        f.created_at as "createdAt", f.expires_at as "expiresAt", f.envid as "envelopeId",
        f.require_tls as "requireTls", f.whole, f.encoding, f.body, f.recipients
      from postel.report_facts(${messageId}, ${numbers}::smallint[]) as f`
    if (!row?.recipients) return undefined
    const { encoding, body, recipients, ...facts } = row
    return {
      ...facts,
      raw: body && readable(body, encoding),
      recipients: recipients.map(({ at, outcome, code, enhanced, reply, mx, last_reply, ...recipient }) => ({
        ...recipient,
        lastReply: last_reply,
        lastAttempt: at === null ? null : { at: new Date(at), outcome, code, enhanced, reply, mx },
      })),
    }
  }

  /**
   * See postel.store_report. `stored` is the report's id, or undefined when `remaining` are the only recipients that are
   * still to be told of.
   */
  async store(
    { messageId, kind, numbers }: DueReport,
    report: ComposedReport,
  ): Promise<{ stored: string | undefined; remaining: number[]; ipIds: number[] }> {
    const json = JSON.stringify({
      message_id: report.messageId,
      from: report.from,
      subject: report.subject,
      details: report.details,
    })
    const [row] = await this.#sql<
      { stored: string | null; remaining: number[] | null; ipIds: number[] | null }[]
    >`
      select s.report_id as stored, s.remaining, s.ip_ids as "ipIds"
      from postel.store_report(
        ${messageId}, ${kind}, ${numbers}::smallint[], ${json}::text::json, ${report.raw}
      ) as s`
    return {
      stored: row!.stored ?? undefined,
      remaining: row!.remaining ?? [],
      ipIds: row!.ipIds ?? [],
    }
  }

  /** Forgets what was told a month ago: none of it comes up again. */
  async forget(): Promise<void> {
    await this.#sql`delete from postel.reports where created_at < now() - interval '30 days'`
  }

  /** Asks for the next run of the task; one asked for before is replaced. */
  async runAgain(seconds: number): Promise<void> {
    await this.#sql`
      select graphile_worker.add_job(
        'reports', run_at := now() + make_interval(secs => ${seconds}), job_key := 'reports', max_attempts := 1
      )`
  }
}

/** Of a compressed body that is cut off, the blocks that are whole. A report without the message is better than none. */
function readable(body: Buffer, encoding: number | null): Buffer | null {
  try {
    return encoding === 1 ? zstdDecompressSync(body) : body
  } catch {
    return null
  }
}
