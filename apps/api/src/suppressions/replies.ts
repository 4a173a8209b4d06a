/** The shapes of what /suppressions answers, and rows in them. */
import { type Suppression, suppressionOrigins } from '@postel/db/queries/suppressions'
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

const entry = z.object({
  id,
  email: z.string().meta({ description: 'In lower case, its domain in A-labels.' }),
  origin: z.enum(suppressionOrigins).meta({ description: 'unsubscribe and import are not in Resend.' }),
  source_id: id.nullable().meta({ description: 'The email that brought it here.' }),
  created_at: time,
  project_id: id
    .nullable()
    .meta({ description: 'Not in Resend: null where it holds for every project of the organization.' }),
  reason: z.string().nullable().meta({ description: 'Not in Resend: the reply that bounced, or a note.' }),
  expires_at: time.nullable().meta({ description: 'Not in Resend: from then on mail is sent again.' }),
})

export const suppressionReply = entry.extend({ object: z.literal('suppression') }).meta({ id: 'Suppression' })
export const suppressionsReply = listOf(entry).meta({ id: 'SuppressionList' })

const added = z.object({ object: z.literal('suppression'), id })
const removed = added.extend({ deleted: z.boolean() })

export const addedReply = added.meta({ id: 'AddedSuppression' })
export const addedBatchReply = z.object({ data: z.array(added) }).meta({ id: 'AddedSuppressions' })
export const removedReply = removed.meta({ id: 'RemovedSuppression' })
export const removedBatchReply = z.object({ data: z.array(removed) }).meta({ id: 'RemovedSuppressions' })

export const importReply = z
  .object({
    object: z.literal('suppression_import'),
    rows: z.int().meta({ description: 'Lines with an address, valid or not.' }),
    added: z.int().meta({ description: 'Addresses that were not suppressed before.' }),
    invalid: z.int(),
    problems: z
      .array(z.object({ line: z.int(), message: z.string() }))
      .meta({ description: 'Of the first invalid lines.' }),
  })
  .meta({ id: 'SuppressionImport' })

export function showEntry(row: Suppression): z.infer<typeof entry> {
  return {
    id: row.id,
    email: row.email,
    origin: row.origin,
    source_id: row.sourceId,
    created_at: row.createdAt,
    project_id: row.projectId,
    reason: row.reason,
    expires_at: row.expiresAt,
  }
}
