/** The parameters of lists and items: limit, after and before, ids. */
import type { Request } from 'express'
import { z } from 'zod'
import 'zod-openapi'
import { Problem, parameterProblem } from './problem.ts'

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

export const emailPage = z.object(cursors(uuid))
export const emailPath = z.object({ id: uuid })
export const sandboxPage = z.object(cursors(rowNumber))
export const sandboxPath = z.object({ id: rowNumber })

export type PageParameters = { limit: number; after?: string | undefined; before?: string | undefined }

/** Throws a Problem for what is not right; unknown parameters are ignored. */
export function readPage(schema: typeof emailPage | typeof sandboxPage, request: Request): PageParameters {
  const result = schema.safeParse(request.query)
  if (!result.success) throw parameterProblem(result.error)
  if (result.data.after !== undefined && result.data.before !== undefined)
    throw new Problem('validation_error', 'Give `after` or `before`, not both.')
  return result.data
}

export function readId(schema: typeof emailPath | typeof sandboxPath, request: Request): string {
  const result = schema.safeParse(request.params)
  if (!result.success) throw parameterProblem(result.error)
  return result.data.id
}
