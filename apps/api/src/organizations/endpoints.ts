/** /organizations: the tenants themselves. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { createOrganization, deleteOrganization, updateOrganization } from './change-organizations.ts'
import { getOrganization, listOrganizations } from './read-organizations.ts'

export function organizationEndpoints(context: ApiContext): Endpoint[] {
  return [
    listOrganizations(context),
    createOrganization(context),
    getOrganization(context),
    updateOrganization(context),
    deleteOrganization(context),
  ]
}
