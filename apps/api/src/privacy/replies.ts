/** What /privacy answers. */
import { z } from 'zod'
import { id, time } from '../shapes.ts'

const anything = z.record(z.string(), z.unknown())

export const exportReply = z
  .object({
    object: z.literal('privacy_export'),
    email: z.string(),
    has_more: z.boolean().meta({ description: 'More emails: ask again with `after`, the last id.' }),
    emails: z.array(
      z.object({
        id,
        project_id: id,
        created_at: time,
        from: z.string(),
        subject: z.string(),
        details: anything.nullable().meta({ description: 'What was given beyond the message itself.' }),
        recipient: z.string(),
        state: z.string(),
        last_reply: z.string().nullable(),
        body: z.boolean().meta({ description: 'The message itself is stored too: GET /emails/{id} has it.' }),
        attempts: z.array(anything),
        events: z.array(anything),
      }),
    ),
    suppressions: z.array(anything),
    audit_log: z.array(anything),
  })
  .meta({ id: 'PrivacyExport' })

export const erasureReply = z
  .object({
    object: z.literal('privacy_erasure'),
    emails: z.int().min(0).meta({ description: 'Emails that the address was erased from.' }),
    pending: z.int().min(0).meta({
      description:
        'Emails that were left as they are, since they are still to be delivered to others: ask again.',
    }),
  })
  .meta({ id: 'PrivacyErasure' })
