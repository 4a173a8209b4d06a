/** What /usage answers. */
import { z } from 'zod'
import { id } from '../shapes.ts'

const count = z.int().min(0)

export const usageReply = z
  .object({
    object: z.literal('usage'),
    month: z.string().meta({ example: '2026-11', description: 'UTC.' }),
    quota: count
      .nullable()
      .meta({ description: 'Recipients a month of the whole organization; null: no limit.' }),
    used: count.meta({ description: 'Recipients of the whole organization, as of now.' }),
    remaining: count.nullable(),
    data: z
      .array(
        z.object({
          day: z.string().meta({ example: '2026-11-21' }),
          project_id: id,
          project: z.string(),
          emails: count,
          recipients: count,
        }),
      )
      .meta({ description: 'Newest day first; about a minute old.' }),
  })
  .meta({ id: 'Usage' })
