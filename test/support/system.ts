/** The whole way of a message: Postel that receives and sends, a name server, and remote mail servers. */
import { FakeDns, type Zone } from './fake-dns.ts'
import { FakeMx, type MxScript } from './fake-mx.ts'
import { type Postel, type PostelOptions, startPostel } from './postel.ts'

export type SystemOptions = PostelOptions & {
  /** The remote servers, at 127.0.0.2, 127.0.0.3 …, named mx1.remote.test, mx2.remote.test … Default: one that takes all. */
  mx?: MxScript | readonly MxScript[]
  /** More names; `dest.test` goes to all of `mx` in their order, `a.test`, `b.test` and `c.test` to the first. */
  zones?: Record<string, Zone>
}

export type System = {
  postel: Postel
  dns: FakeDns
  /** The first of mxs. */
  mx: FakeMx
  mxs: FakeMx[]
  /**
   * A domain that was never mailed before, with exchangers of its own names, so without sessions and nothing learned; it goes
   * to all of mxs in their order.
   */
  freshDomain(): string
  /** For startOutbound. */
  outboundEnv: Record<string, string>
  stop(): Promise<void>
}

/** Starts it all. `outbound: undefined` means with defaults; start none by `outbound: false`. */
export async function startSystem(
  options: Omit<SystemOptions, 'outbound'> & { outbound?: Record<string, string> | false } = {},
): Promise<System> {
  const { mx: scripts = {}, zones, outbound = {}, ...rest } = options
  const mxs = await FakeMx.startAll([scripts].flat())
  const names = mxs.map((_, index) => `mx${index + 1}.remote.test`)
  const first: Zone = { MX: [[10, names[0]!]] }
  const all: Zone = { MX: names.map((name, index) => [(index + 1) * 10, name] as const) }
  let domains = 0
  const dns = await FakeDns.start({
    'dest.test': all,
    'a.test': first,
    'b.test': first,
    'c.test': first,
    ...Object.fromEntries(mxs.map((mx, index) => [names[index]!, { A: [mx.address] }])),
    ...zones,
  })
  const outboundEnv = { DNS_SERVERS: dns.address, DELIVERY_PORT: String(mxs[0]!.port) }
  const stopRemotes = () => Promise.all([...mxs.map((mx) => mx.stop()), dns.stop()])
  try {
    const postel = await startPostel({
      ...rest,
      ...(outbound && { outbound: { ...outboundEnv, ...outbound } }),
    })
    return {
      postel,
      dns,
      mx: mxs[0]!,
      mxs,
      freshDomain: () => {
        const name = `fresh-${++domains}.test`
        const own = mxs.map((mx, index) => ({ host: `mx${index + 1}.${name}`, address: mx.address }))
        dns.zones[name] = { MX: own.map(({ host }, index) => [(index + 1) * 10, host] as const) }
        for (const { host, address } of own) dns.zones[host] = { A: [address] }
        return name
      },
      outboundEnv,
      stop: async () => {
        await postel.stop()
        await stopRemotes()
      },
    }
  } catch (error) {
    await stopRemotes()
    throw error
  }
}
