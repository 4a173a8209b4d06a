/** What the endpoints of webhooks answer, in Resend's shapes. */
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

const webhook = z.literal('webhook')
const event = z.literal('webhook_event')
const signingSecret = z.string().regex(/^whsec_[A-Za-z0-9+/]+=*$/)

export const createdReply = z
  .object({ object: webhook, id, signing_secret: signingSecret })
  .meta({ id: 'CreatedWebhook' })

export const changedReply = z.object({ object: webhook, id }).meta({ id: 'ChangedWebhook' })
export const deletedReply = z
  .object({ object: webhook, id, deleted: z.literal(true) })
  .meta({ id: 'DeletedWebhook' })

const summary = {
  id,
  created_at: time,
  status: z.enum(['enabled', 'disabled']),
  status_reason: z.enum(['gone', 'failing']).nullable().meta({
    description: 'Not in Resend: why the system disabled it. gone: it answered 410; failing: for five days.',
  }),
  endpoint: z.string(),
  events: z.array(z.string()),
}

export const webhookReply = z
  .object({
    object: webhook,
    ...summary,
    signing_secret: signingSecret.optional().meta({ description: 'For those who may change the webhook.' }),
  })
  .meta({ id: 'Webhook' })

export const webhooksReply = listOf(z.object(summary)).meta({ id: 'Webhooks' })

const eventSummary = {
  id: id.meta({ description: 'The webhook-id (svix-id) header of each attempt.' }),
  type: z.string(),
  created_at: time,
  status: z
    .enum(['success', 'pending', 'attempting', 'failed'])
    .meta({ description: 'attempting: tried in vain, and tried again at next_attempt_at.' }),
}

export const webhookEventReply = z
  .object({
    object: event,
    ...eventSummary,
    next_attempt_at: time.nullable(),
    payload: z.record(z.string(), z.unknown()).meta({ description: 'The body.' }),
  })
  .meta({ id: 'WebhookEvent' })

export const webhookEventsReply = listOf(z.object(eventSummary)).meta({ id: 'WebhookEvents' })

export const sentEventReply = z.object({ object: event, id }).meta({ id: 'SentWebhookEvent' })

export const attemptsReply = listOf(
  z.object({
    id,
    http_status_code: z.int().meta({ description: '0: there was no answer.' }),
    response: z.string().meta({ description: 'The beginning of the answer.' }),
    sent_at: time,
    error: z.string().nullable().meta({ description: 'Not in Resend: why it counts as failed.' }),
    duration_ms: z.int().meta({ description: 'Not in Resend.' }),
  }),
).meta({ id: 'WebhookAttempts' })
