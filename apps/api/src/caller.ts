/** Who asks, and what that allows. */
import type { Actor } from '@postel/db/queries/audit'
import type { Credential, OrganizationStatus, Principal } from '@postel/db/queries/credentials'
import { Problem } from './problem.ts'

/**
 * What an endpoint asks for:
 * - `anyone`: nothing
 * - `own`: the endpoint decides by itself
 * - `send`: whoever may send mail of a project
 * - `read`: keys with full access, people of any role
 * - `write`: keys with full access, maintainers and admins
 * - `administer`: keys of the organization with full access, its admins
 * - `operate`: operators of the platform
 */
export type Access = 'anyone' | 'own' | 'send' | 'read' | 'write' | 'administer' | 'operate'

/** Each includes those before it. A project's key with full access is a maintainer of that project, an organization's an admin. */
export const roles = ['sender', 'read_only', 'maintainer', 'admin', 'operator'] as const
export type Role = (typeof roles)[number]

const least: Record<Exclude<Access, 'anyone' | 'own'>, Role> = {
  send: 'sender',
  read: 'read_only',
  write: 'maintainer',
  administer: 'admin',
  operate: 'operator',
}

export type Caller = {
  actor: Actor
  role: Role
  /** The organization it acts in; null only for operators that named none. */
  organizationId: string | null
  organizationStatus: OrganizationStatus | null
  /** The project it acts in; null when it acts in the whole organization. */
  projectId: string | null
  /** What it may send; null when it acts in no project. */
  sender: Principal | null
  /** The key behind it; null for a person. */
  credential: Credential | null
}

export function mayUse(role: Role, access: Access): boolean {
  if (access === 'anyone' || access === 'own') return true
  // Reading is not sending: a read-only person sends nothing
  if (access === 'send' && role === 'read_only') return false
  return roles.indexOf(role) >= roles.indexOf(least[access])
}

export type Tenant = { organizationId: string; projectId: string | null }

/** The organization, and where there is one the project, that the caller acts in: for the `where` of every query. */
export function tenantOf({ organizationId, projectId }: Caller): Tenant {
  if (organizationId === null)
    throw new Problem(
      'validation_error',
      'Name the organization: send its id in the `Postel-Organization` header.',
    )
  return { organizationId, projectId }
}

/** The project that the caller acts in. */
export function projectOf(caller: Caller): { organizationId: string; projectId: string } {
  const { organizationId, projectId } = tenantOf(caller)
  if (projectId === null)
    throw new Problem(
      'validation_error',
      'Name the project: send its id or name in the `Postel-Project` header.',
    )
  return { organizationId, projectId }
}

/** Whose mail it sends. */
export function senderOf(caller: Caller): Principal {
  projectOf(caller)
  return caller.sender!
}
