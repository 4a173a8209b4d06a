/** A source IP in the shape of the replies. */
import type { IpRow } from '@postel/db/queries/ips'
import type { IpEntry } from './replies.ts'

export function showIp(ip: IpRow): IpEntry {
  return {
    id: ip.id,
    address: ip.address,
    pool_id: ip.poolId,
    pool: ip.pool,
    ehlo_name: ip.ehloName,
    state: ip.state,
    reason: ip.reason,
    weight: ip.weight,
    node_name: ip.nodeName,
    held_by: ip.heldBy,
    held_since: ip.heldSince,
    queued: ip.queued,
    in_flight: ip.inFlight,
    oldest_queued_at: ip.oldestQueuedAt,
    dns: {
      ptr_names: ip.dns.ptrNames,
      ptr_ok: ip.dns.ptrOk,
      forward_ok: ip.dns.forwardOk,
      ehlo_ok: ip.dns.ehloOk,
      problem: ip.dnsProblem,
      checked_at: ip.dnsCheckedAt,
    },
    created_at: ip.createdAt,
  }
}
