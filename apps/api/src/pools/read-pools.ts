/** GET /pools, /pools/{id} and /pools/{id}/ips. */
import { listIps } from '@postel/db/queries/ips'
import { findPool, type PoolRow, listPools as readPools } from '@postel/db/queries/pools'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { ipsReply } from '../ips/replies.ts'
import { showIp } from '../ips/show-ip.ts'
import { rowId } from '../operator-fields.ts'
import { numberPage, oneCursor } from '../paging.ts'
import { Problem } from '../problem.ts'
import { type PoolEntry, poolReply, poolsReply } from './replies.ts'

export const poolPath = z.object({ id: rowId })

export const listPools = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/pools',
    id: 'listPools',
    tag: 'Pools',
    summary: 'List the pools of source IPs, newest first',
    access: 'operate',
    query: numberPage,
    reply: poolsReply,
    serve: async ({ query }) => {
      const page = await readPools(sql, oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showPool) }
    },
  })

export const getPool = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/pools/{id}',
    id: 'getPool',
    tag: 'Pools',
    summary: 'Get a pool',
    access: 'operate',
    params: poolPath,
    reply: poolReply,
    problems: [404],
    serve: async ({ params: { id } }) => ({ object: 'pool', ...showPool(await thePool(sql, id)) }),
  })

export const listPoolIps = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/pools/{id}/ips',
    id: 'listPoolIps',
    tag: 'Pools',
    summary: 'List the source IPs of a pool, newest first',
    access: 'operate',
    params: poolPath,
    query: numberPage,
    reply: ipsReply,
    problems: [404],
    serve: async ({ params: { id }, query }) => {
      await thePool(sql, id)
      const page = await listIps(sql, { poolId: id }, oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showIp) }
    },
  })

/** Throws 404 when there is none. */
export async function thePool(sql: ApiContext['sql'], id: string): Promise<PoolRow> {
  const pool = await findPool(sql, id)
  if (!pool) throw new Problem('not_found', 'Pool not found.')
  return pool
}

export function showPool(pool: PoolRow): PoolEntry {
  return {
    id: pool.id,
    name: pool.name,
    default: pool.isDefault,
    ips: pool.ips,
    projects: pool.projects,
    created_at: pool.createdAt,
  }
}
