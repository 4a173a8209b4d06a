/** What the database refuses of a request that its schema let through, as what the client did wrong. */
import { isDuplicate, isReferenced, refusalOf } from '@postel/db/errors'
import { Problem } from './problem.ts'

/** Of a name or address that is there already, and of a row that others still need or that is not there. */
export type RefusalTexts = { duplicate?: string; referenced?: string }

/** The result of `work`; its refusals as 422, or 409 where `texts` has a sentence for what is in conflict. */
export async function orRefuse<Result>(work: Promise<Result>, texts: RefusalTexts = {}): Promise<Result> {
  try {
    return await work
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal !== undefined)
      throw new Problem('validation_error', `${refusal[0]!.toUpperCase()}${refusal.slice(1)}.`, {
        cause: error,
      })
    if (texts.duplicate !== undefined && isDuplicate(error)) throw inConflict(texts.duplicate, error)
    if (texts.referenced !== undefined && isReferenced(error)) throw inConflict(texts.referenced, error)
    throw error
  }
}

/** 409: what is there stands against it. */
export function inConflict(message: string, cause?: unknown): Problem {
  return new Problem('validation_error', message, { statusCode: 409, cause })
}
