/** The id of a request: in its reply, and in each log line about it. */
import { randomUUID } from 'node:crypto'
import type { RequestHandler, Response } from 'express'

/** What proxies send is taken over, so that one id goes through all logs; anything else in the header is not. */
const wellFormed = /^[A-Za-z0-9._-]{8,64}$/

/** Takes X-Request-Id over from a proxy or makes one, and answers with it. */
export const identifyRequest: RequestHandler = (request, response, next) => {
  const given = request.get('x-request-id')
  const id = given !== undefined && wellFormed.test(given) ? given : randomUUID()
  response.locals.requestId = id
  response.set('x-request-id', id)
  next()
}

/** The id that identifyRequest gave it. */
export function requestIdOf({ locals }: Response): string {
  return locals.requestId as string
}
