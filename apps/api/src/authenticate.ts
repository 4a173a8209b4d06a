/** The API key of a request, as the caller for the steps that follow. */
import type { Credentials } from '@postel/db/queries/credentials'
import type { Request } from 'express'
import { type Access, type Caller, mayUse } from './caller.ts'
import { Problem } from './problem.ts'

/** No key of ours is nearly as long; a longer one is not looked up. */
const maxKeyCharacters = 256
const challenge = { headers: { 'www-authenticate': 'Bearer' } }

/** The caller of a request; throws the Problem of one that may not use an endpoint of this access. */
export async function authenticate(
  credentials: Credentials,
  request: Request,
  access: Access,
): Promise<Caller> {
  const caller = await callerOf(credentials, request)
  if (!mayUse(caller.role, access))
    throw caller.role === 'sender'
      ? new Problem('restricted_api_key', 'This API key is restricted to only send emails.', challenge)
      : new Problem('invalid_permission', 'This needs more rights than you have here.')
  return caller
}

async function callerOf(credentials: Credentials, request: Request): Promise<Caller> {
  const key = /^bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '')?.[1]
  if (key === undefined)
    throw new Problem(
      'missing_api_key',
      'Missing API key in the authorization header. Send it as `Authorization: Bearer YOUR_API_KEY`.',
      challenge,
    )
  const principal = key.length > maxKeyCharacters ? undefined : await credentials.bySecret(key)
  if (!principal) throw new Problem('invalid_api_key', 'API key is invalid.')
  return {
    actor: { kind: 'api_key', id: null, name: 'API key', address: request.socket.remoteAddress ?? null },
    role: principal.permission === 'full_access' ? 'maintainer' : 'sender',
    organizationId: principal.organizationId,
    projectId: principal.projectId,
    sender: principal,
  }
}
