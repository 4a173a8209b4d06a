/** How far a caller reaches into the queue. */
import type { QueueScope } from '@postel/db/queries/queue'
import { type Caller, tenantOf } from '../caller.ts'

/** The tenant that the caller acts in; all mail for an operator that named none. */
export function scopeOf(caller: Caller): QueueScope {
  if (caller.role === 'operator' && caller.organizationId === null)
    return { organizationId: null, projectId: null }
  return tenantOf(caller)
}
