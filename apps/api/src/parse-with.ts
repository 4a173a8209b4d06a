/** Bodies that a schema alone can read. */
import type { z } from 'zod'
import type { Body } from './endpoint.ts'
import { schemaProblem } from './problem.ts'

/** A JSON body of this schema; what is not right is refused by the name of its first field. */
export function bodyOf<Schema extends z.ZodType>(
  schema: Schema,
  options: Pick<Body<unknown>, 'required' | 'maxBytes'> = {},
): Body<z.infer<Schema>> {
  return {
    ...options,
    schema,
    parse: (body) => {
      const result = schema.safeParse(body)
      if (!result.success) throw schemaProblem(result.error, body)
      return result.data
    },
  }
}
