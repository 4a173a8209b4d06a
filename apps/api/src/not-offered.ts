/** Paths of Resend's API that Postel does not offer: an SDK gets the answer that it knows for what is not there. */
import type { RequestHandler } from 'express'
import { authenticate } from './authenticate.ts'
import type { ApiContext } from './context.ts'
import { Problem } from './problem.ts'

/** Each with all that is below it. */
export const notOfferedPaths = [
  '/audiences',
  '/automations',
  '/broadcasts',
  '/contact-properties',
  '/contacts',
  '/emails/receiving',
  '/events',
  '/inboxes',
  '/oauth/grants',
  '/segments',
  '/topics',
] as const

const pattern = new RegExp(`^(${notOfferedPaths.join('|')})(/|$)`, 'i')

/** Answers these paths: 404 to a key that is known, to others as every endpoint does. It goes before the routes. */
export function notOffered(context: ApiContext): RequestHandler {
  return async (request, response, next) => {
    if (!pattern.test(request.path)) return next()
    response.locals.route = 'not offered'
    await authenticate(context, request, 'own')
    throw new Problem('not_found', 'The requested endpoint does not exist.')
  }
}
