/** Shapes that many replies share. */
import { z } from 'zod'
import 'zod-openapi'
import { problemNames } from './problem.ts'

/** In UTC with microseconds, as Resend writes it. */
export const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$/)
  .meta({ example: '2026-11-21 20:13:42.674981+00' })

export const id = z.guid().meta({ example: '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e' })

export const problemReply = z
  .object({ statusCode: z.int().min(400).max(599), name: z.enum(problemNames), message: z.string() })
  .meta({ id: 'Problem' })

export const listOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ object: z.literal('list'), has_more: z.boolean(), data: z.array(item) })
