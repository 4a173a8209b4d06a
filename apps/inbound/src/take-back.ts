/**
 * One message that came to us, from its final dot to what is known of it: read → find what mail of ours it is about → write that
 * down. Whom it may speak of is for the token in its recipient to say, never for its text.
 */
import type { Sql } from '@postel/db/client'
import {
  type ForwardTarget,
  forwardToPeople,
  type ReturnedResult,
  type ReturnedType,
  recordReturned,
} from '@postel/db/queries/returned'
import type { BouncedRecipient } from '@postel/mail/bounce-fields'
import { composeForwarded } from '@postel/mail/forwarded-mail'
import { type IncomingReport, judgeBounce, readIncomingReport } from '@postel/mail/incoming-report'
import { type Returned, readReturnToken } from '@postel/mail/return-path'

/** Whom a message is for: one of ours that it is about, or the people who run this server. */
export type IncomingRecipient =
  | { kind: 'return_path'; returned: Returned }
  | { kind: 'role'; address: string; local: string }

export type IncomingKind = 'bounce' | 'complaint' | 'auto_reply' | 'notice' | 'other' | 'forward'
export type IncomingResult = ReturnedResult | 'ignored' | 'refused' | 'forwarded' | 'too_many'
export type Incoming = { kind: IncomingKind; result: IncomingResult; messageId?: string }

export type TakeBackContext = {
  sql: Sql
  /** POSTEL_SECRET and the one before it. */
  secrets: readonly Buffer[]
  /** Where mail for people goes; undefined: nowhere. */
  forwardTo: string | undefined
  /** Whether it may now. */
  mayForward: () => boolean
  /** Called with what is new, for the live tail. */
  onEvents: (payloads: readonly string[]) => void
}

export type Arrived = {
  raw: Buffer
  /** `raw` is all of it. */
  whole: boolean
  envelopeFrom: string
  client: string
}

/** Bounces come within days, complaints within weeks. */
const ageDaysMax = 30

/** Whose token it is; undefined where it is none of ours, or its message was long ago. */
export function readToken(localPart: string, secrets: readonly Buffer[]): Returned | undefined {
  for (const secret of secrets) {
    const returned = readReturnToken(localPart, secret)
    if (returned) return isRecent(returned.messageId) ? returned : undefined
  }
  return undefined
}

/** Rejects with the database's error; what was written down by then is not written down twice. */
export async function takeBack(
  arrived: Arrived,
  recipients: readonly IncomingRecipient[],
  context: TakeBackContext,
): Promise<Incoming[]> {
  const report = readIncomingReport(arrived.raw, { nullSender: arrived.envelopeFrom === '' })
  const results: Incoming[] = []
  // Those first that may be told to come again: what was sent on before them would be sent on twice
  for (const recipient of recipients.toSorted((a, b) => rank(a) - rank(b))) {
    if (recipient.kind === 'return_path')
      results.push(...(await ofReturnPath(report, recipient.returned, arrived, context)))
    else if (report.kind === 'complaint') results.push(...(await ofFeedback(report, context)))
    else results.push(await ofPeople(arrived, recipient.address, recipient.local, context))
  }
  return results
}

function rank({ kind }: IncomingRecipient): number {
  return kind === 'return_path' ? 0 : 1
}

async function ofReturnPath(
  report: IncomingReport,
  returned: Returned,
  { envelopeFrom }: Arrived,
  context: TakeBackContext,
): Promise<Incoming[]> {
  const { messageId } = returned
  switch (report.kind) {
    case 'bounce':
      return ofBounce(report, returned, context)
    case 'complaint':
      return [await complain(report, returned, context)]
    case 'auto_reply':
      return [{ kind: 'auto_reply', result: 'ignored', messageId }]
    case 'other':
      // A person wrote there, and is to know that nobody reads it
      return [{ kind: 'other', result: envelopeFrom === '' ? 'ignored' : 'refused', messageId }]
    default:
      throw new Error(`unreachable: ${report satisfies never}`)
  }
}

async function ofBounce(
  { recipients, reporter }: Extract<IncomingReport, { kind: 'bounce' }>,
  returned: Returned,
  context: TakeBackContext,
): Promise<Incoming[]> {
  const { messageId } = returned
  const results: Incoming[] = []
  const failed = recipients.filter(({ action }) => action === 'failed')
  const late = recipients.filter(({ action }) => action === 'delayed')
  const write = async (kind: IncomingKind, type: ReturnedType, which: readonly BouncedRecipient[]) => {
    const entries = which.map((each) => ({ addresses: each.addresses, data: bounceData(each, reporter) }))
    const { result, events } = await recordReturned(context.sql, { ...returned, type, entries })
    context.onEvents(events)
    results.push({ kind, result, messageId })
  }
  if (failed.length > 0) await write('bounce', 'returned', failed)
  if (late.length > 0 && (failed.length === 0 || returned.number < 0))
    await write('notice', 'return_delayed', late)
  const arrived = recipients.filter(({ action }) => action !== 'failed' && action !== 'delayed')
  if (arrived.length > 0 && (results.length === 0 || returned.number < 0))
    await write('notice', 'confirmed', arrived)
  return results
}

/** What the event says. */
function bounceData(recipient: BouncedRecipient, reporter: string | undefined): Record<string, unknown> {
  const { status, remote, action } = recipient
  const said = { status: status ?? null, remote: remote ?? null, reporter: reporter ?? null }
  if (action !== 'failed' && action !== 'delayed') return { ...said, action, reply: recipient.reply }
  const code = /^[45]\d\d(?=[ -])/.exec(recipient.reply)?.[0]
  return {
    ...said,
    ...judgeBounce(recipient, reporter),
    code: code === undefined ? null : Number(code),
    reply: recipient.reply || [status, 'returned without a reason'].filter(Boolean).join(' '),
  }
}

/** A report to an address of ours is about whatever it has a token of. */
async function ofFeedback(
  report: Extract<IncomingReport, { kind: 'complaint' }>,
  context: TakeBackContext,
): Promise<Incoming[]> {
  const known = report.tokens.flatMap((token) => readToken(token, context.secrets) ?? [])
  if (known.length === 0) return [{ kind: 'complaint', result: 'unknown' }]
  const results: Incoming[] = []
  for (const returned of known) results.push(await complain(report, returned, context))
  return results
}

async function complain(
  { feedbackType, addresses, reporter }: Extract<IncomingReport, { kind: 'complaint' }>,
  returned: Returned,
  { sql, onEvents }: TakeBackContext,
): Promise<Incoming> {
  const data = { feedback_type: feedbackType, reporter: reporter ?? null }
  const entries = [{ addresses, data }]
  const { result, events } = await recordReturned(sql, { ...returned, type: 'complained', entries })
  onEvents(events)
  return { kind: 'complaint', result, messageId: returned.messageId }
}

async function ofPeople(
  { raw, whole, envelopeFrom, client }: Arrived,
  address: string,
  local: string,
  { sql, forwardTo, mayForward }: TakeBackContext,
): Promise<Incoming> {
  if (forwardTo === undefined || !whole)
    return { kind: local === 'postmaster' ? 'forward' : 'other', result: 'refused' }
  if (!mayForward()) return { kind: 'forward', result: 'too_many' }
  const compose = ({ from }: ForwardTarget) =>
    composeForwarded({ from, to: forwardTo, recipient: address, envelopeFrom, client, raw })
  const forwarded = await forwardToPeople(sql, forwardTo, compose)
  return { kind: 'forward', result: forwarded ? 'forwarded' : 'refused' }
}

/** By the time in its id (UUIDv7). */
function isRecent(messageId: string): boolean {
  const at = Number.parseInt(messageId.replace('-', '').slice(0, 12), 16)
  return Date.now() - at < ageDaysMax * 24 * 3_600_000
}
