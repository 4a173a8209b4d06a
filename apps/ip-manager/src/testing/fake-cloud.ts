/** A cloud in memory, and the nodes that run on its servers: with everything that goes wrong in either. */
import { randomUUID } from 'node:crypto'
import { OutboundQueries } from '@postel/db/queries/outbound'
import { type CloudAddress, type CloudServer, type Provider, ProviderError } from '../provider.ts'

export type Call = { manager: string; call: string }

/** What becomes of a call to attach; `moves`: the address is moved all the same. */
export type Fault = { moves?: boolean; error?: ProviderError; until?: Promise<unknown> }

export class FakeCloud {
  readonly attached = new Map<string, string | null>()
  readonly servers: CloudServer[] = []
  readonly calls: Call[] = []
  /** What its lists are answered with instead. */
  listFault: ProviderError | 'empty' | undefined
  /** For the next calls to attach, by address; `*`: any. */
  readonly #faults = new Map<string, Fault[]>()
  /** Called with each attach before anything happens. */
  onAttach: (manager: string, address: string) => Promise<void> = async () => {}

  addServer(name: string): void {
    this.servers.push({ id: `id-${name}`, name, addresses: [], running: true })
  }

  fail(address: string, ...faults: Fault[]): void {
    this.#faults.set(address, [...(this.#faults.get(address) ?? []), ...faults])
  }

  /** Whatever its calls to attach were still to meet, they meet no more. */
  heal(address: string): void {
    this.#faults.delete(address)
  }

  /** The addresses that are attached to the server. */
  of(name: string): string[] {
    return [...this.attached].filter(([, server]) => server === `id-${name}`).map(([address]) => address)
  }

  attachesOf(address: string): string[] {
    return this.calls.map(({ call }) => call).filter((call) => call.startsWith(`attach ${address} `))
  }

  provider(manager: string): Provider {
    const note = (call: string) => this.calls.push({ manager, call })
    return {
      name: 'hetzner',
      listAddresses: async () => {
        note('listAddresses')
        if (this.listFault === 'empty') return []
        if (this.listFault) throw this.listFault
        return [...this.attached].map(
          ([address, serverId]): CloudAddress => ({ address, providerId: `id-${address}`, serverId }),
        )
      },
      listServers: async () => {
        note('listServers')
        if (this.listFault instanceof ProviderError) throw this.listFault
        return structuredClone(this.servers)
      },
      attach: async (address, serverId, signal) => {
        note(`attach ${address} ${serverId}`)
        await this.onAttach(manager, address)
        const fault = this.#faults.get(address)?.shift() ?? this.#faults.get('*')?.shift()
        if (fault?.until) await Promise.race([fault.until, aborted(signal)])
        if (!fault?.error || fault.moves) this.attached.set(address, serverId)
        if (fault?.error) throw fault.error
      },
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = () => reject(new ProviderError('unfinished', 'aborted'))
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
  })
}

/** An outbound process that takes what is attached to its server, and lets go of what it is asked to. */
export class FakeNode {
  readonly name: string
  readonly processId = randomUUID()
  readonly #cloud: FakeCloud
  readonly #queries: OutboundQueries
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> = Promise.resolve()
  #alive = true
  /** What it holds now. */
  held: string[] = []
  /** Mail is in flight: it does not let go. */
  busy = false

  constructor(name: string, cloud: FakeCloud, databaseUrl: string) {
    this.name = name
    this.#cloud = cloud
    this.#queries = new OutboundQueries(databaseUrl)
    cloud.addServer(name)
  }

  async start(): Promise<void> {
    await this.#tick()
  }

  /** From one moment to the next, as when the machine loses its power. */
  die(): void {
    this.#alive = false
    clearTimeout(this.#timer)
  }

  async stop(): Promise<void> {
    this.die()
    await this.#working
    await this.#queries.stop()
  }

  #tick(): Promise<void> {
    this.#working = this.#work().then(() => {
      if (this.#alive) this.#timer = setTimeout(() => void this.#tick(), 50)
    })
    return this.#working
  }

  async #work(): Promise<void> {
    const renewed = await this.#queries.renew(this.processId)
    const leaving = renewed.filter(({ state }) => state === 'moving')
    if (leaving.length > 0 && !this.busy)
      await this.#queries.release(
        this.processId,
        leaving.map(({ ipId }) => ipId),
      )
    const acquired = await this.#queries.acquire(this.processId, this.name, this.#cloud.of(this.name))
    const kept = renewed.filter((ip) => this.busy || ip.state !== 'moving')
    this.held = [...kept, ...acquired].map(({ address }) => address).sort()
  }
}
