/**
 * What the IP manager asks of whoever attaches addresses to servers: a cloud's API, or, with `static`, a human or the
 * interface agents. One implementation each in providers/, chosen by IP_PROVIDER in providers/create-provider.ts, which
 * exports `createProvider: CreateProvider`.
 */
import type { FleetNode } from '@postel/db/queries/fleet'
import type { IpManagerConfig } from './config.ts'

export type ProviderName = 'upcloud' | 'hetzner' | 'static'

/** An address that can be moved between servers. */
export type CloudAddress = {
  /** In the text form that Postgres gives: host(inet). IPv6 compressed, in lower case, without a prefix length. */
  address: string
  /** The provider's own id of it, for people to look up. */
  providerId: string
  /** The server that it is attached to; null: to none. */
  serverId: string | null
  /** Why it cannot be moved now, in words (locked, in another region, a change is under way); undefined: it can. */
  blocked?: string | undefined
}

export type CloudServer = {
  id: string
  /** As people see it. A node of the same name (or whose name's first label it is) runs on it. */
  name: string
  /** Its own addresses, public and private, in the form of CloudAddress: another way to tell which node runs on it. */
  addresses: readonly string[]
  /** False: it is stopped, in error or being deleted, and nothing is moved to it. */
  running: boolean
}

/**
 * Every call ends within about 30 s, and at once when the signal aborts (no request is sent after that). Rejects with a
 * ProviderError. A provider does not repeat what failed: the manager waits and asks again.
 */
export type Provider = {
  readonly name: ProviderName
  /**
   * Every movable address, all pages of the answer, in any order. Rejects when it cannot be sure that the answer is whole: an
   * address that is missing is left alone, and an empty answer moves nothing.
   */
  listAddresses(signal: AbortSignal): Promise<CloudAddress[]>
  /** Every server that addresses can be attached to, all pages. */
  listServers(signal: AbortSignal): Promise<CloudServer[]>
  /**
   * Attaches the address to the server, wherever it is now, and resolves once the cloud says that it is there. Idempotent:
   * resolves where it is there already, and goes on where an earlier call, of another process too, came to a stop halfway.
   */
  attach(address: string, serverId: string, signal: AbortSignal): Promise<void>
}

/**
 * - `retry`: 429, 5xx, a time-out, a broken connection, an answer that cannot be understood: may work later.
 * - `refused`: 401, 403, 422: a person must look (token, quota, region); asked again, but seldom.
 * - `not_found`: there is no such address or server.
 * - `unfinished`: the call was taken and its end was not seen, or a step of several is missing; attach() goes on with it.
 */
export type ProviderErrorKind = 'retry' | 'refused' | 'not_found' | 'unfinished'

export class ProviderError extends Error {
  override name = 'ProviderError'
  readonly kind: ProviderErrorKind
  /** How long the provider asked us to wait (Retry-After, RateLimit-Reset); it holds for all calls to it. */
  readonly retryAfterMs: number | undefined
  /** The HTTP status, where there was one. */
  readonly status: number | undefined
  /** Surely nothing was asked, in the whole call, that changes where an address is. */
  changedNothing: boolean

  constructor(
    kind: ProviderErrorKind,
    /** For people: what was asked and what was answered, without tokens. It is stored with the move and shown. */
    message: string,
    options: { retryAfterMs?: number; status?: number; changedNothing?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.retryAfterMs = options.retryAfterMs
    this.status = options.status
    this.changedNothing = options.changedNothing ?? false
  }
}

/** What is asked before anything is asked to change: an error of it says so. */
export async function onlyReading<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof ProviderError) error.changedNothing = true
    throw error
  }
}

/** What `static` goes by: the nodes' interfaces are its truth, the interface agents its hands. */
export type StaticFleet = {
  nodes: readonly FleetNode[]
  /** All our source IPs but the retired ones, in the form of CloudAddress. */
  addresses: readonly string[]
}

/**
 * Builds the provider that config.IP_PROVIDER names. `readFleet` is for `static`:
 * - listServers: the nodes (id and name are the node's name), running while their agent has been heard of in the last 15 s. A
 *   node that never had an agent (agentSilentMs is null) is none: a human sees to its addresses.
 * - listAddresses: our source IPs with the node that has them on an interface, or null. One that is on a node without an agent is
 *   not listed, and neither is any while no node has an agent: nothing can be moved then, the manager only looks.
 * - attach: nothing is called. Resolves once no other node that is alive has the address on an interface (`unfinished` until then:
 *   silentMs and agentSilentMs tell who may be alive); the manager then assigns the IP, and the agents do the rest (see
 *   reportAddresses in db/src/queries/fleet.ts).
 */
export type CreateProvider = (
  config: IpManagerConfig,
  readFleet: () => Promise<StaticFleet>,
  /** Awaited right before each request to a cloud: rejects when this process does not lead any more. */
  prove: () => Promise<void>,
) => Provider
