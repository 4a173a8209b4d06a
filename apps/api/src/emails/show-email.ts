/** Stored mail in Resend's shape. */
import type { EmailRecipient, EmailSummary, MessageEvent } from '@postel/db/queries/emails'
import type { EmailDetails } from './prepare-submission.ts'
import type { Content } from './read-message.ts'
import type { Email, Emails, LastEvent } from './replies.ts'

const lastEvents: Record<MessageEvent, LastEvent> = {
  queued: 'queued',
  held: 'queued',
  scheduled: 'scheduled',
  deferred: 'delivery_delayed',
  delivered: 'delivered',
  bounced: 'bounced',
  expired: 'bounced',
  cancelled: 'canceled',
  suppressed: 'suppressed',
  failed: 'failed',
  opened: 'opened',
  clicked: 'clicked',
  complained: 'complained',
}

/** One entry of a list. Addresses stand as the sender wrote them; mail that came another way shows its envelope. */
export function showSummary(email: EmailSummary): Emails['data'][number] {
  const details = (email.details ?? {}) as Partial<EmailDetails>
  return {
    id: email.id,
    message_id: email.messageId,
    from: email.from,
    to: details.to ?? email.envelopeTo ?? [],
    cc: details.cc ?? null,
    bcc: details.bcc ?? null,
    reply_to: details.reply_to ?? null,
    created_at: email.createdAt,
    subject: email.subject,
    last_event: lastEvents[email.lastEvent],
    scheduled_at: email.scheduledAt ?? details.scheduled_at ?? null,
    topic_id: null,
    project_id: email.projectId,
  }
}

export function showEmail(email: EmailSummary & { recipients: EmailRecipient[] }, content: Content): Email {
  const { tags } = (email.details ?? {}) as Partial<EmailDetails>
  return {
    object: 'email',
    ...showSummary(email),
    ...content,
    tags: tags ?? [],
    recipients: email.recipients.map(({ lastReply, updatedAt, ...recipient }) => ({
      ...recipient,
      last_reply: lastReply,
      updated_at: updatedAt,
    })),
  }
}
