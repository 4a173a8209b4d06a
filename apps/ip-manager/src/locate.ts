/** Which node runs on which of the provider's servers. */
import type { FleetNode } from '@postel/db/queries/fleet'
import type { CloudServer } from './provider.ts'

export type Located = {
  serverOf: ReadonlyMap<string, CloudServer>
  /** Names of nodes by the id of their server. */
  nodeOf: ReadonlyMap<string, string>
}

/**
 * A node runs on the server of its name, or whose name has the same first label, or that has one of the addresses of its interfaces;
 * each only where no other node or server would do as well. A node without a server is given nothing.
 */
export function locate(nodes: readonly FleetNode[], servers: readonly CloudServer[]): Located {
  const serverOf = new Map<string, CloudServer>()
  const nodeOf = new Map<string, string>()
  const rules: ((node: FleetNode, server: CloudServer) => boolean)[] = [
    (node, server) => node.name.toLowerCase() === server.name.toLowerCase(),
    (node, server) => firstLabel(node.name) === firstLabel(server.name),
    (node, server) => server.addresses.some((address) => node.addresses.includes(address)),
  ]
  for (const fits of rules) {
    const freeNodes = nodes.filter(({ name }) => !serverOf.has(name))
    const freeServers = servers.filter(({ id }) => !nodeOf.has(id))
    for (const node of freeNodes) {
      const found = freeServers.filter((server) => fits(node, server))
      const [server] = found
      if (!server || found.length > 1 || freeNodes.filter((other) => fits(other, server)).length > 1) continue
      serverOf.set(node.name, server)
      nodeOf.set(server.id, node.name)
    }
  }
  return { serverOf, nodeOf }
}

function firstLabel(name: string): string {
  return name.toLowerCase().split('.', 1)[0]!
}
