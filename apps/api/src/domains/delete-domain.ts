/** DELETE /domains/{id}: its mail is held, and goes on if the organization adds and proves the domain again. */
import { findDomain, deleteDomain as removeDomain } from '@postel/db/queries/domains'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { deletedDomainReply } from './replies.ts'
import { factsOf, noDomain, notOfItsProject, ownerOf, showRecords } from './show-domain.ts'

export const deleteDomain = ({ sql, domainHosts }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/domains/{id}',
    id: 'deleteDomain',
    tag: 'Domains',
    summary: 'Delete a domain',
    description:
      'Mail that waits to be sent from it is held. Its keys are gone, and API keys that were limited to it are revoked.',
    access: 'write',
    params: uuidPath,
    reply: deletedDomainReply,
    problems: [403, 404],
    serve: async ({ caller, params: { id } }) => {
      const owner = ownerOf(caller)
      const domain = await findDomain(sql, owner, id)
      if (!domain) throw noDomain()
      const records = showRecords(factsOf(domain, domainHosts), domain.records)
      if (!(await removeDomain(sql, owner, id, records, caller.actor))) throw notOfItsProject()
      return { object: 'domain', id, deleted: true }
    },
  })
