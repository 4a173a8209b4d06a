/** From a valid request to a message ready to be stored: sender → recipients → compose → normalise → size. */
import type { Principal } from '@postel/db/queries/credentials'
import type { Submission } from '@postel/db/submitter'
import { domainBelongsTo, isProblem, parseAddressList } from '@postel/mail/address'
import { type ComposeInput, composeMessage, envelopeRecipients, isFieldProblem } from '@postel/mail/compose'
import { isControlHeader } from '@postel/mail/control-headers'
import { normaliseMessage } from '@postel/mail/normalise'
import type { MailLinks } from '@postel/mail/tracking'
import { priorities } from '@postel/mail/urgency'
import { fieldProblem, Problem, tooLarge } from '../problem.ts'
import type { Attachment, CompleteEmail } from './fetch-attachments.ts'

export type SubmissionLimits = {
  /** Of the MIME message. */
  maxMessageBytes: number
  /** To, cc and bcc together. */
  maxRecipients: number
  /** Named in the Received field. */
  hostname: string
  /** Adds what the project and the sender's domain ask for. */
  links: MailLinks
}

/** Throws a Problem: 403 for a sender whose domain is not the principal's, 413 for too much, 422 for the rest. */
export async function prepareSubmission(
  email: CompleteEmail,
  principal: Principal,
  limits: Omit<SubmissionLimits, 'links'> & { links: Pick<MailLinks, 'add'> | null },
): Promise<Submission> {
  const { envelopeFrom, signingDomain } = allowedSender(email.from, principal)
  if (email.ip_pool !== undefined && email.ip_pool !== principal.pool)
    throw fieldProblem({ field: 'ip_pool', problem: `This project sends from pool ${principal.pool} only.` })
  const recipients = allRecipients(email, limits.maxRecipients)
  const normalised = await compose(email, limits)
  const { projectId } = principal
  const linked = await limits.links?.add({ projectId, signingDomain, recipients, raw: normalised.raw })
  return {
    organizationId: principal.organizationId,
    projectId: principal.projectId,
    source: 'rest',
    envelopeFrom,
    signingDomain,
    messageIdHeader: normalised.messageId,
    // As written: the header has them encoded and trimmed.
    headerFrom: email.from,
    subject: email.subject,
    details: { ...details(email), ...(linked && { link_ref: linked.ref }) },
    ...(principal.credentialId !== null && { keyId: principal.credentialId }),
    ...(principal.test && { test: true }),
    ...(email.scheduled_at !== undefined && { sendAt: new Date(email.scheduled_at) }),
    ...(email.priority !== undefined && { priority: priorities[email.priority] }),
    ...(email.expires_in !== undefined && { expiresInSeconds: email.expires_in }),
    recipients,
    raw: linked?.raw ?? normalised.raw,
  }
}

/** One mailbox, in a domain that the project has verified or below one. */
function allowedSender(from: string, principal: Principal): { envelopeFrom: string; signingDomain: string } {
  const list = parseAddressList(from)
  if (isProblem(list)) throw fieldProblem({ field: 'from', problem: list.problem })
  const mailbox = list.mailboxes[0]
  if (mailbox === undefined || list.mailboxes.length > 1 || list.groups > 0)
    throw fieldProblem({
      field: 'from',
      problem: 'Give exactly one address: `email@example.com` or `Name <email@example.com>`.',
    })
  const signingDomain = domainBelongsTo(mailbox.domain, principal.domains)
  if (signingDomain === undefined)
    throw new Problem(
      'validation_error',
      `The ${mailbox.domain} domain is not verified. Please, add and verify your domain.`,
      { statusCode: 403 },
    )
  return { envelopeFrom: mailbox.address, signingDomain }
}

function allRecipients(email: CompleteEmail, max: number): { address: string; domain: string }[] {
  const count = email.to.length + (email.cc?.length ?? 0) + (email.bcc?.length ?? 0)
  if (count > max)
    throw new Problem(
      'validation_error',
      `The email has ${count} recipients; this server takes at most ${max}.`,
    )
  const recipients = envelopeRecipients(email.to, email.cc, email.bcc)
  if (isFieldProblem(recipients)) throw fieldProblem(recipients)
  return recipients.map(({ address, domain }) => ({ address, domain }))
}

async function compose(
  email: CompleteEmail,
  { maxMessageBytes, hostname }: Pick<SubmissionLimits, 'maxMessageBytes' | 'hostname'>,
) {
  const controlHeader = Object.keys(email.headers ?? {}).find((name) => isControlHeader(name.toLowerCase()))
  if (controlHeader !== undefined)
    throw fieldProblem({
      field: `headers.${controlHeader}`,
      problem: 'This header works over SMTP only: use the fields of the request.',
    })
  const attachments = email.attachments ?? []
  const given =
    Buffer.byteLength(email.html ?? '') +
    Buffer.byteLength(email.text ?? '') +
    attachments.reduce((sum, { content }) => sum + content.length, 0)
  if (given > maxMessageBytes) throw tooLarge()

  // A body that is the whole message ends in a line end, which readContent() takes off again.
  const alone = attachments.length === 0 && (email.html === undefined || email.text === undefined)
  const composed = await composeMessage({
    from: email.from,
    to: email.to,
    ...(email.cc && { cc: email.cc }),
    ...(email.bcc && { bcc: email.bcc }),
    ...(email.reply_to && { replyTo: email.reply_to }),
    subject: email.subject,
    ...(email.html !== undefined && { html: alone ? `${email.html}\n` : email.html }),
    ...(email.text !== undefined && { text: alone ? `${email.text}\n` : email.text }),
    ...(email.headers && { headers: email.headers }),
    ...(email.tags && { tags: email.tags }),
    attachments: attachments.map(toAttachment),
  })
  if (isFieldProblem(composed)) throw fieldProblem(composed)
  const normalised = normaliseMessage(composed.raw, { hostname, now: new Date(), protocol: 'HTTP' })
  if ('refused' in normalised) {
    if (normalised.code === 552) throw tooLarge()
    throw new Problem('validation_error', `The email cannot be sent: ${normalised.reason}.`)
  }
  if (normalised.raw.length > maxMessageBytes) throw tooLarge()
  return normalised
}

type ComposedAttachment = NonNullable<ComposeInput['attachments']>[number]

function toAttachment(attachment: Attachment, index: number): ComposedAttachment {
  return {
    filename: attachment.filename || `attachment-${index + 1}`,
    content: attachment.content,
    ...(attachment.content_type !== undefined && { contentType: attachment.content_type }),
    ...(attachment.content_id !== undefined && { contentId: attachment.content_id }),
  }
}

/** What GET gives back as it was written. */
export type EmailDetails = {
  to: string[]
  cc?: string[]
  bcc?: string[]
  reply_to?: string[]
  tags?: { name: string; value: string }[]
  scheduled_at?: string
}

function details(email: CompleteEmail): EmailDetails {
  const { to, cc, bcc, reply_to, tags, scheduled_at } = email
  return {
    to,
    ...(cc && { cc }),
    ...(bcc && { bcc }),
    ...(reply_to && { reply_to }),
    ...(tags && { tags }),
    ...(scheduled_at !== undefined && { scheduled_at }),
  }
}
