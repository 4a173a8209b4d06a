/** What a client may send to /suppressions. */
import { suppressionOrigins } from '@postel/db/queries/suppressions'
import { suppressionAddress } from '@postel/mail/suppression-address'
import { z } from 'zod'
import 'zod-openapi'
import { uuidPage } from '../paging.ts'
import { projectField } from './scope.ts'

export const batchMax = 1_000
const reasonMax = 1_000
const yearsMax = 100

/** In the form that is compared. */
const email = z
  .string({ error: 'must be a string.' })
  .transform((text, context) => {
    const address = suppressionAddress(text.trim())
    if (typeof address === 'string') return address
    context.addIssue({ code: 'custom', message: `is no address. ${address.problem}` })
    return z.NEVER
  })
  .meta({ example: 'bob@example.com' })

const reason = z
  .string({ error: 'must be a string.' })
  .max(reasonMax, { error: `must have at most ${reasonMax} characters.` })
  .refine((text) => text.isWellFormed() && !text.includes('\0'), {
    error: 'has NUL or half of a surrogate pair: remove it.',
  })

const expiresAt = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 time with a time zone, like 2026-11-30T08:00:00Z.' })
  .refine(
    (text) => Date.parse(text) > Date.now() && Date.parse(text) < Date.now() + yearsMax * 31_557_600_000,
    {
      error: `must be in the future, and at most ${yearsMax} years ahead.`,
    },
  )

const terms = {
  reason: reason.nullish().meta({ description: 'Not in Resend: a note of your own.' }),
  expires_at: expiresAt.nullish().meta({
    description: 'Not in Resend: when mail is sent again. Adding an address anew never shortens it.',
  }),
  project: projectField,
}

const items = <Item extends z.ZodType>(item: Item) =>
  z
    .array(item, { error: 'must be an array.' })
    .min(1, { error: 'must not be empty.' })
    .max(batchMax, { error: `must have at most ${batchMax} entries.` })

const uuid = z.guid({ error: 'must be a valid UUID.' })

export const addRequest = z
  .object({ email, ...terms }, { error: 'must be a JSON object.' })
  .meta({ id: 'AddSuppressionRequest' })

export const addBatchRequest = z
  .object({ emails: items(email), ...terms }, { error: 'must be a JSON object.' })
  .meta({ id: 'AddSuppressionsRequest' })

export const removeBatchRequest = z
  .object(
    { emails: items(email).optional(), ids: items(uuid).optional(), project: projectField },
    { error: 'must be a JSON object.' },
  )
  .refine(({ emails, ids }) => (emails === undefined) !== (ids === undefined), {
    error: 'must have either `emails` or `ids`.',
  })
  .meta({ id: 'RemoveSuppressionsRequest' })

export type Terms = { reason?: string | null | undefined; expires_at?: string | null | undefined }

/** The path's id or address, whichever it is. */
export const idOrEmailPath = z.object({
  idOrEmail: z
    .string()
    .max(512, { error: 'must be an id or an address.' })
    .transform((text, context): { id: string } | { address: string } => {
      if (uuid.safeParse(text).success) return { id: text }
      const address = suppressionAddress(text)
      if (typeof address === 'string') return { address }
      context.addIssue({ code: 'custom', message: 'must be an id or an address.' })
      return z.NEVER
    })
    .meta({ example: 'bob@example.com', override: { type: 'string' } }),
})

export const projectQuery = z.object({ project: projectField })

const origin = z.enum(suppressionOrigins, { error: `must be one of ${suppressionOrigins.join(', ')}.` })
const search = z
  .string({ error: 'must be a string.' })
  .min(1, { error: 'must not be empty.' })
  .max(254, { error: 'must have at most 254 characters.' })
  .refine((text) => !text.includes('\0'), { error: 'has NUL: remove it.' })

const filters = {
  origin: origin.optional(),
  search: search
    .optional()
    .meta({ description: 'Not in Resend: only addresses that contain this, in any case.' }),
  project: projectField,
}

export const filterQuery = z.object(filters)
export const listQuery = uuidPage.extend(filters)
