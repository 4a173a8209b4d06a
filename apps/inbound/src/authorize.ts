/** Who is submitting: by AUTH, or by the network it comes from. Asked again at each MAIL, so revocation is felt. */
import { BlockList, isIPv6 } from 'node:net'
import type { Credentials, Principal, TrustedNetwork } from '@postel/db/queries/credentials'

/** What the session remembers about its client. */
export type Identity = { secret: string } | undefined

const loopback = blockList(['127.0.0.0/8', '::1/128'])

/** Whether the address is this machine's own. */
export function isLoopback(address: string): boolean {
  return contains(loopback, address)
}

export class Authorizer {
  readonly #credentials: Credentials
  #networks: { source: readonly TrustedNetwork[]; lists: BlockList[] } = { source: [], lists: [] }

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  /** The principal behind a password; undefined when it is none of ours. Rejects when the database cannot be asked. */
  authenticate(secret: string): Promise<Principal | undefined> {
    return this.#credentials.bySecret(secret)
  }

  /** The principal of a session at this moment; undefined when it has to authenticate. */
  async authorize(identity: Identity, address: string): Promise<Principal | undefined> {
    if (identity) return this.#credentials.bySecret(identity.secret)
    const networks = await this.#credentials.networks()
    if (networks !== this.#networks.source)
      this.#networks = { source: networks, lists: networks.map(({ network }) => blockList([network])) }
    const index = this.#networks.lists.findIndex((list) => contains(list, address))
    return networks[index]?.principal
  }

  /** Whether the address was in a trusted network when last looked; never waits. */
  isTrusted(address: string): boolean {
    return this.#networks.lists.some((list) => contains(list, address))
  }
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address, prefix] = network.split('/')
    list.addSubnet(address!, Number(prefix), isIPv6(address!) ? 'ipv6' : 'ipv4')
  }
  return list
}

function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
