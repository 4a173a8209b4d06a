/** What the endpoints of suspensions answer. */
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

const suspension = {
  id: z.string().meta({ example: '3' }),
  domain: z.string().nullable().meta({ description: 'Of the recipient; `*.example.com`: all below.' }),
  project_id: id.nullable(),
  reason: z.string(),
  until: time.nullable().meta({ description: 'null: until it is ended.' }),
  requested_by: z.string(),
  queued: z.int().meta({ description: 'Recipients in the queue behind it.' }),
  created_at: time,
}

export const suspensionReply = z
  .object({ object: z.literal('suspension'), ...suspension })
  .meta({ id: 'Suspension' })
export const suspensionsReply = listOf(z.object(suspension)).meta({ id: 'Suspensions' })
export const endedSuspensionReply = z
  .object({ object: z.literal('suspension'), id: z.string(), deleted: z.literal(true) })
  .meta({ id: 'DeletedSuspension' })

export type SuspensionEntry = z.infer<typeof suspensionsReply>['data'][number]
