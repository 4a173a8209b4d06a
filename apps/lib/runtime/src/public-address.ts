/** Which addresses belong to the public Internet, for requests to URLs that tenants have chosen. */
import ipaddr from 'ipaddr.js'

const globalUnicast = ipaddr.parseCIDR('2000::/3') as [ipaddr.IPv6, number]
/** Azure's machine services answer there, to every machine in it. */
const cloudServices = new Set(['168.63.129.16'])

/**
 * Whether an IP address can only be a host on the public Internet. Mapped, translated and tunnelled IPv4 (::ffff:0:0/96,
 * 64:ff9b::/96, 64:ff9b:1::/48, 6to4, Teredo) is not public, whatever it leads to, nor is an address with a zone.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address) || address.includes('%')) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  return parsed instanceof ipaddr.IPv6 ? parsed.match(globalUnicast) : !cloudServices.has(parsed.toString())
}
