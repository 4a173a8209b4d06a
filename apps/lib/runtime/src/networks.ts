/** Networks in CIDR form, and whether an address lies in one of them. */
import { BlockList, isIP, isIPv6 } from 'node:net'

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** Whether the text is a network as Postgres' `cidr` takes it, or a single address. */
export function isNetwork(text: string): boolean {
  const [address, prefix, more] = text.split('/')
  const family = isIP(address!)
  if (family === 0 || address!.includes('%') || more !== undefined) return false
  if (prefix === undefined) return true
  return /^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128)
}

/** A list that can be asked often: `includes` is false for what is no address. */
export class Networks {
  readonly #list = new BlockList()

  /** Each must be a network or an address; see isNetwork. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address, prefix] = split(network)
      this.#list.addSubnet(address, prefix, isIPv6(address) ? 'ipv6' : 'ipv4')
    }
  }

  includes(address: string): boolean {
    const plain = plainAddress(address)
    const family = isIP(plain)
    return family !== 0 && this.#list.check(plain, family === 6 ? 'ipv6' : 'ipv4')
  }
}

/** Whether every address of the network lies in one of the others. */
export function isWithin(network: string, others: readonly string[]): boolean {
  const [address, prefix] = split(network)
  return others.some((other) => split(other)[1] <= prefix && new Networks([other]).includes(address))
}

function split(network: string): [address: string, prefix: number] {
  const [address, prefix] = network.split('/')
  return [address!, Number(prefix ?? (isIPv6(address!) ? 128 : 32))]
}

/** An IPv4 address that came as IPv6 (`::ffff:192.0.2.1`), as what it is; others as they are. */
export function plainAddress(address: string): string {
  return mapped.exec(address)?.[1] ?? address
}
