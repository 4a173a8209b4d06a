/** GET /organizations and GET /organizations/{id}. */
import {
  findOrganization,
  type Organization,
  type OrganizationScope,
  listOrganizations as readOrganizations,
} from '@postel/db/queries/organizations'
import type { MemberRole } from '@postel/db/queries/people'
import { type Caller, tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage, uuidPath } from '../paging.ts'
import { ownCaller } from '../people/own-caller.ts'
import { Problem } from '../problem.ts'
import { organizationListReply, organizationReply } from './replies.ts'

/** Operators see all, people those that they belong to, keys their own. */
export function scopeOf(caller: Caller): OrganizationScope {
  if (caller.role === 'operator') return 'all'
  if (caller.credential === null && caller.actor.id !== null) return { userId: caller.actor.id }
  if (caller.role === 'sender')
    throw new Problem('restricted_api_key', 'This API key is restricted to only send emails.')
  return { organizationId: tenantOf(caller).organizationId }
}

export const listOrganizations = (context: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/organizations',
    id: 'listOrganizations',
    tag: 'Organizations',
    summary: 'List your organizations',
    description: 'Operators see all, people those that they belong to, keys their own.',
    access: 'own',
    query: uuidPage,
    reply: organizationListReply,
    problems: [401, 403, 404, 429],
    serve: async (ask) => {
      const scope = scopeOf(await ownCaller(context, ask))
      const { rows, hasMore } = await readOrganizations(context.sql, scope, oneCursor(ask.query))
      return { object: 'list', has_more: hasMore, data: rows.map(shown) }
    },
  })

export const getOrganization = (context: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/organizations/{id}',
    id: 'getOrganization',
    tag: 'Organizations',
    summary: 'Show an organization',
    access: 'own',
    params: uuidPath,
    reply: organizationReply,
    problems: [401, 403, 404, 429],
    serve: async (ask) => {
      const found = await findOrganization(context.sql, scopeOf(await ownCaller(context, ask)), ask.params.id)
      if (!found) throw noOrganization()
      return shown(found)
    },
  })

export const noOrganization = () => new Problem('not_found', 'Organization not found.')

export function shown({
  id,
  name,
  status,
  statusReason,
  role,
  createdAt,
}: Organization & { role: string | null }) {
  return {
    object: 'organization' as const,
    id,
    name,
    status,
    status_reason: statusReason,
    role: role as MemberRole | null,
    created_at: createdAt,
  }
}
