/**
 * Source IPs on interfaces. What the agent has added carries its mark: the metric of the address, which the kernel keeps with the
 * address, whoever restarts, and which `ip address` shows. (Labels are for IPv4 alone, and protocols of addresses need a newer iproute2.)
 */
import { isIPv6 } from 'node:net'
import type { IpRoute } from './iproute.ts'

/** 0x506f73, "Pos": no interface manager makes such a metric. */
export const mark = 5_271_411

/**
 * Adds a source IP so that only a process that binds to it sends from it, and the node goes on to use its own address. IPv4: it
 * comes behind the node's own, and as an address without a network it is never the one that fits a gateway. (A smaller scope than
 * `global` would put it in front, where programs that take a node's first address find it.) IPv6: it is deprecated from the start
 * (RFC 6724, rule 3), and not probed for duplicates: the former node may still have it for a moment, and it would be unusable then.
 */
export async function addAddress(ip: IpRoute, address: string, device: string): Promise<void> {
  const [prefix, ...traits] = isIPv6(address)
    ? [128, 'nodad', 'valid_lft', 'forever', 'preferred_lft', '0']
    : [32]
  const args = ['address', 'add', `${address}/${prefix}`, 'dev', device, 'metric', String(mark), ...traits]
  await ip(...(args as string[])).catch(unless(/File exists/))
}

export async function removeAddress(ip: IpRoute, address: string, device: string): Promise<void> {
  const prefix = isIPv6(address) ? 128 : 32
  await ip('address', 'delete', `${address}/${prefix}`, 'dev', device).catch(
    unless(/Cannot assign requested address/),
  )
}

/** Somebody else was faster. */
function unless(done: RegExp) {
  return (error: unknown) => {
    if (!done.test(String(error))) throw error
  }
}
