/** What the manager does about a fleet: with random fleets, and with those that are hard. */
import { describe, expect, test } from '@jest/globals'
import { type Fleet, type FleetIp, type FleetNode, type OpenMove, triesMax } from '@postel/db/queries/fleet'
import { type Action, reconcile } from './reconcile.ts'
import { FleetModel, makeIp, makeMove, makeNode, rules } from './testing/fleet-model.ts'

/** The same for many random fleets; a failure names its seed. */
function everySeed(name: string, check: (seed: number) => void): void {
  test(name, () => {
    for (let seed = 1; seed <= 60; seed++)
      try {
        check(seed)
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error })
      }
  })
}

/** mulberry32: the same numbers for the same seed. */
function randomOf(seed: number) {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (count: number) => Math.floor(next() * count)
  return {
    below,
    chance: (share: number) => next() < share,
    pick: <T>(of: readonly T[]) => of[below(of.length)]!,
  }
}

type Random = ReturnType<typeof randomOf>

function randomFleet(random: Random, { pins = true, anyState = true } = {}): FleetModel {
  const fleet = new FleetModel()
  const nodes = 1 + random.below(6)
  for (let index = 1; index <= nodes; index++) fleet.addNode(`n${index}`)
  const names = fleet.nodes.map(({ name }) => name)
  const pools = 1 + random.below(4)
  const ips = random.below(40)
  for (let id = 1; id <= ips; id++) {
    const node = random.chance(0.2) ? null : random.pick(names)
    fleet.addIp(id, node, {
      poolId: 1 + random.below(pools),
      pinned: pins && node !== null && random.chance(0.15),
      state: anyState
        ? random.pick(['active', 'active', 'active', 'warming', 'paused', 'draining'])
        : 'active',
    })
  }
  return fleet
}

const counts = (fleet: FleetModel, names: readonly string[], poolId?: number) =>
  names.map((name) => fleet.on(name).filter((ip) => poolId === undefined || ip.poolId === poolId).length)
const spreadOf = (numbers: readonly number[]) => Math.max(...numbers) - Math.min(...numbers)
const kinds = (actions: readonly Action[]) => actions.map(({ kind }) => kind)

describe('random fleets', () => {
  everySeed('comes to rest with every IP on one living node, and stays at rest', (seed) => {
    const random = randomOf(seed)
    const fleet = randomFleet(random)
    for (let change = 0; change < 6; change++) {
      fleet.settle()
      const homes = fleet.nodes.filter(({ state, silentMs }) => state === 'ready' && silentMs < 30_000)
      if (homes.length > 0) expect(fleet.moves).toEqual([])
      for (const ip of fleet.ips) {
        if (ip.pinned || homes.length === 0) continue
        expect(homes.map(({ name }) => name)).toContain(ip.node)
        expect(fleet.attached.get(ip.address)).toBe(FleetModel.serverOf(ip.node!))
      }
      disturb(fleet, random)
    }
  })

  everySeed('without pins no node has two more of a pool, nor two more in all', (seed) => {
    const fleet = randomFleet(randomOf(seed), { pins: false, anyState: false })
    fleet.settle()
    const names = fleet.nodes.map(({ name }) => name)
    for (const poolId of new Set(fleet.ips.map((ip) => ip.poolId)))
      expect(spreadOf(counts(fleet, names, poolId))).toBeLessThanOrEqual(1)
    expect(spreadOf(counts(fleet, names))).toBeLessThanOrEqual(1)
  })

  everySeed('a pool is evened out with as few moves as there can be', (seed) => {
    const fleet = randomFleet(randomOf(seed), { pins: false, anyState: false })
    for (const ip of fleet.ips) ip.poolId = 1
    const names = fleet.nodes.map(({ name }) => name)
    fleet.ips = fleet.ips.filter(({ node }) => node !== null)
    const sorted = counts(fleet, names).toSorted((a, b) => b - a)
    const each = Math.floor(fleet.ips.length / names.length)
    const more = fleet.ips.length % names.length
    const fewest = sorted.reduce(
      (sum, count, index) => sum + Math.max(0, count - each - (index < more ? 1 : 0)),
      0,
    )
    fleet.settle()
    expect(fleet.begun.length).toBe(fewest)
    expect(spreadOf(counts(fleet, names))).toBeLessThanOrEqual(1)
  })

  everySeed('when a node dies its IPs move, at once and all together, and nothing else', (seed) => {
    const random = randomOf(seed)
    const fleet = randomFleet(random, { anyState: false })
    fleet.addNode('spare')
    fleet.settle()
    const dead = random.pick(fleet.nodes)
    const lost = fleet.on(dead.name).filter(({ pinned }) => !pinned)
    dead.silentMs = 30_000
    fleet.begun = []
    const { actions } = fleet.plan()
    expect(actions.every((action) => action.kind === 'begin' && action.reason === 'node gone')).toBe(true)
    expect(actions.map((action) => (action as { ip: FleetIp }).ip.id).sort()).toEqual(
      lost.map(({ id }) => id).sort(),
    )
    fleet.settle()
    expect(fleet.on(dead.name).every(({ pinned }) => pinned)).toBe(true)
  })

  everySeed('a node that is late loses nothing and is given nothing', (seed) => {
    const random = randomOf(seed)
    const fleet = randomFleet(random)
    fleet.settle()
    random.pick(fleet.nodes).silentMs = 15_000 + random.below(14_999)
    expect(fleet.plan().actions).toEqual([])
  })

  everySeed('a node that comes back gets nothing until it has settled, then its share', (seed) => {
    const random = randomOf(seed)
    const fleet = randomFleet(random, { pins: false, anyState: false })
    fleet.addNode('back')
    fleet.settle()
    const back = fleet.node('back')
    back.silentMs = 31_000
    fleet.settle()
    Object.assign(back, { silentMs: 100, aliveMs: 100 })
    expect(fleet.plan().actions).toEqual([])
    back.aliveMs = rules.settleMs - 1
    expect(fleet.plan().actions).toEqual([])
    back.aliveMs = rules.settleMs
    fleet.settle()
    expect(
      spreadOf(
        counts(
          fleet,
          fleet.nodes.map(({ name }) => name),
        ),
      ),
    ).toBeLessThanOrEqual(1)
  })

  everySeed('an answer of the provider that is missing or empty moves nothing', (seed) => {
    const random = randomOf(seed)
    const fleet = randomFleet(random)
    if (random.chance(0.5)) fleet.settle()
    random.pick(fleet.nodes).silentMs = 60_000
    const world = fleet.world()
    expect(reconcile({ ...world, cloud: undefined }, rules).actions).toEqual([])
    const empty = { addresses: [], servers: [], attaches: true }
    expect(reconcile({ ...world, cloud: empty }, rules).actions).toEqual([])
    expect(
      reconcile({ ...world, cloud: { ...empty, servers: world.cloud!.servers } }, rules).actions,
    ).toEqual([])
    const { actions } = reconcile({ ...world, cloud: { ...world.cloud!, servers: [] } }, rules)
    expect(actions.filter(({ kind }) => kind !== 'adopt')).toEqual([])
  })
})

/** Something happens to the fleet, at any moment, also in the middle of moves. */
function disturb(fleet: FleetModel, random: Random): void {
  const node = random.pick(fleet.nodes)
  const ip = fleet.ips.length > 0 ? random.pick(fleet.ips) : undefined
  const happenings: (() => void)[] = [
    () => Object.assign(node, { silentMs: 40_000 }),
    () => Object.assign(node, { silentMs: 1_000, aliveMs: random.pick([1_000, 3_600_000]) }),
    () => Object.assign(node, { state: 'draining' }),
    () => Object.assign(node, { state: 'ready' }),
    () => fleet.addNode(`m${fleet.nodes.length}`),
    () => ip && Object.assign(ip, { node: node.name, pinned: true }),
    () => ip && Object.assign(ip, { node: null, pinned: false }),
    () => ip && fleet.attached.set(ip.address, FleetModel.serverOf(node.name)),
    () => ip && fleet.attached.set(ip.address, null),
    () => fleet.addIp(1_000 + fleet.ips.length, null),
  ]
  for (let times = 1 + random.below(3); times > 0; times--) random.pick(happenings)()
  // Some of what is to be done now is done, and then something else happens
  for (const action of fleet.plan().actions)
    if (action.kind === 'begin' && random.chance(0.5)) fleet.do(action)
  if (random.chance(0.5)) random.pick(happenings)()
}

describe('one node after another', () => {
  const three = () => {
    const fleet = new FleetModel()
    for (const name of ['n1', 'n2', 'n3']) fleet.addNode(name)
    for (let id = 1; id <= 6; id++)
      fleet.addIp(id, `n${((id - 1) % 3) + 1}`, { heldBy: `n${((id - 1) % 3) + 1}` })
    return fleet
  }

  test('a fleet where all is as it should be', () => {
    expect(three().plan()).toMatchObject({ actions: [], notes: { ips: Array(6).fill({ note: null }) } })
  })

  test('a manager that has just begun to look declares nobody dead', () => {
    const fleet = three()
    for (const node of fleet.nodes) node.silentMs = 600_000
    fleet.watchedMs = rules.graceMs - 1
    expect(fleet.plan().actions).toEqual([])
  })

  test('a move is not made before the holder has let go, nor before it is time to try again', () => {
    const fleet = three()
    fleet.node('n1').silentMs = 30_000
    for (const action of fleet.plan().actions) fleet.do(action)
    expect(fleet.plan().actions).toEqual([])
    for (const ip of fleet.ips) ip.heldBy = ip.node === 'n1' ? null : ip.heldBy
    fleet.moves[0]!.retryInMs = 1
    expect(kinds(fleet.plan().actions)).toEqual(['attach'])
  })

  test('a move whose node dies or is drained goes elsewhere; one whose node is late waits', () => {
    const fleet = three()
    fleet.node('n1').silentMs = 30_000
    for (const action of fleet.plan().actions) fleet.do(action)
    const to = fleet.moves[0]!.to
    fleet.node(to).silentMs = 29_000
    expect(fleet.plan().actions.filter(({ kind }) => kind === 'redirect')).toEqual([])
    fleet.node(to).silentMs = 30_000
    const [redirect] = fleet.plan().actions.filter((action) => action.kind === 'redirect')
    expect(redirect).toMatchObject({ move: { id: fleet.moves[0]!.id } })
    expect([to, 'n1']).not.toContain(redirect!.to)
  })

  test('the last node keeps its moves open until another lives', () => {
    const fleet = three()
    for (const name of ['n1', 'n2', 'n3']) fleet.node(name).silentMs = 60_000
    const plan = fleet.plan()
    expect(plan.actions).toEqual([])
    expect(plan.notes.ips[0]!.note).toBe('node gone, and no node can take it')
    fleet.addNode('n4', { aliveMs: 0 })
    fleet.settle()
    expect(fleet.on('n4').length).toBe(6)
  })

  test('a drained node is emptied a few at a time, never with more than half of a pool under way', () => {
    const fleet = three()
    fleet.node('n1').state = 'draining'
    const { actions, notes } = fleet.plan()
    expect(actions).toEqual([
      expect.objectContaining({ kind: 'begin', reason: 'node draining', from: 'n1' }),
      expect.objectContaining({ kind: 'begin', reason: 'node draining', from: 'n1' }),
    ])
    expect(notes.ips.filter(({ note }) => note !== null)).toEqual([])
    fleet.nodes.splice(1, 1)
    fleet.ips = fleet.ips.map((ip) => ({ ...ip, node: ip.id <= 5 ? 'n1' : 'n3' }))
    expect(fleet.plan().actions.length).toBe(3)
    expect(
      fleet.plan().notes.ips.filter(({ note }) => note?.includes('waits until others have moved')).length,
    ).toBe(2)
    fleet.settle()
    expect(fleet.on('n1')).toEqual([])
    expect(fleet.plan().actions).toEqual([])
  })

  test('what a person pinned goes there and stays, dead or drained', () => {
    const fleet = three()
    Object.assign(fleet.ips[0]!, { node: 'n2', pinned: true })
    expect(fleet.plan().actions[0]).toEqual({
      kind: 'begin',
      ip: expect.objectContaining({ id: 1 }),
      from: 'n1',
      to: 'n2',
      reason: 'pinned',
    })
    fleet.settle()
    fleet.node('n2').state = 'draining'
    fleet.settle()
    expect(fleet.on('n2').map(({ id }) => id)).toEqual([1])
    fleet.node('n2').silentMs = 90_000
    const { actions, notes } = fleet.plan()
    expect(actions).toEqual([])
    expect(notes.ips[0]).toMatchObject({ id: 1, note: 'pinned to n2, which is gone' })
  })

  test('what was moved by hand at the provider is put back, and what was detached is attached', () => {
    const fleet = three()
    fleet.attached.set(fleet.ips[0]!.address, FleetModel.serverOf('n3'))
    fleet.attached.set(fleet.ips[1]!.address, null)
    expect(fleet.plan().actions).toMatchObject([
      { kind: 'begin', from: 'n3', to: 'n1', reason: 'astray' },
      { kind: 'begin', from: null, to: 'n2', reason: 'astray' },
    ])
  })

  test('what nobody has assigned stays where it is, whoever holds it; what is nowhere is placed', () => {
    const fleet = three()
    Object.assign(fleet.ips[0]!, { node: null })
    Object.assign(fleet.ips[1]!, { node: null, heldBy: 'n2' })
    fleet.attached.set(fleet.ips[1]!.address, null)
    Object.assign(fleet.ips[2]!, { node: null, heldBy: null })
    fleet.attached.set(fleet.ips[2]!.address, null)
    expect(fleet.plan().actions).toMatchObject([
      { kind: 'adopt', ip: { id: 1 }, node: 'n1' },
      { kind: 'adopt', ip: { id: 2 }, node: 'n2' },
      { kind: 'begin', ip: { id: 3 }, from: null, to: 'n3', reason: 'unassigned' },
    ])
  })

  test('what is attached to a server that is no node of ours is left alone, unless that server is gone', () => {
    const fleet = three()
    fleet.ips[0]!.node = null
    fleet.attached.set(fleet.ips[0]!.address, 'database')
    const world = fleet.world()
    const server = { id: 'database', name: 'db-1', addresses: [], running: true }
    const servers = [...world.cloud!.servers, server]
    const plan = reconcile({ ...world, cloud: { ...world.cloud!, servers } }, rules)
    expect(plan.actions).toEqual([])
    expect(plan.notes.ips[0]!.note).toBe('attached to server db-1, which is none of our nodes: left alone')
    server.running = false
    expect(kinds(reconcile({ ...world, cloud: { ...world.cloud!, servers } }, rules).actions)).toEqual([
      'begin',
    ])
  })

  test('what is not listed, or cannot be moved, is left alone, and people are told why', () => {
    const fleet = three()
    fleet.node('n1').silentMs = 60_000
    const world = fleet.world()
    const addresses = world
      .cloud!.addresses.filter(({ address }) => address !== fleet.ips[0]!.address)
      .map((address) =>
        address.address === fleet.ips[3]!.address ? { ...address, blocked: 'locked' } : address,
      )
    const plan = reconcile({ ...world, cloud: { ...world.cloud!, addresses } }, rules)
    expect(plan.actions).toEqual([])
    expect(plan.notes.ips[0]!.note).toBe('the provider does not list it: left alone')
    expect(plan.notes.ips[3]!.note).toBe('cannot be moved: locked')
  })

  test('a move of an IP that has been retired, or pinned to a dead node, is given up', () => {
    const fleet = three()
    fleet.node('n1').state = 'draining'
    for (const action of fleet.plan().actions) fleet.do(action)
    fleet.ips = fleet.ips.filter(({ id }) => id !== 1)
    Object.assign(fleet.ips.find(({ id }) => id === 4)!, { pinned: true, node: 'nobody' })
    const given = fleet.plan().actions.filter((action) => action.kind === 'cancel')
    expect(given.map(({ why }) => why)).toEqual([
      'it has been retired',
      'it has been pinned to nobody, which is gone',
    ])
  })

  test('nobody evens out while a node is between life and death', () => {
    const fleet = three()
    fleet.ips = fleet.ips.map((ip) => ({ ...ip, node: 'n1' }))
    for (const ip of fleet.ips) fleet.attached.set(ip.address, FleetModel.serverOf('n1'))
    expect(fleet.plan().actions.length).toBe(3)
    fleet.node('n2').silentMs = 20_000
    expect(fleet.plan().actions).toEqual([])
  })
})

describe('while the provider does not answer', () => {
  /** n1 is being drained, and its IP on the way to n2. */
  const moving = (changes: Partial<OpenMove> = {}) => {
    const fleet = new FleetModel()
    fleet.addNode('n1', { state: 'draining' })
    fleet.addNode('n2')
    fleet.addIp(1, 'n1')
    fleet.moves.push(makeMove({ from: 'n1', to: 'n2', ...changes }))
    fleet.unansweredMs = rules.patienceMs
    return fleet
  }
  const withoutCloud = (fleet: FleetModel) => reconcile({ ...fleet.world(), cloud: undefined }, rules).actions

  test('a move that it was not asked for is given up, so that the node sends again, and none is begun', () => {
    const fleet = moving({ attempts: 3 })
    const given = [{ kind: 'withdraw', move: fleet.moves[0], why: 'the provider does not answer' }]
    expect(withoutCloud(fleet)).toEqual(given)
    expect(fleet.plan().actions).toEqual(given)
    fleet.settle()
    expect(fleet.moves).toEqual([])
    expect(fleet.plan().notes.ips[0]!.note).toBe('node draining: waits until the provider answers')
    fleet.unansweredMs = 0
    fleet.settle()
    expect(fleet.on('n2').length).toBe(1)
  })

  test.each<[string, Partial<OpenMove>, Partial<FleetIp>, Partial<FleetNode>]>([
    ['that it may have been asked for', { state: 'attaching', attempts: 1 }, {}, {}],
    ['whose IP is pinned where it goes', { reason: 'pinned' }, { node: 'n2', pinned: true }, {}],
    [
      'whose IP is pinned elsewhere, once it may have been asked for',
      { state: 'attaching' },
      { pinned: true },
      {},
    ],
    ['from a node that is gone', { reason: 'node gone' }, {}, { silentMs: 30_000 }],
  ])('a move %s stays open', (_name, move, ip, node) => {
    const fleet = moving(move)
    Object.assign(fleet.ips[0]!, ip)
    Object.assign(fleet.node('n1'), node)
    expect(withoutCloud(fleet)).toEqual([])
  })

  test('for a moment, moves go on and wait, and nothing is evened out', () => {
    const fleet = moving()
    fleet.unansweredMs = rules.patienceMs - 1
    expect(kinds(fleet.plan().actions)).toEqual(['attach'])
    expect(withoutCloud(fleet)).toEqual([])
    fleet.moves = []
    fleet.node('n1').state = 'ready'
    fleet.addIp(2, 'n1')
    expect(fleet.plan().actions).toEqual([])
    fleet.unansweredMs = 0
    expect(kinds(fleet.plan().actions)).toEqual(['begin'])
  })

  test('the IPs of a node that dies move all the same, as far as what it said before serves', () => {
    const fleet = moving()
    fleet.moves = []
    fleet.node('n1').silentMs = 30_000
    expect(kinds(fleet.plan().actions)).toEqual(['begin'])
  })
})

test('a planned move that finds no node, or that cannot be made any more, is given up', () => {
  const fleet = new FleetModel()
  fleet.addNode('n1', { state: 'draining' })
  fleet.addNode('n2')
  fleet.addIp(1, 'n1')
  fleet.moves.push(makeMove({ from: 'n1', to: 'n2' }))
  fleet.stoppedServers.add('n2')
  expect(fleet.plan().actions).toMatchObject([
    { kind: 'withdraw', why: 'node draining, and no node can take it' },
  ])
  fleet.attached.clear()
  expect(fleet.plan().actions).toMatchObject([
    { kind: 'withdraw', why: 'the provider does not list it: left alone' },
  ])
})

describe('where agents see to addresses', () => {
  const agents = { agentSilentMs: 1_000 }
  const nodes = (changes: Partial<FleetNode> = {}) => [
    makeNode('n1', { ...agents, ...changes }),
    makeNode('n2', agents),
  ]
  const staticCloud = (at: string | null, fleetNodes: readonly FleetNode[]) => ({
    addresses: [{ address: makeIp(1).address, providerId: '', serverId: at }],
    servers: fleetNodes.map(({ name }) => ({ id: name, name, addresses: [], running: true })),
    attaches: false,
  })
  const plan = (ip: Partial<FleetIp>, at: string | null, changes: Partial<FleetNode> = {}) => {
    const fleet = { nodes: nodes(changes), ips: [makeIp(1, ip)], moves: [] }
    return reconcile(worldOf(fleet, at), rules).actions
  }
  const worldOf = (fleet: Fleet, at: string | null) => ({
    fleet,
    cloud: staticCloud(at, fleet.nodes),
    unansweredMs: 0,
    watchedMs: 3_600_000,
  })

  test('an IP that was assigned a moment ago is on no interface yet: it is not moved again', () => {
    expect(plan({ node: 'n1' }, null)).toEqual([])
    expect(plan({ node: 'n1', pinned: true }, null)).toEqual([])
  })

  test('what a dead node had last says nothing', () => {
    expect(plan({ node: 'n2' }, 'n1', { silentMs: 60_000, agentSilentMs: 60_000 })).toEqual([])
    expect(plan({ node: 'n2', pinned: true }, 'n1', { silentMs: 60_000 })).toEqual([])
  })

  test('a pinned IP leaves the interface that it is on before it comes to the other', () => {
    expect(plan({ node: 'n2', pinned: true }, 'n1')).toMatchObject([{ kind: 'begin', from: 'n1', to: 'n2' }])
  })

  test('an address that its node does not take off stays there: the move is given up, and not begun again for an hour', () => {
    const error = '192.0.0.1 is still on an interface of n1'
    const drained = nodes({ state: 'draining' })
    const move = makeMove({ from: 'n1', to: 'n2', state: 'attaching', attempts: triesMax - 1, error })
    const fleet: Fleet = { nodes: drained, ips: [makeIp(1, { node: 'n1' })], moves: [move] }
    expect(reconcile(worldOf(fleet, 'n1'), rules).actions).toMatchObject([{ kind: 'attach' }])
    move.attempts = triesMax
    expect(reconcile(worldOf(fleet, 'n1'), rules).actions).toEqual([{ kind: 'cancel', move, why: error }])
    fleet.moves = []
    fleet.ips[0]!.gaveUp = error
    const { actions, notes } = reconcile(worldOf(fleet, 'n1'), rules)
    expect(actions).toEqual([])
    expect(notes.ips[0]!.note).toBe(`node draining: given up for now: ${error}`)
  })
})
