/** The parameters of lists and items: limit, after and before, ids. */
import { z } from 'zod'
import 'zod-openapi'
import { Problem } from './problem.ts'

const uuid = z.guid({ error: 'must be a valid UUID.' })
const rowNumber = z.string({ error: 'must be a number.' }).regex(/^\d{1,18}$/, { error: 'must be a number.' })

const limit = z
  .string({ error: 'must be a number from 1 to 100.' })
  .regex(/^(100|[1-9]\d?)$/, { error: 'must be a number from 1 to 100.' })
  .transform(Number)
  .default(20)
  .meta({
    override: ({ jsonSchema }) => {
      delete jsonSchema.pattern
      Object.assign(jsonSchema, { type: 'integer', minimum: 1, maximum: 100 })
    },
  })

const cursors = <Id extends z.ZodType<string>>(id: Id) => ({
  limit,
  after: id.optional().meta({ description: 'Only what is older than this id.' }),
  before: id.optional().meta({ description: 'Only what is newer than this id.' }),
})

/** Ids that are UUIDs, as most are. */
export const uuidPage = z.object(cursors(uuid))
export const uuidPath = z.object({ id: uuid })
/** Ids that count rows. */
export const numberPage = z.object(cursors(rowNumber))
export const numberPath = z.object({ id: rowNumber })

export type PageParameters = { limit: number; after?: string | undefined; before?: string | undefined }

/** Throws a Problem when a page is asked for in both directions. */
export function oneCursor<Page extends PageParameters>(page: Page): Page {
  if (page.after !== undefined && page.before !== undefined)
    throw new Problem('validation_error', 'Give `after` or `before`, not both.')
  return page
}
