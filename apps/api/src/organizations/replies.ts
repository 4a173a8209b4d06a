/** What the endpoints of organizations answer. */
import { z } from 'zod'
import { memberRole } from '../people/replies.ts'
import { id, listOf, time } from '../shapes.ts'

export const organizationReply = z
  .object({
    object: z.literal('organization'),
    id,
    name: z.string(),
    status: z.enum(['active', 'no_sending', 'no_receiving', 'frozen']).meta({
      description:
        'no_sending: mail is taken and held. no_receiving: no mail is taken. frozen: neither, and nothing can be changed.',
    }),
    status_reason: z.string().nullable(),
    role: memberRole.nullable().meta({ description: 'Of the person who asks; null for keys and operators.' }),
    created_at: time,
  })
  .meta({ id: 'Organization' })

export const organizationListReply = listOf(organizationReply)

export const changedOrganizationReply = z.object({ object: z.literal('organization'), id })
export const deletedOrganizationReply = changedOrganizationReply.extend({ deleted: z.literal(true) })
