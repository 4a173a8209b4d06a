/** PATCH /domains/{id}: what of it is used, and how. */
import { changeDomain, type DomainChanges, findDomain } from '@postel/db/queries/domains'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { fieldProblem } from '../problem.ts'
import { updateDomainRequest } from './domain-request.ts'
import { domainIdReply } from './replies.ts'
import { factsOf, noDomain, notOfItsProject, ownerOf, showRecords } from './show-domain.ts'

export const updateDomain = ({ sql, domainHosts }: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/domains/{id}',
    id: 'updateDomain',
    tag: 'Domains',
    summary: 'Change a domain',
    access: 'write',
    params: uuidPath,
    body: bodyOf(updateDomainRequest),
    reply: domainIdReply,
    problems: [403, 404],
    serve: async ({ caller, params: { id }, body }) => {
      const owner = ownerOf(caller)
      const domain = await findDomain(sql, owner, id)
      if (!domain) throw noDomain()
      const { sending, receiving } = body.capabilities ?? {}
      const changes: DomainChanges = {
        ...(sending !== undefined && { sending: sending === 'enabled' }),
        ...(receiving !== undefined && { receiving: receiving === 'enabled' }),
        ...(body.open_tracking !== undefined && { openTracking: body.open_tracking }),
        ...(body.click_tracking !== undefined && { clickTracking: body.click_tracking }),
        ...(body.tls !== undefined && { tls: body.tls }),
        ...(body.tracking_subdomain !== undefined && { trackingSubdomain: body.tracking_subdomain }),
        ...(body.custom_return_path !== undefined && { returnPath: body.custom_return_path }),
      }
      const changed = { ...domain, ...changes }
      if (!changed.sending && !changed.receiving)
        throw fieldProblem({ field: 'capabilities', problem: 'Enable sending, receiving or both.' })
      const records = showRecords(factsOf(changed, domainHosts), domain.records)
      if (!(await changeDomain(sql, owner, id, changes, records, caller.actor))) throw notOfItsProject()
      return { object: 'domain', id }
    },
  })
