/**
 * Machines that are network namespaces, on one network with a router: `ip` works on them as on a node, and nothing of the machine
 * that the tests run on is touched. Needs root.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'

/** Undefined: they can be had; else why not. */
export function whyNoMachines(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are of Linux'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const name = `postel-probe-${randomBytes(4).toString('hex')}`
  const made = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
  if (made.error) return 'there is no ip command (Debian: iproute2)'
  if (made.status !== 0) return `no network namespaces: ${made.stderr.trim()}`
  spawnSync('ip', ['netns', 'delete', name])
  return undefined
}

type Address = { local: string; metric?: number; scope: string; deprecated?: boolean }

export class Machine {
  readonly namespace = `postel-${randomBytes(4).toString('hex')}`

  constructor() {
    execFileSync('ip', ['netns', 'add', this.namespace])
    this.ip('link set lo up')
  }

  /** Runs `ip` on it with the words of a line; its JSON where it gives one. */
  ip(line: string): unknown {
    const args = ['-json', '-netns', this.namespace, ...line.split(' ')]
    const text = execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    return text.trim() === '' ? undefined : JSON.parse(text)
  }

  addresses(device: string): Address[] {
    const [link] = this.ip(`address show dev ${device}`) as { addr_info: Address[] }[]
    return link!.addr_info.filter(({ local }) => !local.startsWith('fe80'))
  }

  has(device: string): string[] {
    return this.addresses(device).map(({ local }) => local)
  }

  /** The address that the machine itself would send from. */
  sourceTo(destination: string): string {
    const [route] = this.ip(`route get ${destination}`) as { prefsrc: string }[]
    return route!.prefsrc
  }

  /** The link address that it has of a neighbour. */
  linkAddressOf(neighbour: string): string | undefined {
    const found = this.ip(`neighbour show to ${neighbour}`) as { lladdr?: string }[]
    return found[0]?.lladdr
  }

  get linkAddress(): string {
    const [link] = this.ip('link show dev eth0') as { address: string }[]
    return link!.address
  }

  /** Starts a program on it. */
  spawn(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    return spawn('ip', ['netns', 'exec', this.namespace, command, ...args], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  /** Runs JavaScript on it, and gives what it prints. */
  async node(script: string): Promise<string> {
    const child = this.spawn(process.execPath, ['-e', script])
    let text = ''
    for await (const chunk of child.stdout) text += chunk
    return text.trim()
  }

  remove(): void {
    spawnSync('ip', ['netns', 'delete', this.namespace])
  }
}

/** A router at 10.9.0.1 and fd09::1, to which 198.51.100.1 and 2001:db8:ffff::1 belong as well, and nodes at .2, .3 …. */
export function makeNetwork(nodes: number): { router: Machine; nodes: Machine[]; remove(): void } {
  const router = new Machine()
  router.ip('link add br0 type bridge forward_delay 0')
  for (const address of ['10.9.0.1/24', '198.51.100.1/32']) router.ip(`address add ${address} dev br0`)
  for (const address of ['fd09::1/64', '2001:db8:ffff::1/128'])
    router.ip(`address add ${address} dev br0 nodad`)
  router.ip('link set br0 up')
  // Source IPs are on this network too, as they are where routers learn by ARP
  router.ip('route add 203.0.113.0/24 dev br0')
  router.ip('route add 2001:db8:1::/64 dev br0')
  const made = Array.from({ length: nodes }, (_, index) => {
    const node = new Machine()
    router.ip(`link add port${index} type veth peer name eth0 netns ${node.namespace}`)
    router.ip(`link set port${index} master br0 up`)
    node.ip(`address add 10.9.0.${index + 2}/24 dev eth0`)
    node.ip(`address add fd09::${index + 2}/64 dev eth0 nodad`)
    node.ip('link set eth0 up')
    node.ip('route add default via 10.9.0.1')
    node.ip('-6 route add default via fd09::1')
    return node
  })
  return {
    router,
    nodes: made,
    remove: () => {
      for (const machine of [...made, router]) machine.remove()
    },
  }
}
