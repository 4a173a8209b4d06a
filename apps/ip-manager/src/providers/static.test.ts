/** Without a cloud: what the nodes say is so, and a move waits for the former node. */
import { expect, test } from '@jest/globals'
import type { FleetNode } from '@postel/db/queries/fleet'
import { Static } from './static.ts'

const { signal } = new AbortController()

function node(name: string, addresses: string[], rest: Partial<FleetNode> = {}): FleetNode {
  return { name, state: 'ready', silentMs: 1_000, aliveMs: 600_000, addresses, agentSilentMs: 2_000, ...rest }
}
const dead = { silentMs: 90_000, agentSilentMs: 91_000 }
const byHand = { agentSilentMs: null }

function provider(nodes: FleetNode[], waitMs = 5_000) {
  const addresses = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '2001:db8::5']
  return new Static({ readFleet: async () => ({ nodes, addresses }), waitMs })
}

test('a source IP is where an agent says that it is; what a person sees to is not named', async () => {
  const found = await provider([
    node('a', ['10.0.0.1', '192.0.2.1', '192.0.2.2']),
    node('b', ['192.0.2.2', '192.0.2.3']),
    node('gone', ['192.0.2.3'], dead),
    node('hand', ['192.0.2.4'], byHand),
  ]).listAddresses()
  expect(found).toEqual([
    { address: '192.0.2.1', providerId: '192.0.2.1', serverId: 'a' },
    {
      address: '192.0.2.2',
      providerId: '192.0.2.2',
      serverId: 'a',
      blocked: 'It is on the interfaces of a and b.',
    },
    { address: '192.0.2.3', providerId: '192.0.2.3', serverId: 'b' },
    { address: '2001:db8::5', providerId: '2001:db8::5', serverId: null },
  ])
})

test('what no agent could take off its node cannot be moved, until the node is dead', async () => {
  const blockedOn = async (rest: Partial<FleetNode>) =>
    (await provider([node('a', ['192.0.2.1'], rest), node('b', [])]).listAddresses())[0]!.blocked
  expect(await blockedOn({ agentSilentMs: 29_000 })).toBeUndefined()
  expect(await blockedOn({ agentSilentMs: 30_000 })).toBe('The interface agent of a is silent.')
  expect(await blockedOn(dead)).toBeUndefined()
})

test('while no node has an agent there is nothing that could be moved', async () => {
  expect(await provider([node('hand', ['192.0.2.4'], byHand)]).listAddresses()).toEqual([])
})

test('nodes with an agent are servers, and run while the agent does', async () => {
  const servers = await provider([
    node('a', []),
    node('hand', [], byHand),
    node('silent', [], { agentSilentMs: 16_000 }),
  ]).listServers()
  expect(servers.map(({ id, running }) => [id, running])).toEqual([
    ['a', true],
    ['silent', false],
  ])
})

test('a move waits until the former node has let go of the address', async () => {
  const nodes = [node('a', ['192.0.2.1']), node('b', [])]
  const attached = provider(nodes).attach('192.0.2.1', 'b', signal)
  nodes[0] = node('a', [])
  await attached
})

test.each([
  ['waits for no dead node', [node('gone', ['192.0.2.1'], dead), node('b', [])], undefined],
  ['waits for none where it is there already', [node('b', ['192.0.2.1'])], undefined],
  ['is unfinished while the former node has it', [node('a', ['192.0.2.1']), node('b', [])], 'unfinished'],
  [
    'is unfinished while a node has it whose sender alone is heard of',
    [node('a', ['192.0.2.1'], { agentSilentMs: 90_000 }), node('b', [])],
    'unfinished',
  ],
  ['knows no such node', [node('a', [])], 'not_found'],
])('attach %s', async (_name, nodes, kind) => {
  const ended = await provider(nodes, 1)
    .attach('192.0.2.1', 'b', signal)
    .catch((error: { kind: string }) => error.kind)
  expect(ended).toBe(kind)
})

test('an absent database is no empty answer', async () => {
  const away = new Static({ readFleet: () => Promise.reject(new Error('away')) })
  await expect(away.listAddresses()).rejects.toMatchObject({ kind: 'retry' })
})
