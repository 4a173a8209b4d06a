/** Who is submitting: by AUTH, or by the network it comes from. Asked again at each MAIL, so revocation is felt. */
import {
  type Credential,
  type Credentials,
  type Principal,
  type TrustedNetwork,
  worksFrom,
} from '@postel/db/queries/credentials'
import { Networks } from '@postel/runtime/networks'

/** What the session remembers about its client. `user`: names the project, where the key is one of the organization. */
export type Identity = { secret: string; user: string } | undefined

const loopback = new Networks(['127.0.0.0/8', '::1/128'])

/** Whether the address is this machine's own. */
export function isLoopback(address: string): boolean {
  return loopback.includes(address)
}

export class Authorizer {
  readonly #credentials: Credentials
  #networks: { source: readonly TrustedNetwork[]; lists: Networks[] } = { source: [], lists: [] }

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  /**
   * The principal of a session at this moment; undefined when it has to authenticate: its password is none of ours (any
   * more), does not work from this address, or is of an organization and the user names no project of it. Rejects when the
   * database cannot be asked.
   */
  async authorize(identity: Identity, address: string): Promise<Principal | undefined> {
    const credential = identity
      ? await this.#credentials.bySecret(identity.secret)
      : await this.#trusted(address)
    if (!credential || !worksFrom(credential, address)) return
    const sender = credential.sender ?? (await this.#inProject(credential, identity!.user))
    if (sender) this.#credentials.used(credential)
    return sender
  }

  /** Whether the address was in a trusted network when last looked; never waits. */
  isTrusted(address: string): boolean {
    return this.#networks.lists.some((list) => list.includes(address))
  }

  async #inProject(credential: Credential, user: string): Promise<Principal | undefined> {
    // The platform's keys would have to name an organization as well
    if (credential.organizationId === null || user === '') return
    return this.#credentials.ofProject(credential.organizationId, user, credential)
  }

  async #trusted(address: string): Promise<Credential | undefined> {
    const networks = await this.#credentials.networks()
    if (networks !== this.#networks.source)
      this.#networks = { source: networks, lists: networks.map(({ network }) => new Networks([network])) }
    const index = this.#networks.lists.findIndex((list) => list.includes(address))
    return networks[index]?.credential
  }
}
