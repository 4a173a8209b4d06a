/**
 * Tells the gateway at which link address a source IP is now. Clouds route by their own knowledge and need none of it; in a network
 * where routers learn by ARP or neighbour discovery, the former node's link address would stand there for minutes or hours.
 *
 * A gratuitous ARP needs a raw socket, and so a capability that the agent does not have. The kernel does as well: when it looks for
 * the gateway in order to send a datagram from the source IP, its question to all says that the source IP is here, and whoever has
 * another entry for it changes it (RFC 826; RFC 4861, 7.2.3). So the gateway's entry is dropped, and a datagram is sent to it.
 */
import { createSocket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { type IpRoute, readDefaultRoutes, readNeighbour } from './iproute.ts'

const discardPort = 9

/** How many gateways were asked. Rejects when `ip` fails or the address is not there. */
export async function announce(ip: IpRoute, address: string, device: string): Promise<number> {
  const routes = await readDefaultRoutes(ip, isIPv6(address) ? '-6' : '-4')
  const gateways = new Set(
    routes.filter((route) => route.device === device).flatMap(({ gateway }) => gateway ?? []),
  )
  let told = 0
  for (const gateway of gateways) {
    const known = await readNeighbour(ip, gateway, device)
    // Where it is set by hand nobody asks, and nobody would learn
    if (known === 'fixed') continue
    if (known === 'learned') await ip('neighbour', 'delete', gateway, 'dev', device).catch(() => {})
    await sendDatagram(address, gateway, device)
    told += 1
  }
  return told
}

/**
 * What keeps IPv4 addresses from being announced: with arp_announce above 0 the kernel asks in the name of the node's own
 * address. The higher of the two settings counts.
 */
export async function silencedBy(device: string): Promise<string | undefined> {
  for (const name of ['all', device]) {
    const file = `/proc/sys/net/ipv4/conf/${name}/arp_announce`
    const value = await readFile(file, 'utf8').catch(() => '0')
    if (Number(value) > 0) return `net.ipv4.conf.${name}.arp_announce is ${value.trim()}`
  }
  return undefined
}

function sendDatagram(from: string, to: string, device: string): Promise<void> {
  const v6 = isIPv6(from)
  const socket = createSocket(v6 ? 'udp6' : 'udp4')
  // A gateway of IPv6 mostly has a link-local address
  const target = v6 && to.toLowerCase().startsWith('fe80') ? `${to}%${device}` : to
  return new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(0, from, () =>
      socket.send('', discardPort, target, (error) => (error ? reject(error) : resolve())),
    )
  }).finally(() => socket.close())
}
