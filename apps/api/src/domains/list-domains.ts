/** GET /domains: newest first. */
import { listDomains as readDomains } from '@postel/db/queries/domains'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage } from '../paging.ts'
import { domainsReply } from './replies.ts'
import { ownerOf, showSummary } from './show-domain.ts'

export const listDomains = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/domains',
    id: 'listDomains',
    tag: 'Domains',
    summary: 'List domains, newest first',
    access: 'read',
    query: uuidPage,
    reply: domainsReply,
    serve: async ({ caller, query }) => {
      const page = await readDomains(sql, ownerOf(caller), oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showSummary) }
    },
  })
