/** What /organizations/{id}/moderation answers. */
import { z } from 'zod'
import { id, time } from '../shapes.ts'

export const statuses = ['active', 'no_sending', 'no_receiving', 'frozen'] as const

const count = z.int().min(0)

export const moderationReply = z
  .object({
    object: z.literal('moderation'),
    organization_id: id,
    status: z.enum(statuses),
    reason: z.string().nullable(),
    since: time.nullable(),
    trusted: z.boolean(),
    last_day: z
      .object({ recipients: count, invalid: count, complained: count })
      .meta({ description: 'How its mail ended: recipients in all, those that do not exist, complaints.' }),
  })
  .meta({ id: 'Moderation' })
