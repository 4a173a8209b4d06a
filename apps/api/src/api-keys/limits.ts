/** Nobody gives a key more than they have: the limits of the caller's own key hold for those that it makes. */
import type { KeyScope } from '@postel/db/queries/api-keys'
import { isWithin } from '@postel/runtime/networks'
import { type Caller, mayUse, tenantOf } from '../caller.ts'
import { Problem } from '../problem.ts'

/** Operators that name no organization manage the platform's keys. */
export function keyScopeOf(caller: Caller): KeyScope {
  if (caller.role === 'operator' && caller.organizationId === null)
    return { organizationId: null, projectId: null }
  return tenantOf(caller)
}

/** Whether it may manage keys that have the rights of an admin. */
export function managesAll(caller: Caller): boolean {
  return mayUse(caller.role, 'administer')
}

export function refuseFullAccess(): Problem {
  return new Problem(
    'invalid_permission',
    'A key with full access to the whole organization is made by its admins: name a project, or give sending access.',
  )
}

/** The networks that a key may work from; what was not asked for is as with the caller's own. */
export function boundNetworks(
  { credential }: Caller,
  asked: readonly string[] | null | undefined,
): readonly string[] | null {
  const own = credential?.networks ?? null
  if (own === null) return asked ?? null
  if (asked === undefined) return own
  if (asked?.every((network) => isWithin(network, own))) return asked
  throw tooMuch(`networks beyond its own (${own.join(', ')})`)
}

/** Until when a key may work. */
export function boundExpiry({ credential }: Caller, asked: Date | null | undefined): Date | null {
  const own = credential?.expiresAt ?? null
  if (own === null) return asked ?? null
  if (asked === undefined) return own
  if (asked !== null && asked <= own) return asked
  throw tooMuch('a longer life than its own')
}

/** The domain that a key may send from. */
export function boundDomain({ credential }: Caller, asked: string | null | undefined): string | null {
  const own = credential?.domainId ?? null
  if (own === null || asked === undefined) return asked ?? own
  if (asked === own) return asked
  throw tooMuch('another domain than its own')
}

/** A test key makes test keys only. */
export function boundTest({ credential }: Caller, asked: boolean | undefined): boolean {
  const own = credential?.test ?? false
  if (own && asked === false) throw tooMuch('live mail')
  return asked ?? own
}

function tooMuch(what: string): Problem {
  return new Problem('invalid_permission', `This API key cannot give ${what}.`)
}
