/** Requests that a proxy before us might read in another way than we do are refused. */
import type { RequestHandler } from 'express'
import { Problem } from './problem.ts'

/** Fields that decide where a request belongs and where it ends: Node takes the first of several. */
const single = new Set(['host', 'content-length', 'authorization', 'content-type', 'transfer-encoding'])

/** 400 for a request that has one of these header fields more than once. */
export const refuseAmbiguous: RequestHandler = ({ rawHeaders }, _response, next) => {
  const seen = new Set<string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase()
    if (!single.has(name)) continue
    if (seen.has(name))
      throw new Problem('validation_error', `The request has several \`${name}\` header fields.`, {
        statusCode: 400,
      })
    seen.add(name)
  }
  next()
}
