/** The machine's interfaces, through `ip` of iproute2 (6.1 or newer), which is given its arguments one by one, and asked for JSON. */
import { execFile } from 'node:child_process'
import { z } from 'zod'

const answerMs = 5_000

/** An `ip` that cannot be run, or that failed; the message is for people. */
export class IpRouteError extends Error {
  override name = 'IpRouteError'
}

export type IpRoute = (...args: string[]) => Promise<unknown>

/** Runs `ip -json …` and gives what it answers; nothing, where it answers nothing. Rejects with IpRouteError. */
export const runIp: IpRoute = (...args) =>
  new Promise((resolve, reject) => {
    execFile(
      'ip',
      ['-json', ...args],
      { timeout: answerMs, maxBuffer: 32 * 2 ** 20 },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout.trim() === '' ? [] : JSON.parse(stdout))
        const said = stderr.trim().split('\n').at(-1) ?? ''
        reject(new IpRouteError(`ip ${args.join(' ')}: ${explain(error, said)}`, { cause: error }))
      },
    )
  })

function explain(error: Error & { code?: unknown; killed?: boolean | undefined }, said: string): string {
  if (error.code === 'ENOENT') return 'there is no ip command: install iproute2'
  if (error.killed) return `no answer within ${answerMs} ms`
  if (/Operation not permitted/.test(said))
    return `${said}. It must run as root with the capability NET_ADMIN, in the network namespace of the node`
  return said || error.message
}

const link = z.object({
  ifname: z.string(),
  flags: z.array(z.string()),
  addr_info: z.array(
    z.object({
      local: z.string().optional(),
      metric: z.number().optional(),
      tentative: z.boolean().default(false),
      dadfailed: z.boolean().default(false),
    }),
  ),
})
const links = z.array(link)
const routes = z.array(
  z.object({ gateway: z.string().optional(), dev: z.string().optional(), metric: z.number().default(0) }),
)
const neighbours = z.array(z.object({ dst: z.string(), state: z.array(z.string()).default([]) }))

/** With its link and carrier up or not; `addresses` in the text form of Postgres. */
export type Interface = {
  name: string
  up: boolean
  addresses: { address: string; metric: number; usable: boolean }[]
}

export async function readInterfaces(ip: IpRoute): Promise<Interface[]> {
  return links.parse(await ip('address', 'show')).map(({ ifname, flags, addr_info }) => ({
    // `eth0@if5` of a veth is shown as eth0 in JSON
    name: ifname,
    up: flags.includes('UP') && flags.includes('LOWER_UP'),
    addresses: addr_info
      .filter(({ local }) => local !== undefined)
      .map(({ local, metric = 0, tentative, dadfailed }) => ({
        address: local!,
        metric,
        usable: !tentative && !dadfailed,
      })),
  }))
}

export type DefaultRoute = { gateway: string | undefined; device: string }

/** The best first. */
export async function readDefaultRoutes(ip: IpRoute, family: '-4' | '-6'): Promise<DefaultRoute[]> {
  return routes
    .parse(await ip(family, 'route', 'show', 'default'))
    .filter(({ dev }) => dev !== undefined)
    .sort((a, b) => a.metric - b.metric)
    .map(({ gateway, dev }) => ({ gateway, device: dev! }))
}

/** `learned`: the kernel asks for and forgets its link address by itself; `fixed`: somebody has set it; `unknown`: not asked for yet. */
export async function readNeighbour(
  ip: IpRoute,
  neighbour: string,
  device: string,
): Promise<'learned' | 'fixed' | 'unknown'> {
  const [entry] = neighbours.parse(await ip('neighbour', 'show', 'to', neighbour, 'dev', device))
  if (!entry) return 'unknown'
  return entry.state.some((state) => state === 'PERMANENT' || state === 'NOARP') ? 'fixed' : 'learned'
}
