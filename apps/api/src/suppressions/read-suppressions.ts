/** GET /suppressions and /suppressions/{idOrEmail}. */
import { findSuppressions, listSuppressions as readSuppressions } from '@postel/db/queries/suppressions'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor } from '../paging.ts'
import { Problem } from '../problem.ts'
import { showEntry, suppressionReply, suppressionsReply } from './replies.ts'
import { idOrEmailPath, listQuery, projectQuery } from './requests.ts'
import { scopeOf } from './scope.ts'

const tag = 'Suppressions'

export const listSuppressions = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/suppressions',
    id: 'listSuppressions',
    tag,
    summary: 'List suppressed addresses, newest first',
    description: "A project's key sees its own and those of the whole organization.",
    access: 'read',
    query: listQuery,
    reply: suppressionsReply,
    serve: async ({ caller, query }) => {
      const scope = await scopeOf(sql, caller, query.project)
      const page = await readSuppressions(sql, scope, query, oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showEntry) }
    },
  })

export const getSuppression = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/suppressions/{idOrEmail}',
    id: 'getSuppression',
    tag,
    summary: 'Get a suppressed address',
    access: 'read',
    params: idOrEmailPath,
    query: projectQuery,
    reply: suppressionReply,
    problems: [404],
    serve: async ({ caller, params: { idOrEmail }, query }) => {
      const scope = await scopeOf(sql, caller, query.project)
      const [row] = await findSuppressions(sql, scope, whichOf(idOrEmail))
      if (!row) throw new Problem('not_found', 'Suppression not found.')
      return { object: 'suppression', ...showEntry(row) }
    },
  })

/** One id or one address, as the queries take them. */
export function whichOf(one: { id: string } | { address: string }): { ids?: string[]; addresses?: string[] } {
  return 'id' in one ? { ids: [one.id] } : { addresses: [one.address] }
}
