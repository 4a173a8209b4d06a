/** A fleet in memory that does at once what the manager says, and checks each thing that it says. */
import type { FleetIp, FleetNode, OpenMove } from '@postel/db/queries/fleet'
import type { CloudServer } from '../provider.ts'
import { type Action, type Cloud, type Plan, type Rules, reconcile, type World } from '../reconcile.ts'

export const rules: Rules = {
  deadMs: 30_000,
  graceMs: 15_000,
  settleMs: 300_000,
  patienceMs: 60_000,
  plannedMovesMax: 4,
}

export function makeNode(name: string, changes: Partial<FleetNode> = {}): FleetNode {
  return {
    name,
    state: 'ready',
    silentMs: 1_000,
    aliveMs: 3_600_000,
    addresses: [],
    agentSilentMs: null,
    ...changes,
  }
}

export function makeIp(id: number, changes: Partial<FleetIp> = {}): FleetIp {
  const address = `192.0.${id >> 8}.${id & 255}`
  const free = { node: null, pinned: false, heldBy: null, gaveUp: null }
  return { id, address, poolId: 1, state: 'active', ...free, ...changes }
}

/** Of IP 1, from a node that is being drained. */
export function makeMove(changes: Partial<OpenMove> & Pick<OpenMove, 'from' | 'to'>): OpenMove {
  return {
    id: 1,
    ipId: 1,
    reason: 'node draining',
    state: 'releasing',
    attempts: 0,
    error: null,
    retryInMs: 0,
    startedMs: 0,
    ...changes,
  }
}

export class FleetModel {
  readonly nodes: FleetNode[] = []
  ips: FleetIp[] = []
  moves: OpenMove[] = []
  /** Where each address is attached, by its server's id; an address that is not here is not listed. */
  readonly attached = new Map<string, string | null>()
  readonly stoppedServers = new Set<string>()
  watchedMs = 3_600_000
  unansweredMs = 0
  /** Every move that was begun. */
  begun: Extract<Action, { kind: 'begin' }>[] = []
  #moveId = 0

  static serverOf(node: string): string {
    return `server-of-${node}`
  }

  addNode(name: string, changes: Partial<FleetNode> = {}): void {
    this.nodes.push(makeNode(name, changes))
  }

  /** An IP that is attached to a node and assigned to it, or to none. */
  addIp(id: number, node: string | null, changes: Partial<FleetIp> = {}): FleetIp {
    const ip = makeIp(id, { node, ...changes })
    this.ips.push(ip)
    this.attached.set(ip.address, node === null ? null : FleetModel.serverOf(node))
    return ip
  }

  node(name: string): FleetNode {
    return this.nodes.find((node) => node.name === name)!
  }

  on(name: string): FleetIp[] {
    return this.ips.filter(({ node }) => node === name)
  }

  get cloud(): Cloud {
    const servers: CloudServer[] = this.nodes.map(({ name }) => ({
      id: FleetModel.serverOf(name),
      name,
      addresses: [],
      running: !this.stoppedServers.has(name),
    }))
    return {
      addresses: [...this.attached].map(([address, serverId]) => ({
        address,
        providerId: `id of ${address}`,
        serverId,
      })),
      servers,
      attaches: true,
    }
  }

  world(): World {
    const { nodes, ips, moves, cloud, unansweredMs, watchedMs } = this
    return structuredClone({ fleet: { nodes, ips, moves }, cloud, unansweredMs, watchedMs })
  }

  plan(): Plan {
    const world = this.world()
    const before = JSON.stringify(world)
    const plan = reconcile(world, rules)
    const again = reconcile(this.world(), rules)
    if (JSON.stringify(again) !== JSON.stringify(plan)) throw new Error('not deterministic')
    if (JSON.stringify(world) !== before) throw new Error('not pure')
    return plan
  }

  /** Does what it says until it says nothing; the actions of all rounds. Throws when it never stops. */
  settle(roundsMax = 200): Action[] {
    const all: Action[] = []
    for (let round = 0; round < roundsMax; round++) {
      this.#hold()
      const { actions } = this.plan()
      if (actions.length === 0) return all
      for (const action of actions) this.do(action)
      all.push(...actions)
    }
    throw new Error(`never at rest: ${JSON.stringify(all.slice(-5))}`)
  }

  do(action: Action): void {
    switch (action.kind) {
      case 'adopt': {
        const ip = this.#ip(action.ip.id)
        if (ip.node !== null) throw new Error('adopts what is assigned')
        Object.assign(ip, { node: action.node, pinned: false })
        return
      }
      case 'begin': {
        const ip = this.#ip(action.ip.id)
        if (this.moves.some(({ ipId }) => ipId === ip.id)) throw new Error('a second move of an IP')
        if (!this.attached.has(ip.address)) throw new Error('moves what is not listed')
        if (ip.pinned && action.to !== ip.node) throw new Error('moves what is pinned')
        this.#mayTake(action.to, ip)
        this.begun.push(action)
        const { from, to, reason } = action
        this.moves.push(makeMove({ id: ++this.#moveId, ipId: ip.id, from, to, reason }))
        return
      }
      case 'redirect': {
        const move = this.#move(action.move.id)
        this.#mayTake(action.to, this.#ip(move.ipId))
        move.to = action.to
        return
      }
      case 'withdraw':
      case 'cancel': {
        const move = this.#move(action.move.id)
        if (action.kind === 'withdraw' && move.state !== 'releasing')
          throw new Error('withdraws what was asked for')
        this.moves.splice(this.moves.indexOf(move), 1)
        return
      }
      case 'attach': {
        const move = this.#move(action.move.id)
        const ip = this.#ip(move.ipId)
        if (ip.heldBy !== null) throw new Error('attaches what is held')
        if (action.serverId !== FleetModel.serverOf(move.to)) throw new Error('attaches to another server')
        this.attached.set(ip.address, action.serverId)
        if (!ip.pinned) ip.node = move.to
        this.moves.splice(this.moves.indexOf(move), 1)
        return
      }
      default:
        action satisfies never
    }
  }

  /** What outbound processes do: an IP that is moving is let go, one that has arrived is taken. */
  #hold(): void {
    for (const ip of this.ips) {
      const moving = this.moves.some(({ ipId }) => ipId === ip.id)
      const alive = (name: string) =>
        (this.nodes.find((node) => node.name === name)?.silentMs ?? 1e9) < 30_000
      if (ip.heldBy !== null && (!alive(ip.heldBy) || moving || (ip.node !== null && ip.node !== ip.heldBy)))
        ip.heldBy = null
      const at = this.attached.get(ip.address)
      if (
        ip.heldBy === null &&
        !moving &&
        ip.node !== null &&
        alive(ip.node) &&
        at === FleetModel.serverOf(ip.node)
      )
        ip.heldBy = ip.node
    }
  }

  #mayTake(name: string, ip: FleetIp): void {
    const node = this.nodes.find((each) => each.name === name)
    if (!node || node.silentMs >= 30_000) throw new Error(`moves to ${name}, which is gone`)
    if (node.state === 'draining' && !ip.pinned && !this.#isBack(name, ip))
      throw new Error(`moves to ${name}, which is being drained`)
    if (this.stoppedServers.has(name)) throw new Error(`moves to ${name}, whose server is stopped`)
  }

  /** What belongs on a node is put back there. */
  #isBack(name: string, ip: FleetIp): boolean {
    return ip.node === name
  }

  #ip(id: number): FleetIp {
    return this.ips.find((ip) => ip.id === id)!
  }

  #move(id: number): OpenMove {
    return this.moves.find((move) => move.id === id)!
  }
}
