/**
 * reports: tells senders what became of their mail (RFC 3461). Reads the events behind a cursor → asks who is to be told →
 * composes each report and stores it as a message. What was told stands in a table, in one transaction with the report
 * itself, so a run may end anywhere, begin anew or meet another: nobody is told twice, and the cursor moves on only when
 * everybody has been told.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { databaseFault } from '@postel/db/errors'
import type {
  ComposedReport,
  DueReport,
  ReportedRecipient,
  ReportFacts,
  ReportQueries,
} from '@postel/db/queries/reports'
import { composeReport, type ReportRecipient } from '@postel/mail/report'
import type { TaskContext } from './task.ts'

const chunkEvents = 50_000
/** While there is mail. Recipients of a message that end within this time share a report. */
const everySeconds = 10
/** How long to wait for transactions that may still add events in the past. */
const patienceMs = 5_000

/** Safe to run at any time and twice at once. */
export async function tellSenders(context: TaskContext): Promise<void> {
  const { reports } = context
  const { until, complete } = await readableEvents(reports)
  // Older events may still come: the run after their commit begins where this one does
  const cursor = complete ? 'reports' : 'reports_ahead'
  let after = await reports.readFrom(cursor)
  let events = 0
  while (after < until) {
    const { lastId, read, due } = await reports.due(after, until, chunkEvents)
    for (const report of due) await tell(context, report)
    await reports.advance(cursor, lastId)
    after = lastId
    events += read
  }
  await reports.forget()
  if (events > 0) await reports.runAgain(everySeconds)
}

/** Up to which event all can be read, or, when a transaction is in the way for long, all but its own. */
export async function readableEvents(
  reports: ReportQueries,
  forMs = patienceMs,
): Promise<{ until: string; complete: boolean }> {
  const { at: until, writers } = await reports.eventWriters()
  const deadline = performance.now() + forMs
  let before = new Set(writers)
  while (before.size > 0 && performance.now() < deadline) {
    await pause(50)
    const { writers: now } = await reports.eventWriters()
    before = new Set(now.filter((writer) => before.has(writer)))
  }
  return { until, complete: before.size === 0 }
}

/** Stores one report. A database that is away ends the run; a report that cannot be made or stored is left out. */
async function tell({ config, reports, publisher, events }: TaskContext, due: DueReport): Promise<void> {
  for (let numbers = due.numbers; numbers.length > 0; ) {
    const facts = await reports.facts({ ...due, numbers })
    if (!facts) return
    let report: ComposedReport
    try {
      report = compose(facts, due.kind, config.POSTEL_HOSTNAME)
    } catch (error) {
      return events.reportFailed(due.messageId, error)
    }
    try {
      const { stored, remaining, ipIds } = await reports.store({ ...due, numbers }, report)
      if (stored !== undefined) {
        publisher.work(ipIds)
        return events.reported(stored, due.messageId, due.kind)
      }
      // Another run has told of the others meanwhile
      numbers = remaining
    } catch (error) {
      if (databaseFault(error) !== 'data') throw error
      return events.reportFailed(due.messageId, error)
    }
  }
}

function compose(facts: ReportFacts, kind: DueReport['kind'], hostname: string): ComposedReport {
  const { raw, messageId, from, subject, eightBit, utf8Headers } = composeReport({
    hostname,
    now: new Date(),
    to: facts.envelopeFrom,
    envelopeId: facts.envelopeId ?? undefined,
    messageId: facts.messageIdHeader,
    subject: facts.subject,
    arrival: facts.createdAt,
    retryUntil: facts.expiresAt,
    recipients: facts.recipients.map((recipient) => reportedAs(recipient, kind)),
    original: facts.raw ? { raw: facts.raw, whole: facts.whole } : undefined,
  })
  const details = {
    ...(eightBit && { eight_bit: true }),
    ...(utf8Headers && { smtp_utf8: true }),
    ...(facts.requireTls && { require_tls: true }),
  }
  return { raw, messageId, from, subject, details }
}

/** What a report says of a recipient: its action, its status, and the last answer to it. */
export function reportedAs(recipient: ReportedRecipient, kind: DueReport['kind']): ReportRecipient {
  const { state, lastAttempt } = recipient
  const answer = {
    address: recipient.recipient,
    original: recipient.orcpt ?? undefined,
    reply: lastAttempt?.reply ?? '',
    remote: lastAttempt?.code == null ? undefined : (lastAttempt.mx ?? undefined),
    lastAttempt: lastAttempt?.at,
  }
  const enhanced = lastAttempt?.enhanced ?? undefined
  if (kind === 'delayed') {
    const reply = lastAttempt ? answer.reply : 'It waits to be sent'
    return { ...answer, reply, action: 'delayed', status: inClass(4, enhanced ?? '4.0.0') }
  }
  switch (state) {
    case 'delivered':
      return { ...answer, action: 'relayed', status: inClass(2, enhanced ?? '2.0.0') }
    case 'confirmed':
      return { ...answer, action: 'delivered', status: inClass(2, enhanced ?? '2.0.0') }
    case 'expired':
      // RFC 3463 §3.5: what went wrong, rather than that time ran out
      return lastAttempt
        ? { ...answer, action: 'failed', status: enhanced ?? '4.4.7' }
        : { ...answer, reply: 'It grew too old before it could be sent', action: 'failed', status: '4.4.7' }
    case 'suppressed':
      return {
        ...answer,
        reply: 'The address is on the suppression list: mail to it failed before, or was not wanted',
        remote: undefined,
        action: 'failed',
        status: '5.7.1',
      }
    default:
      return lastAttempt?.outcome === 'bounced'
        ? { ...answer, action: 'failed', status: inClass(5, enhanced ?? '5.0.0') }
        : {
            ...answer,
            reply: recipient.lastReply ?? 'It was returned by the operator of this server',
            remote: undefined,
            action: 'failed',
            status: '5.0.0',
          }
  }
}

function inClass(digit: 2 | 4 | 5, enhanced: string): string {
  return `${digit}${enhanced.slice(1)}`
}
