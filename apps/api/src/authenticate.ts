/** Who asks: the API key of a request, as a principal for the steps that follow. */
import type { Credentials, Principal } from '@postel/db/queries/credentials'
import type { RequestHandler, Response } from 'express'
import { Problem } from './problem.ts'

/** No key of ours is nearly as long; a longer one is not looked up. */
const maxKeyCharacters = 256
const challenge = { headers: { 'www-authenticate': 'Bearer' } }

/** Lets a request pass whose key has at least this permission; its principal is then principalOf(response). */
export function authenticate(credentials: Credentials, permission: Principal['permission']): RequestHandler {
  return async (request, response, next) => {
    const principal = await principalFor(credentials, request.headers.authorization)
    if (permission === 'full_access' && principal.permission !== 'full_access')
      throw new Problem('restricted_api_key', 'This API key is restricted to only send emails.', challenge)
    response.locals.principal = principal
    next()
  }
}

/** The principal of an Authorization header; throws the Problem of one that is missing or not known. */
export async function principalFor(
  credentials: Credentials,
  authorization: string | undefined,
): Promise<Principal> {
  const key = /^bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1]
  if (key === undefined)
    throw new Problem(
      'missing_api_key',
      'Missing API key in the authorization header. Send it as `Authorization: Bearer YOUR_API_KEY`.',
      challenge,
    )
  const principal = key.length > maxKeyCharacters ? undefined : await credentials.bySecret(key)
  if (!principal) throw new Problem('invalid_api_key', 'API key is invalid.')
  return principal
}

/** Only behind authenticate(). */
export function principalOf(response: Response): Principal {
  return response.locals.principal as Principal
}
