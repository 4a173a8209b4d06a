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

const lastEvent = z.enum([
  'queued',
  'scheduled',
  'delivery_delayed',
  'delivered',
  'bounced',
  'canceled',
  'suppressed',
])

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
  last_event: lastEvent.meta({ description: 'The newest event of any recipient.' }),
  scheduled_at: z.string().nullable(),
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

export const emailsReply = listOf(z.object({ ...summary, topic_id: z.null() })).meta({ id: 'Emails' })

export type Sent = z.infer<typeof sentReply>
export type SentBatch = z.infer<typeof sentBatchReply>
export type Email = z.infer<typeof emailReply>
export type Emails = z.infer<typeof emailsReply>
export type LastEvent = z.infer<typeof lastEvent>
