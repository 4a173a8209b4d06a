/** /ips: the source IPs that mail leaves from. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { changeIp, createIp, moveQueue } from './change-ips.ts'
import { getIp, listIps } from './read-ips.ts'

export function ipEndpoints(context: ApiContext): Endpoint[] {
  return [listIps(context), createIp(context), getIp(context), changeIp(context), moveQueue(context)]
}
