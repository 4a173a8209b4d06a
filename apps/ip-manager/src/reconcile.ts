/**
 * Desired and actual state → what to do next. Pure, total and deterministic: it says the same of the same fleet, and nothing of a fleet
 * where all is as it should be. The steps: go on with open moves → what has lost its node → what is to leave its node → even out.
 *
 * What it never does: take anything from a node that is only late; move an IP that somebody else sees to (the provider does not list
 * it); move a pinned IP; begin a second move of an IP; take a missing answer of the provider for an empty one; give
 * an IP back to its node while the provider may have been asked to move it.
 */
import {
  type Fleet,
  type FleetIp,
  type FleetNode,
  type FleetNotes,
  type MoveReason,
  type OpenMove,
  triesMax,
} from '@postel/db/queries/fleet'
import { type Located, locate } from './locate.ts'
import type { CloudAddress, CloudServer } from './provider.ts'
import { evenOut, Shares } from './shares.ts'

/** What the provider last said. */
export type Cloud = {
  addresses: readonly CloudAddress[]
  servers: readonly CloudServer[]
  /** It moves addresses itself. Else the agents of the nodes do, by what each IP is assigned to. */
  attaches: boolean
}

export type World = {
  fleet: Fleet
  /** Undefined: the provider has not answered yet. */
  cloud: Cloud | undefined
  /** For how long the provider has not answered; 0: it did when it was last asked for its lists. */
  unansweredMs: number
  /** How long this manager has been seeing the nodes' heartbeats without a gap of its own. */
  watchedMs: number
}

export type Rules = {
  /** A node that has been silent for so long is dead. Not less than a hold on an IP lasts. */
  deadMs: number
  /** Before a manager has looked for so long it takes nobody for dead, and places nothing. */
  graceMs: number
  /** A node that came (back) is given IPs of living nodes only after so long. */
  settleMs: number
  /** A provider that has not answered for so long is away. */
  patienceMs: number
  /** Moves at a time that are not urgent. */
  plannedMovesMax: number
}

export type Action =
  /** The node has it already. */
  | { kind: 'adopt'; ip: FleetIp; node: string }
  | { kind: 'begin'; ip: FleetIp; from: string | null; to: string; reason: MoveReason }
  | { kind: 'redirect'; move: OpenMove; to: string; why: string }
  | { kind: 'cancel'; move: OpenMove; why: string }
  /** Only if the provider has surely not been asked: its node sends again. */
  | { kind: 'withdraw'; move: OpenMove; why: string }
  /** Nobody holds it, so the provider may be asked. */
  | { kind: 'attach'; move: OpenMove; ip: FleetIp; serverId: string }

export type Plan = { actions: Action[]; notes: FleetNotes }

/** An IP that needs another node. */
type Homeless = {
  ip: FleetIp
  from: string | null
  reason: MoveReason
  /** The move that cannot end where it goes. */
  move?: OpenMove
  /** Where the provider has it already. */
  at?: string | undefined
}

export function reconcile(world: World, rules: Rules): Plan {
  return new Reconciliation(world, rules).plan()
}

class Reconciliation {
  readonly #world: World
  readonly #rules: Rules
  readonly #actions: Action[] = []
  readonly #notes = new Map<number, string>()
  readonly #nodes: ReadonlyMap<string, FleetNode>
  readonly #addresses: ReadonlyMap<string, CloudAddress>
  readonly #located: Located
  readonly #shares = new Shares()
  readonly #urgent: Homeless[] = []
  readonly #leaving: Homeless[] = []
  /** What may move to even out. */
  readonly #movable: (FleetIp & { node: string })[] = []
  readonly #plannedByPool = new Map<number, number>()
  #planned = 0

  constructor(world: World, rules: Rules) {
    this.#world = world
    this.#rules = rules
    const { fleet, cloud } = world
    this.#nodes = new Map(fleet.nodes.map((node) => [node.name, node]))
    this.#addresses = new Map(cloud?.addresses.map((address) => [address.address, address]))
    this.#located = locate(fleet.nodes, cloud?.servers ?? [])
  }

  plan(): Plan {
    const { fleet } = this.#world
    const ips = new Map(fleet.ips.map((ip) => [ip.id, ip]))
    for (const move of fleet.moves) this.#goOn(move, ips.get(move.ipId))
    const moving = new Set(fleet.moves.map((move) => move.ipId))
    for (const ip of fleet.ips) if (!moving.has(ip.id)) this.#look(ip)
    this.#place(this.#urgent)
    this.#place(this.#leaving)
    if (this.#urgent.length + this.#leaving.length === 0) this.#evenOut()
    return { actions: this.#actions, notes: this.#toNotes() }
  }

  /** A move that was begun is ended: where it goes, or where it can. */
  #goOn(move: OpenMove, ip: FleetIp | undefined): void {
    if (!ip) return this.#cancel(move, 'it has been retired')
    if (isPlanned(move.reason)) this.#countPlanned(ip.poolId)
    const place = (node: string) => this.#shares.add(ip.poolId, node)
    const hopeless = this.#hopeless(move, ip)
    if (hopeless !== undefined) return this.#giveBack(move, ip, hopeless)
    const obstacle = this.#obstacle(ip)
    if (obstacle !== undefined) {
      this.#notes.set(ip.id, obstacle)
      return place(move.to)
    }
    if (ip.pinned && ip.node !== null && ip.node !== move.to) {
      place(ip.node)
      if (!this.#world.cloud) return
      if (!this.#canReach(ip.node))
        return this.#cancel(move, `it has been pinned to ${ip.node}, which is gone`)
      this.#actions.push({ kind: 'redirect', move, to: ip.node, why: `it has been pinned to ${ip.node}` })
      return
    }
    const pinned = ip.pinned && ip.node === move.to
    if (!pinned && this.#isLost(move.to)) {
      this.#urgent.push({ ip, from: move.from, reason: move.reason, move })
      return
    }
    place(move.to)
    const server = this.#located.serverOf.get(move.to)
    if (ip.heldBy === null && move.retryInMs === 0 && server?.running)
      this.#actions.push({ kind: 'attach', move, ip, serverId: server.id })
  }

  /** An IP that is not moving: whether it is where it should be. */
  #look(ip: FleetIp): void {
    const { cloud } = this.#world
    const stay = (node: string | null) => {
      if (node !== null) this.#shares.add(ip.poolId, node)
    }
    const obstacle = this.#obstacle(ip)
    if (obstacle !== undefined || !cloud) {
      if (obstacle !== undefined && cloud?.attaches) this.#notes.set(ip.id, obstacle)
      return stay(ip.node ?? ip.heldBy)
    }
    const serverId = this.#addresses.get(ip.address)!.serverId
    const at = serverId === null ? undefined : this.#located.nodeOf.get(serverId)
    if (ip.node === null) return this.#lookAtUnassigned(ip, serverId, at)

    if (ip.pinned) {
      stay(ip.node)
      if (this.#isDead(ip.node)) this.#notes.set(ip.id, `pinned to ${ip.node}, which is gone`)
      else if (this.#isElsewhere(ip.node, at) && this.#canReach(ip.node))
        this.#begin(ip, at ?? null, ip.node, 'pinned')
      return
    }
    if (this.#isDead(ip.node)) {
      this.#urgent.push({ ip, from: ip.node, reason: 'node gone', at })
      return
    }
    const node = this.#nodes.get(ip.node)
    if (node?.state === 'draining') {
      this.#leaving.push({ ip, from: ip.node, reason: 'node draining', at })
      return
    }
    stay(ip.node)
    if (cloud.attaches && this.#isElsewhere(ip.node, at)) {
      if (this.#canReach(ip.node)) this.#begin(ip, at ?? null, ip.node, 'astray')
      else this.#notes.set(ip.id, `the provider has no running server for node ${ip.node}`)
      return
    }
    if (ip.state === 'active' || ip.state === 'warming') this.#movable.push({ ...ip, node: ip.node })
  }

  #lookAtUnassigned(ip: FleetIp, serverId: string | null, at: string | undefined): void {
    const home = at ?? (serverId === null ? this.#holderOf(ip) : undefined)
    if (home !== undefined && !this.#isDead(home)) {
      this.#actions.push({ kind: 'adopt', ip, node: home })
      this.#shares.add(ip.poolId, home)
      return
    }
    if (home !== undefined) {
      this.#urgent.push({ ip, from: home, reason: 'node gone' })
      return
    }
    const server = this.#world.cloud?.servers.find(({ id }) => id === serverId)
    if (server?.running) {
      this.#notes.set(ip.id, `attached to server ${server.name}, which is none of our nodes: left alone`)
      return
    }
    // Others may be just starting
    if (this.#world.watchedMs >= this.#rules.graceMs)
      this.#urgent.push({ ip, from: null, reason: 'unassigned' })
  }

  /** Begins the moves of these, each to the node that has the least. */
  #place(homeless: readonly Homeless[]): void {
    const hosts = this.#hosts()
    for (const { ip, from, reason, move, at } of homeless) {
      const to =
        at !== undefined && at !== from && hosts.includes(at) ? at : this.#shares.least(ip.poolId, hosts)
      if (to === undefined) {
        const why = `${reason}, and no node can take it`
        if (move && this.#canGiveBack(move, ip)) this.#giveBack(move, ip, why)
        else this.#notes.set(ip.id, why)
        continue
      }
      if (move) {
        this.#shares.add(ip.poolId, to)
        this.#actions.push({ kind: 'redirect', move, to, why: `${move.to} cannot take it any more` })
      } else if (isPlanned(reason) && ip.gaveUp !== null) {
        this.#notes.set(ip.id, `${reason}: given up for now: ${ip.gaveUp}`)
      } else if (isPlanned(reason) && this.#world.unansweredMs > 0) {
        this.#notes.set(ip.id, `${reason}: waits until the provider answers`)
      } else if (isPlanned(reason) && !this.#hasRoom(ip.poolId)) {
        this.#notes.set(ip.id, `${reason}: waits until others have moved`)
      } else {
        this.#shares.add(ip.poolId, to)
        this.#begin(ip, from, to, reason)
      }
    }
  }

  /** Only where nobody is in between: a node that is late may be back, or dead, in a moment. */
  #evenOut(): void {
    const { fleet, cloud, unansweredMs, watchedMs } = this.#world
    if (!cloud || unansweredMs > 0 || watchedMs < this.#rules.graceMs) return
    const hosts = this.#hosts()
    const late = fleet.nodes.some(
      ({ name, silentMs, state }) => state === 'ready' && silentMs >= this.#lateMs && !this.#isDead(name),
    )
    if (late) return
    const settled = hosts.filter((name) => this.#nodes.get(name)!.aliveMs >= this.#rules.settleMs)
    const movable = this.#movable.filter(({ node, gaveUp }) => hosts.includes(node) && gaveUp === null)
    for (const { ip, to } of evenOut(this.#shares, movable, hosts, settled)) {
      if (!this.#hasRoom(ip.poolId)) return
      this.#begin(ip, ip.node, to, 'spread')
    }
  }

  #begin(ip: FleetIp, from: string | null, to: string, reason: MoveReason): void {
    if (isPlanned(reason)) this.#countPlanned(ip.poolId)
    this.#actions.push({ kind: 'begin', ip, from, to, reason })
  }

  #cancel(move: OpenMove, why: string): void {
    this.#actions.push({ kind: 'cancel', move, why })
  }

  /** Why a move that could be given back is: it does not get on. */
  #hopeless(move: OpenMove, ip: FleetIp): string | undefined {
    if (!this.#canGiveBack(move, ip)) return undefined
    if (this.#world.unansweredMs >= this.#rules.patienceMs) return 'the provider does not answer'
    const obstacle = this.#obstacle(ip)
    if (obstacle !== undefined) return obstacle
    return move.attempts >= triesMax ? (move.error ?? 'it does not get on') : undefined
  }

  /**
   * Whether the node that the IP is assigned to sends from it again once the move is given up: surely it still has it. Where agents
   * see to addresses nobody else has it before the move has ended.
   */
  #canGiveBack({ state, to }: OpenMove, { node }: FleetIp): boolean {
    const unasked = state === 'releasing' || this.#world.cloud?.attaches === false
    return unasked && node !== null && node !== to && this.#isAlive(node)
  }

  #giveBack(move: OpenMove, ip: FleetIp, why: string): void {
    this.#shares.add(ip.poolId, ip.node!)
    const kind = this.#world.cloud?.attaches === false ? 'cancel' : 'withdraw'
    this.#actions.push({ kind, move, why })
  }

  #countPlanned(poolId: number): void {
    this.#planned++
    this.#plannedByPool.set(poolId, (this.#plannedByPool.get(poolId) ?? 0) + 1)
  }

  /** Not all of a pool leaves at once, so that its mail always has somewhere to go. */
  #hasRoom(poolId: number): boolean {
    const ofPool = this.#world.fleet.ips.filter((ip) => ip.poolId === poolId).length
    const poolMax = Math.max(1, Math.floor(ofPool / 2))
    return this.#planned < this.#rules.plannedMovesMax && (this.#plannedByPool.get(poolId) ?? 0) < poolMax
  }

  /** Why the IP is left alone; undefined: it can be moved. */
  #obstacle(ip: FleetIp): string | undefined {
    if (!this.#world.cloud) return undefined
    const listed = this.#addresses.get(ip.address)
    if (!listed) return 'the provider does not list it: left alone'
    return listed.blocked === undefined ? undefined : `cannot be moved: ${listed.blocked}`
  }

  /** Silent for less than this a node is surely alive; for longer it gets nothing, and keeps what it has until it is dead. */
  get #lateMs(): number {
    return this.#rules.deadMs / 2
  }

  #isAlive(name: string): boolean {
    return (this.#nodes.get(name)?.silentMs ?? Number.POSITIVE_INFINITY) < this.#lateMs
  }

  /** Not to be known by a manager that has just begun to look, or had a gap: everybody looks silent to it. */
  #isDead(name: string): boolean {
    if (this.#world.watchedMs < this.#rules.graceMs) return false
    const node = this.#nodes.get(name)
    return !node || node.silentMs >= this.#rules.deadMs
  }

  /**
   * Whether an IP that belongs on the node is not there. Where agents see to addresses they do so once the IP is assigned, which takes
   * a moment, and what a dead node had last says nothing.
   */
  #isElsewhere(node: string, at: string | undefined): boolean {
    if (at === node) return false
    return this.#world.cloud!.attaches || (at !== undefined && !this.#isDead(at))
  }

  /** Nodes that IPs may be moved to. */
  #hosts(): string[] {
    return this.#world.fleet.nodes
      .filter(
        ({ name, state, silentMs }) => state === 'ready' && silentMs < this.#lateMs && this.#hasServer(name),
      )
      .map(({ name }) => name)
  }

  /** Whether an IP that a person wants there can be moved there. */
  #canReach(name: string): boolean {
    const node = this.#nodes.get(name)
    return node !== undefined && node.silentMs < this.#rules.deadMs && this.#hasServer(name)
  }

  /** Whether a move to the node has to go elsewhere. */
  #isLost(name: string): boolean {
    if (!this.#world.cloud) return false
    return this.#isDead(name) || this.#nodes.get(name)?.state === 'draining' || !this.#hasServer(name)
  }

  #hasServer(name: string): boolean {
    return this.#located.serverOf.get(name)?.running === true
  }

  #holderOf(ip: FleetIp): string | undefined {
    return ip.heldBy !== null && this.#nodes.has(ip.heldBy) ? ip.heldBy : undefined
  }

  #toNotes(): FleetNotes {
    const { fleet, cloud } = this.#world
    if (!cloud) return { ips: [], nodes: [] }
    return {
      ips: fleet.ips.map(({ id, address }) => ({
        id,
        provider_id: this.#addresses.get(address)?.providerId ?? null,
        note: this.#notes.get(id) ?? null,
      })),
      nodes: fleet.nodes.map(({ name }) => ({
        name,
        server_id: this.#located.serverOf.get(name)?.id ?? null,
      })),
    }
  }
}

/** It could as well be made later. */
function isPlanned(reason: MoveReason): boolean {
  return reason === 'node draining' || reason === 'spread'
}
