/** What the endpoints of the built-in mailbox answer. */
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

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

export type SandboxMessage = z.infer<typeof sandboxMessageReply>
export type SandboxMessages = z.infer<typeof sandboxMessagesReply>
