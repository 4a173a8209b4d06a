/** What a client may send to /webhooks. */
import { GuardedFetchError, readGuardedUrl } from '@postel/runtime/guarded-fetch'
import { z } from 'zod'
import 'zod-openapi'
import { eventTypes, silentTypes } from './event-types.ts'

const eventsMax = 100

/** A URL that may be asked; `allowPrivate` as in readGuardedUrl. */
const endpoint = (allowPrivate: boolean) =>
  z
    .string({ error: 'must be an https:// URL.' })
    .superRefine((text, context) => {
      try {
        readGuardedUrl(text, { allowPrivate })
      } catch (error) {
        if (!(error instanceof GuardedFetchError)) throw error
        context.addIssue({ code: 'custom', message: error.message })
      }
    })
    .meta({
      example: 'https://hooks.example.com/postel',
      description:
        'An https:// URL on the public Internet, on port 443 or 8000 to 9999, without user, password and fragment. Redirects are not followed.',
    })

const problem = `must be a list of events: ${eventTypes.join(', ')}.`
const events = z
  .array(z.enum([...eventTypes, ...silentTypes], { error: problem }), { error: problem })
  .min(1, { error: 'must have at least one event.' })
  .max(eventsMax, { error: `must have at most ${eventsMax} events.` })
  .transform((list) => [...new Set(list)])
  .meta({
    override: {
      type: 'array',
      minItems: 1,
      maxItems: eventsMax,
      items: { type: 'string', enum: [...eventTypes, ...silentTypes] },
    },
    description: `Told of here: ${eventTypes.join(', ')}. Resend's others are taken and never told.`,
  })

const object = { error: 'must be a JSON object.' }

export const createRequest = (allowPrivate: boolean) =>
  z.object({ endpoint: endpoint(allowPrivate), events }, object).meta({ id: 'CreateWebhook' })

export const updateRequest = (allowPrivate: boolean) =>
  z
    .object(
      {
        endpoint: endpoint(allowPrivate).optional(),
        events: events.optional(),
        status: z.enum(['enabled', 'disabled'], { error: 'must be enabled or disabled.' }).optional(),
      },
      object,
    )
    .meta({ id: 'UpdateWebhook' })

export const testRequest = z
  .object(
    {
      type: z
        .enum(eventTypes, { error: `must be one of ${eventTypes.join(', ')}.` })
        .default('email.sent')
        .meta({ description: 'Whatever the webhook wants else.' }),
    },
    object,
  )
  .meta({ id: 'TestWebhook' })
