/** What the endpoints of pools answer. */
import { z } from 'zod'
import { listOf, time } from '../shapes.ts'

const pool = {
  id: z.string().meta({ example: '1' }),
  name: z.string(),
  default: z.boolean().meta({ description: 'New projects get it.' }),
  ips: z.int(),
  projects: z.int(),
  created_at: time,
}

export const poolReply = z.object({ object: z.literal('pool'), ...pool }).meta({ id: 'Pool' })
export const poolsReply = listOf(z.object(pool)).meta({ id: 'Pools' })
export const deletedPoolReply = z
  .object({ object: z.literal('pool'), id: z.string(), deleted: z.literal(true) })
  .meta({ id: 'DeletedPool' })

export type PoolEntry = z.infer<typeof poolsReply>['data'][number]
