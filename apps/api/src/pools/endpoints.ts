/** /pools: groups of source IPs. A message never leaves from an IP outside its project's pool. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { changePool, createPool, deletePool } from './change-pools.ts'
import { getPool, listPoolIps, listPools } from './read-pools.ts'

export function poolEndpoints(context: ApiContext): Endpoint[] {
  return [
    listPools(context),
    createPool(context),
    getPool(context),
    changePool(context),
    deletePool(context),
    listPoolIps(context),
  ]
}
