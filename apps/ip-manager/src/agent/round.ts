/**
 * One comparison of the node's interfaces with the database: read → report → add what is missing → remove what the agent had added and
 * what must go → report again, so that the sender hears of it at once → announce what is new.
 */
import { isIPv6 } from 'node:net'
import type { AddressOrder } from '@postel/db/queries/fleet'
import { addAddress, mark, removeAddress } from './addresses.ts'
import { announce, silencedBy } from './announce.ts'
import type { AgentEvents } from './events.ts'
import { type Interface, type IpRoute, readDefaultRoutes, readInterfaces } from './iproute.ts'

/** A lost question is not repeated by itself. */
const announcements = 3

export type RoundOptions = {
  ip: IpRoute
  /** Instead of the interface of the default route. */
  device: string | undefined
  /** Says what is there, and hears what must be and what must not. */
  report: (present: readonly string[]) => Promise<readonly AddressOrder[]>
  events: AgentEvents
}

export class Rounds {
  readonly #options: RoundOptions
  /** How often they are still to be announced. */
  readonly #fresh = new Map<string, { device: string; times: number }>()
  #silenced: string | undefined

  constructor(options: RoundOptions) {
    this.#options = options
  }

  /** What kept it from being done, in words; rejects when the interfaces or the database cannot be read: then nothing is touched. */
  async run(): Promise<string[]> {
    const { ip, report, events } = this.#options
    const interfaces = await readInterfaces(ip)
    const problems: string[] = []
    const before = await report(presentOn(interfaces))
    const changed = [
      ...(await this.#add(before, interfaces, problems)),
      ...(await this.#remove(before, interfaces, problems)),
    ]
    const after = changed.length > 0 ? await readInterfaces(ip) : interfaces
    if (changed.length > 0) await report(presentOn(after))
    await this.#announce()
    events.round(after.flatMap(({ addresses }) => addresses.filter(isOurs)).length, problems)
    return problems
  }

  async #add(orders: readonly AddressOrder[], interfaces: readonly Interface[], problems: string[]) {
    const wanted = new Set(orders.filter((order) => order.wanted).map(({ address }) => address))
    for (const { name, up, addresses } of interfaces)
      for (const { address } of addresses)
        if (wanted.delete(address) && !up) problems.push(`${address} is on ${name}, which is down`)
    const { device: fixed, ip, events } = this.#options
    const trouble = fixed === undefined ? undefined : troubleOf(fixed, interfaces)
    if (trouble) problems.push(`IP_AGENT_INTERFACE: ${trouble}`)
    const added: string[] = []
    for (const address of wanted) {
      try {
        const device = fixed ?? (await this.#defaultDevice(address))
        const obstacle = troubleOf(device, interfaces)
        // The sender would hold it, and reach nobody
        if (obstacle) throw new Error(`cannot add ${address}: ${obstacle}`)
        await addAddress(ip, address, device)
        events.added(address, device)
        this.#fresh.set(address, { device, times: announcements })
        added.push(address)
      } catch (error) {
        problems.push((error as Error).message)
      }
    }
    return added
  }

  async #remove(orders: readonly AddressOrder[], interfaces: readonly Interface[], problems: string[]) {
    const { ip, events } = this.#options
    const unwanted = new Set(orders.filter(({ wanted }) => !wanted).map(({ address }) => address))
    const removed: string[] = []
    for (const { name, addresses } of interfaces)
      for (const each of addresses.filter(({ address }) => unwanted.has(address))) {
        if (!isOurs(each)) {
          events.foreign(each.address)
          continue
        }
        try {
          await removeAddress(ip, each.address, name)
          events.removed(each.address, name)
          this.#fresh.delete(each.address)
          removed.push(each.address)
        } catch (error) {
          problems.push((error as Error).message)
        }
      }
    return removed
  }

  async #defaultDevice(address: string): Promise<string> {
    const family = isIPv6(address) ? '-6' : '-4'
    const [route] = await readDefaultRoutes(this.#options.ip, family)
    if (route) return route.device
    throw new Error(
      `cannot add ${address}: no default route of ${family === '-6' ? 'IPv6' : 'IPv4'} says on which interface; set IP_AGENT_INTERFACE`,
    )
  }

  async #announce(): Promise<void> {
    const { ip, events } = this.#options
    for (const [address, fresh] of this.#fresh) {
      fresh.times -= 1
      if (fresh.times === 0) this.#fresh.delete(address)
      try {
        events.announced(address, fresh.device, await announce(ip, address, fresh.device))
      } catch (error) {
        events.announceFailed(address, error)
      }
      if (!isIPv6(address)) await this.#warnIfSilenced(fresh.device)
    }
  }

  async #warnIfSilenced(device: string): Promise<void> {
    const setting = await silencedBy(device)
    if (setting && setting !== this.#silenced) this.#options.events.silenced(setting)
    this.#silenced = setting
  }
}

function isOurs({ metric }: { metric: number }): boolean {
  return metric === mark
}

/** What a process could send from: not of the loopback, and not of one link alone. */
function presentOn(interfaces: readonly Interface[]): string[] {
  return interfaces
    .filter(({ up }) => up)
    .flatMap(({ addresses }) => addresses)
    .filter(({ address, usable }) => usable && !/^(127\.|::1$|fe[89ab][0-9a-f]:)/i.test(address))
    .map(({ address }) => address)
}

function troubleOf(device: string, interfaces: readonly Interface[]): string | undefined {
  const found = interfaces.find(({ name }) => name === device)
  if (!found)
    return `there is no interface ${device} here, but ${interfaces.map(({ name }) => name).join(', ')}`
  return found.up ? undefined : `the interface ${device} is down`
}
