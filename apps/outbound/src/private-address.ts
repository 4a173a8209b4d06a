/** Addresses that no mail exchanger of another organization can have: mail must not be led there by someone's DNS. */
import { BlockList, isIPv6 } from 'node:net'

/** The IANA special-purpose registries (RFC 6890 and its updates), and cloud services on addresses that look public. */
const privateNetworks = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  // Azure's machine services
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // All but global unicast (2000::/3): mapped and translated IPv4, NAT64, loopback, local, multicast …
  '::/3',
  '4000::/2',
  '8000::/1',
  // Within it: Teredo, benchmarks, ORCHID, documentation, 6to4
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
]

// A list each: of one for both, an IPv4 address would be looked for among the mapped ones too
const blocked = { ipv4: new BlockList(), ipv6: new BlockList() }
for (const network of privateNetworks) {
  const [address, prefix] = network.split('/')
  const family = familyOf(address!)
  blocked[family].addSubnet(address!, Number(prefix), family)
}

/** Whether mail must never be sent there on another's word. `address` is an IP address. */
export function isPrivate(address: string): boolean {
  const family = familyOf(address)
  return blocked[family].check(address, family)
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
