/** A person's session, as a caller. */
import type { Actor } from '@postel/db/queries/audit'
import { findPerson, type MemberRole } from '@postel/db/queries/people'
import type { Request } from 'express'
import type { Role } from '../caller.ts'
import { clientAddress } from '../client-address.ts'
import type { ApiContext } from '../context.ts'
import { Problem } from '../problem.ts'

export type SessionCaller = {
  actor: Actor
  role: Role
  /** The organization it is at home in; null: of the platform, or of several and none was named. */
  home: string | null
}

/**
 * Who the session of a request is, with the role as it is at this moment, in `organization` where the request names one,
 * else in the only one that the person belongs to. Undefined when the request has no session. Throws 401 for a session
 * that is over, 403 for a write from another site, 404 for an organization that the person does not belong to.
 */
export async function callerOfSession(
  { sql, people }: Pick<ApiContext, 'sql' | 'people'>,
  request: Request,
  organization: string | undefined,
): Promise<SessionCaller | undefined> {
  const id = await people.sessionOf(request)
  if (id === undefined) return undefined
  const person = id === null ? undefined : await findPerson(sql, id)
  if (!person) throw new Problem('missing_api_key', 'You are not signed in any more.')
  const actor = {
    kind: 'person' as const,
    id: person.id,
    name: person.email,
    address: clientAddress(request),
  }
  if (person.platformAdmin) return { actor, role: 'operator', home: null }
  const { memberships } = person
  const membership =
    organization === undefined
      ? memberships.length === 1
        ? memberships[0]
        : undefined
      : memberships.find(({ organizationId }) => organizationId === organization.toLowerCase())
  if (!membership && organization !== undefined)
    throw new Problem('not_found', 'The organization that `Postel-Organization` names was not found.')
  return { actor, role: membership?.role ?? lowest, home: membership?.organizationId ?? null }
}

const lowest: MemberRole = 'read_only'
