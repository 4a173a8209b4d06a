/** Addresses in the one text form that Postgres gives for host(inet). */
import { BlockList, isIP, SocketAddress } from 'node:net'

/** IPv6 compressed and in lower case, without prefix length or zone. Undefined: it is no IP address. */
export function canonicalAddress(text: string): string | undefined {
  const address = text.trim().split(/[/%]/)[0]!
  const version = isIP(address)
  if (version === 0) return undefined
  return new SocketAddress({ address, family: version === 6 ? 'ipv6' : 'ipv4' }).address
}

/** Whether the address is in a network like `2001:db8::/64`. Without prefix length: whether it is that very address. */
export function isInNetwork(address: string, network: string): boolean {
  const [base, prefix] = network.split('/')
  const version = isIP(base ?? '')
  if (version === 0 || isIP(address) !== version) return false
  const family = version === 6 ? 'ipv6' : 'ipv4'
  const set = new BlockList()
  set.addSubnet(base!, prefix === undefined ? (version === 6 ? 128 : 32) : Number(prefix), family)
  return set.check(address, family)
}

/** The first address of a network to be used by a machine: `2001:db8::1` of `2001:db8::/64`. */
export function firstHost(network: string): string | undefined {
  const base = canonicalAddress(network)
  return base?.endsWith('::') ? canonicalAddress(`${base}1`) : base
}
