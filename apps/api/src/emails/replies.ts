/** What the endpoints of emails answer, in Resend's shapes. */
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

export const sentReply = z.object({ id }).meta({ id: 'SentEmail' })

export const sentBatchReply = z
  .object({
    data: z.array(z.object({ id })),
    errors: z
      .array(z.object({ index: z.int().min(0), message: z.string() }))
      .optional()
      .meta({ description: 'With `x-batch-validation: permissive` only.' }),
  })
  .meta({ id: 'SentBatch' })

/** In Resend's words; `sent` is not among them, because mail goes from queued to delivered in one step. */
export const lastEvents = [
  'queued',
  'scheduled',
  'delivery_delayed',
  'delivered',
  'opened',
  'clicked',
  'complained',
  'bounced',
  'failed',
  'canceled',
  'suppressed',
] as const
const lastEvent = z.enum(lastEvents)

const summary = {
  id,
  message_id: z.string(),
  from: z.string(),
  to: z.array(z.string()),
  cc: z.array(z.string()).nullable(),
  bcc: z.array(z.string()).nullable(),
  reply_to: z.array(z.string()).nullable(),
  created_at: time,
  subject: z.string(),
  last_event: lastEvent.meta({
    description: 'The newest event of any recipient. failed: it ended without having been tried.',
  }),
  scheduled_at: z.string().nullable(),
  project_id: id.meta({ description: 'Not in Resend.' }),
}

const recipient = z.object({
  email: z.string(),
  state: z.enum([
    'queued',
    'scheduled',
    'held',
    'deferred',
    'delivered',
    'bounced',
    'expired',
    'cancelled',
    'suppressed',
  ]),
  attempts: z.int(),
  last_reply: z.string().nullable(),
  updated_at: time,
})

export const emailReply = z
  .object({
    object: z.literal('email'),
    ...summary,
    html: z.string().nullable().meta({ description: 'With LF line ends.' }),
    text: z.string().nullable().meta({ description: 'With LF line ends.' }),
    tags: z.array(z.object({ name: z.string(), value: z.string() })),
    topic_id: z.null(),
    recipients: z.array(recipient).meta({ description: 'Not in Resend: the state of each recipient.' }),
  })
  .meta({ id: 'Email' })

export const emailsReply = listOf(z.object({ ...summary, topic_id: z.null() }))
  .extend({
    searched_to: id.optional().meta({
      description:
        'Not in Resend. Where the page ends before `limit` although there may be more: go on with it as `after`, or as `before` where that was asked for.',
    }),
  })
  .meta({ id: 'Emails' })

export const changedReply = z.object({ object: z.literal('email'), id }).meta({ id: 'ChangedEmail' })

export const sharedReply = changedReply
  .extend({ url: z.url().meta({ description: 'Shows the email to whoever has it, until then.' }) })
  .meta({ id: 'SharedEmail' })

const attachment = {
  id: z.guid(),
  filename: z.string().optional(),
  size: z.int().meta({ description: 'Bytes, decoded.' }),
  content_type: z.string(),
  content_disposition: z.enum(['inline', 'attachment']),
  content_id: z.string().optional(),
  download_url: z.url(),
  expires_at: z.iso.datetime(),
}
export const attachmentReply = z
  .object({ object: z.literal('attachment'), ...attachment })
  .meta({ id: 'EmailAttachment' })
export const attachmentsReply = listOf(z.object(attachment)).meta({ id: 'EmailAttachments' })

const attempt = z.object({
  number: z.int().meta({ description: '1 for the first try.' }),
  duration_ms: z.int(),
  source_ip: z.string().nullable(),
  mx_host: z.string().nullable(),
  mx_address: z.string().nullable(),
  tls: z.string().nullable().meta({ example: 'TLSv1.3 TLS_AES_256_GCM_SHA384 verified' }),
  code: z.int().nullable(),
  enhanced_code: z.string().nullable(),
  category: z.string().nullable(),
  reply: z.string().nullable(),
  in_doubt: z.boolean().meta({ description: 'It was sent, but no reply came.' }),
})

export const timelineReply = listOf(
  z.object({
    at: time,
    type: z.string().meta({
      description:
        'accepted, then delivered, deferred or bounced for each try, and what else there was: suppressed, held, released, rescheduled, cancelled, expired, opened, clicked, complained, unsubscribed, returned (it came back after it had been delivered), return_delayed (it is late there), confirmed (it arrived, as a report says that was asked for).',
      example: 'delivered',
    }),
    recipient: z.string().nullable().meta({ description: 'null: it concerns all of them.' }),
    attempt: attempt.nullable(),
    data: z.record(z.string(), z.unknown()).nullable(),
  }),
).meta({ id: 'EmailEvents' })

export type Sent = z.infer<typeof sentReply>
export type SentBatch = z.infer<typeof sentBatchReply>
export type Email = z.infer<typeof emailReply>
export type Emails = z.infer<typeof emailsReply>
export type LastEvent = z.infer<typeof lastEvent>
