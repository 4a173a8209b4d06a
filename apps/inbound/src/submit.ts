/**
 * One message, from the final dot to its id: check → normalise → check the header's sender → store.
 * Everything that is wrong with it comes back as the reply to give.
 */
import { createHash } from 'node:crypto'
import { AdmissionError } from '@postel/db/admission'
import type { Principal } from '@postel/db/queries/credentials'
import type { Submission, Submitter } from '@postel/db/submitter'
import { domainBelongsTo, type Mailbox } from '@postel/mail/address'
import { type NormalisedMessage, normaliseMessage } from '@postel/mail/normalise'
import type { MailLinks } from '@postel/mail/tracking'
import { type Reply, refusalReply, replies, storeReply } from './replies.ts'

/** The envelope as the session agreed it. */
export type Envelope = {
  from: Mailbox | null
  recipients: Mailbox[]
  requireTls: boolean
  smtpUtf8: boolean
  dsn: EnvelopeDsn | undefined
}

/** RFC 3461: what the client asked to be told, passed on to the next server. */
export type EnvelopeDsn = {
  ret?: string
  envid?: string
  /** By recipient address. */
  recipients: Record<string, { notify?: string; orcpt?: string }>
}

export type SubmitContext = {
  principal: Principal
  hostname: string
  protocol: string
  submitter: Submitter
  links: MailLinks
  /** The traceparent of the session's span. */
  trace: string | undefined
}

const sendAtDaysMax = 30

/** Stores the message; resolves with its id or with the reply that refuses it. Rejects by a mistake of ours alone. */
export async function submit(
  raw: Buffer,
  envelope: Envelope,
  context: SubmitContext,
): Promise<{ id: string; bytes: number } | { refused: Reply; cause?: unknown }> {
  const { principal } = context
  const message = normaliseMessage(raw, {
    hostname: context.hostname,
    now: new Date(),
    protocol: context.protocol,
  })
  if ('refused' in message) return { refused: refusalReply(message) }

  const signingDomain = domainBelongsTo(message.headerFrom.domain, principal.domains)
  if (!signingDomain) return { refused: replies.fromNotOwned(message.headerFrom.domain) }
  if (message.sender && !domainBelongsTo(message.sender.domain, principal.domains))
    return { refused: replies.fromNotOwned(message.sender.domain) }

  const { pool, sendAt: sendAtText, idempotencyKey, priority, expiresInSeconds } = message.control
  if (pool !== undefined && pool !== principal.pool) return { refused: replies.notItsPool(principal.pool) }
  const sendAt = sendAtText === undefined ? undefined : readSendAt(sendAtText)
  if (sendAt === null) return { refused: replies.badSendAt() }
  if (idempotencyKey !== undefined && (idempotencyKey === '' || idempotencyKey.length > 256))
    return { refused: replies.badIdempotencyKey() }

  const { projectId } = principal
  const { recipients } = envelope
  let linked: Awaited<ReturnType<MailLinks['add']>>
  try {
    linked = await context.links.add({ projectId, signingDomain, recipients, raw: message.raw })
  } catch (error) {
    return { refused: storeReply(error), cause: error }
  }

  const details = detailsOf(message, envelope, linked?.ref)
  const submission: Submission = {
    organizationId: principal.organizationId,
    projectId,
    source: 'smtp',
    envelopeFrom: envelope.from?.address ?? '',
    signingDomain,
    messageIdHeader: message.messageId,
    headerFrom: message.fromHeader,
    subject: message.subject,
    recipients,
    raw: linked?.raw ?? message.raw,
    ...(details && { details }),
    ...(sendAt && { sendAt }),
    ...(principal.credentialId !== null && { keyId: principal.credentialId }),
    ...(principal.test && { test: true }),
    ...(priority !== undefined && { priority }),
    ...(expiresInSeconds !== undefined && { expiresInSeconds }),
    ...(context.trace !== undefined && { trace: context.trace }),
  }
  try {
    if (idempotencyKey === undefined)
      return { id: await context.submitter.submit(submission), bytes: message.raw.length }
    const once = await context.submitter.submitOnce(idempotencyKey, hashRequest(raw, envelope), [submission])
    if (once.outcome === 'conflict') return { refused: replies.idempotencyConflict() }
    return { id: once.ids[0]!, bytes: message.raw.length }
  } catch (error) {
    return { refused: storeReply(error), ...(!(error instanceof AdmissionError) && { cause: error }) }
  }
}

/** What must be known beyond the body, or undefined: most mail needs none of it. */
function detailsOf(
  message: NormalisedMessage,
  envelope: Envelope,
  linkRef: string | undefined,
): Record<string, unknown> | undefined {
  const details: Record<string, unknown> = {}
  if (message.control.tags.length > 0) details.tags = message.control.tags
  if (Object.keys(message.control.metadata).length > 0) details.metadata = message.control.metadata
  if (message.eightBit) details.eight_bit = true
  if (message.utf8Headers || envelope.smtpUtf8) details.smtp_utf8 = true
  if (envelope.requireTls) details.require_tls = true
  if (envelope.dsn) details.dsn = envelope.dsn
  if (linkRef !== undefined) details.link_ref = linkRef
  return Object.keys(details).length > 0 ? details : undefined
}

/** null when it is not a time, or too far ahead. */
function readSendAt(text: string): Date | null {
  if (!/^\d{4}-\d{2}-\d{2}T/.test(text)) return null
  const at = new Date(text)
  if (Number.isNaN(at.getTime()) || at.getTime() > Date.now() + sendAtDaysMax * 24 * 3600 * 1000) return null
  return at
}

function hashRequest(raw: Buffer, envelope: Envelope): Buffer {
  const parties = [envelope.from?.address ?? '', ...envelope.recipients.map((recipient) => recipient.address)]
  return createHash('sha256').update(parties.join('\n')).update('\n\n').update(raw).digest()
}
