/** Who a request comes from, as the caller for the steps that follow: identify → limit to networks → place → permit. */
import { type Credential, worksFrom } from '@postel/db/queries/credentials'
import type { Request } from 'express'
import { type Access, type Caller, mayUse, type Role, tenantOf } from './caller.ts'
import { clientAddress } from './client-address.ts'
import type { ApiContext } from './context.ts'
import { callerOfSession } from './people/session-caller.ts'
import { Problem } from './problem.ts'

/** No key of ours is nearly as long; a longer one is not looked up. */
const maxKeyCharacters = 256
const challenge = { headers: { 'www-authenticate': 'Bearer' } }

/** What identifies callers. */
export type Identities = Pick<ApiContext, 'credentials' | 'people' | 'sql'>

/** The caller of a request; throws the Problem of one that may not use an endpoint of this access. */
export async function authenticate(
  identities: Identities,
  request: Request,
  access: Access,
): Promise<Caller> {
  const caller = await callerOf(identities, request)
  // Rights are rights in an organization; only operators may act in none
  if (access !== 'own' && caller.role !== 'operator') tenantOf(caller)
  if (!mayUse(caller.role, access))
    throw caller.role === 'sender'
      ? new Problem('restricted_api_key', 'This API key is restricted to only send emails.', challenge)
      : new Problem('invalid_permission', 'This needs more rights than you have here.')
  return caller
}

async function callerOf(identities: Identities, request: Request): Promise<Caller> {
  const named = namedPlace(request)
  if (request.headers.authorization === undefined) {
    const person = await callerOfSession(identities, request, named.organization)
    if (person) {
      const { home, ...caller } = person
      return { ...caller, credential: null, ...(await placeIn(identities, home, named)) }
    }
  }
  const key = /^bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '')?.[1]
  if (key === undefined)
    throw new Problem(
      'missing_api_key',
      'Missing API key in the authorization header. Send it as `Authorization: Bearer YOUR_API_KEY`.',
      challenge,
    )
  const { credentials } = identities
  const credential = key.length > maxKeyCharacters ? undefined : await credentials.bySecret(key)
  if (!credential) throw new Problem('invalid_api_key', 'API key is invalid.')
  const address = clientAddress(request)
  if (!worksFrom(credential, address))
    throw new Problem('restricted_api_key', 'This API key does not work from your network.', {
      statusCode: 403,
    })
  credentials.used(credential)
  const caller = {
    actor: { kind: 'api_key' as const, id: credential.id, name: credential.name, address },
    role: roleOf(credential),
    credential,
  }
  return { ...caller, ...(await placeOfKey(identities, credential, named)) }
}

/** A key of the organization is its admin, one of a project that project's maintainer. */
function roleOf({ permission, organizationId, projectId }: Credential): Role {
  if (permission === 'sending_access') return 'sender'
  if (projectId !== null) return 'maintainer'
  return organizationId === null ? 'operator' : 'admin'
}

/** What the headers name; what is not the caller's is answered as what is not there. */
export type NamedPlace = { organization: string | undefined; project: string | undefined }

export function namedPlace(request: Request): NamedPlace {
  return {
    organization: request.get('postel-organization') || undefined,
    project: request.get('postel-project') || undefined,
  }
}

export type Place = Pick<Caller, 'organizationId' | 'organizationStatus' | 'projectId' | 'sender'>

const nowhere: Place = { organizationId: null, organizationStatus: null, projectId: null, sender: null }

/**
 * Where a person or key of an organization (`home`), or with null of the platform, acts: in `home`, or in what it names.
 * Throws 404 for what it may not know of. `credential`: the key whose limits hold for what it sends.
 */
export async function placeIn(
  { credentials }: Identities,
  home: string | null,
  named: NamedPlace,
  credential?: Credential,
): Promise<Place> {
  const organizationId = named.organization?.toLowerCase() ?? home
  if (home !== null && organizationId !== home) throw noOrganization()
  if (organizationId === null) {
    if (named.project !== undefined) throw noProject()
    return nowhere
  }
  const organizationStatus = await credentials.ofOrganization(organizationId)
  if (organizationStatus === undefined) throw noOrganization()
  if (named.project === undefined)
    return { organizationId, organizationStatus, projectId: null, sender: null }
  const sender = await credentials.ofProject(organizationId, named.project, credential)
  if (!sender) throw noProject()
  return { organizationId, organizationStatus, projectId: sender.projectId, sender }
}

async function placeOfKey(identities: Identities, credential: Credential, named: NamedPlace): Promise<Place> {
  const { organizationId, organizationStatus, projectId, sender } = credential
  if (!sender) return placeIn(identities, organizationId, named, credential)
  if (named.organization !== undefined && named.organization.toLowerCase() !== organizationId)
    throw noOrganization()
  if (
    named.project !== undefined &&
    ![projectId, sender.projectName].includes(inCase(named.project, projectId))
  )
    throw noProject()
  return { organizationId, organizationStatus, projectId, sender }
}

/** Ids are one in either case, names are not. */
function inCase(project: string, id: string | null): string {
  return project.toLowerCase() === id ? project.toLowerCase() : project
}

const noOrganization = () =>
  new Problem('not_found', 'The organization that `Postel-Organization` names was not found.')
const noProject = () => new Problem('not_found', 'The project that `Postel-Project` names was not found.')
