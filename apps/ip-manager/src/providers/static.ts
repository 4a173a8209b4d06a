/**
 * No cloud: the truth is which addresses the nodes' interfaces have, as the nodes say, and the interface agents are the hands. They
 * add what is assigned to their node, so that nothing is called here: a move waits until the address is off its former node.
 */
import type { FleetNode } from '@postel/db/queries/fleet'
import { pause } from '@postel/runtime/backoff'
import {
  type CloudAddress,
  type CloudServer,
  type Provider,
  ProviderError,
  type StaticFleet,
} from '../provider.ts'

/** An agent reports every 2 s. */
const agentRunsMs = 15_000
/** A node that is silent for longer may be dead: what it last said counts no more. */
const aliveMs = 30_000
const defaultWaitMs = 4_000
const lookAgainMs = 500

export type StaticOptions = {
  readFleet: () => Promise<StaticFleet>
  /** How long attach() waits for the former node. Default 4,000 ms. */
  waitMs?: number
}

export class Static implements Provider {
  readonly name = 'static'
  readonly #options: StaticOptions

  constructor(options: StaticOptions) {
    this.#options = options
  }

  async listAddresses(): Promise<CloudAddress[]> {
    const { nodes, addresses } = await this.#fleet()
    if (!nodes.some(hasAgent)) return []
    return addresses
      .map((address) => ({ address, on: nodes.filter((node) => node.addresses.includes(address)) }))
      .filter(({ on }) => on.every(hasAgent))
      .map(({ address, on }) => {
        const [first, ...others] = on.toSorted((a, b) => silence(a) - silence(b))
        const rival = others.find(isAlive)
        const stuck = first && isAlive(first) && first.agentSilentMs! >= aliveMs
        return {
          address,
          providerId: address,
          serverId: first?.name ?? null,
          ...(stuck && { blocked: `The interface agent of ${first.name} is silent.` }),
          ...(rival && { blocked: `It is on the interfaces of ${first!.name} and ${rival.name}.` }),
        }
      })
  }

  async listServers(): Promise<CloudServer[]> {
    const { nodes } = await this.#fleet()
    return nodes.filter(hasAgent).map(({ name, addresses, agentSilentMs }) => ({
      id: name,
      name,
      addresses,
      running: agentSilentMs! < agentRunsMs,
    }))
  }

  async attach(address: string, serverId: string, signal: AbortSignal): Promise<void> {
    const within = AbortSignal.any([signal, AbortSignal.timeout(this.#options.waitMs ?? defaultWaitMs)])
    for (;;) {
      const { nodes } = await this.#fleet()
      if (!nodes.some(({ name }) => name === serverId))
        throw new ProviderError('not_found', `There is no node ${serverId}`)
      const former = nodes.find(
        (node) => node.name !== serverId && isAlive(node) && node.addresses.includes(address),
      )
      if (!former) return
      if (within.aborted)
        throw new ProviderError(
          'unfinished',
          `${address} is still on an interface of ${former.name}, whose agent takes off only what it has put on`,
        )
      await pause(lookAgainMs, within)
    }
  }

  async #fleet(): Promise<StaticFleet> {
    try {
      return await this.#options.readFleet()
    } catch (error) {
      throw new ProviderError('retry', 'The nodes could not be read from the database', { cause: error })
    }
  }
}

function hasAgent({ agentSilentMs }: FleetNode): boolean {
  return agentSilentMs !== null
}

function silence({ silentMs, agentSilentMs }: FleetNode): number {
  return Math.min(silentMs, agentSilentMs ?? Number.POSITIVE_INFINITY)
}

function isAlive(node: FleetNode): boolean {
  return silence(node) < aliveMs
}
