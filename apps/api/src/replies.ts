/** What the API answers, in Resend's shapes: the schemas that document every body, errors included. */
import { z } from 'zod'
import 'zod-openapi'
import { problemNames } from './problem.ts'

const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$/)
  .meta({ example: '2026-11-21 20:13:42.674981+00' })

const id = z.guid().meta({ example: '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e' })

export const problemReply = z
  .object({ statusCode: z.int().min(400).max(599), name: z.enum(problemNames), message: z.string() })
  .meta({ id: 'Problem' })

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

const listOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ object: z.literal('list'), has_more: z.boolean(), data: z.array(item) })

export const emailsReply = listOf(z.object({ ...summary, topic_id: z.null() })).meta({ id: 'Emails' })

const sandboxSummary = {
  id: z.string(),
  received_at: time,
  message_id: id.nullable().meta({ description: 'The id of the email that was sent.' }),
  from: z.string().meta({ description: 'The envelope sender.' }),
  to: z.array(z.string()).meta({ description: 'The envelope recipients.' }),
  subject: z.string(),
  client_address: z.string(),
  ehlo_name: z.string(),
}

export const sandboxMessageReply = z
  .object({
    object: z.literal('sandbox_message'),
    ...sandboxSummary,
    text: z.string().nullable(),
    html: z.string().nullable(),
    headers: z.string().meta({ description: 'The header section as it arrived.' }),
  })
  .meta({ id: 'SandboxMessage' })

export const sandboxMessagesReply = listOf(z.object(sandboxSummary)).meta({ id: 'SandboxMessages' })

export type Sent = z.infer<typeof sentReply>
export type SentBatch = z.infer<typeof sentBatchReply>
export type Email = z.infer<typeof emailReply>
export type Emails = z.infer<typeof emailsReply>
export type LastEvent = z.infer<typeof lastEvent>
export type SandboxMessage = z.infer<typeof sandboxMessageReply>
export type SandboxMessages = z.infer<typeof sandboxMessagesReply>
