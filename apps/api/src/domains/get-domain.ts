/** GET /domains/{id}: the domain with its DNS records, as the last look at them found. */
import { findDomain } from '@postel/db/queries/domains'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { domainReply } from './replies.ts'
import { noDomain, ownerOf, showDomain } from './show-domain.ts'

export const getDomain = ({ sql, domainHosts }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/domains/{id}',
    id: 'getDomain',
    tag: 'Domains',
    summary: 'Get a domain and its DNS records',
    access: 'read',
    params: uuidPath,
    reply: domainReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      const domain = await findDomain(sql, ownerOf(caller), id)
      if (!domain) throw noDomain()
      return showDomain(domain, domainHosts)
    },
  })
