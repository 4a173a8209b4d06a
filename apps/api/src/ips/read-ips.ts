/** GET /ips and /ips/{id}. */
import { findIp, type IpRow, ipStates, listIps as readIps } from '@postel/db/queries/ips'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { rowId } from '../operator-fields.ts'
import { numberPage, oneCursor } from '../paging.ts'
import { Problem } from '../problem.ts'
import { ipReply, ipsReply } from './replies.ts'
import { showIp } from './show-ip.ts'

export const ipPath = z.object({ id: rowId })

const ipsQuery = numberPage.extend({
  pool_id: rowId.optional(),
  state: z.enum(ipStates, { error: `must be one of ${ipStates.join(', ')}.` }).optional(),
})

export const listIps = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/ips',
    id: 'listIps',
    tag: 'IPs',
    summary: 'List the source IPs with their state and queue, newest first',
    access: 'operate',
    query: ipsQuery,
    reply: ipsReply,
    serve: async ({ query }) => {
      const { pool_id, state, ...page } = oneCursor(query)
      const found = await readIps(sql, { poolId: pool_id, state }, page)
      return { object: 'list', has_more: found.hasMore, data: found.rows.map(showIp) }
    },
  })

export const getIp = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/ips/{id}',
    id: 'getIp',
    tag: 'IPs',
    summary: 'Get a source IP',
    access: 'operate',
    params: ipPath,
    reply: ipReply,
    problems: [404],
    serve: async ({ params: { id } }) => ({ object: 'ip', ...showIp(await theIp(sql, id)) }),
  })

/** Throws 404 when there is none. */
export async function theIp(sql: ApiContext['sql'], id: string): Promise<IpRow> {
  const ip = await findIp(sql, id)
  if (!ip) throw new Problem('not_found', 'IP not found.')
  return ip
}
