/**
 * UpCloud: floating IP addresses (developers.upcloud.com, API 1.3, "IP addresses", "Servers", "Networking"). An address is
 * attached to a network interface, named by its MAC, in the address's own zone; the change is carried out at once.
 */
import { isIPv6 } from 'node:net'
import { pause } from '@postel/runtime/backoff'
import { z } from 'zod'
import {
  type CloudAddress,
  type CloudServer,
  onlyReading,
  type Provider,
  ProviderError,
} from '../provider.ts'
import { canonicalAddress } from './addresses.ts'
import { CloudApi, CloudError } from './cloud-api.ts'

const defaultUrl = 'https://api.upcloud.com/1.3'
/** For one call of the manager, however many requests it takes. */
const callMs = 25_000
const defaultPollMs = 1_000

const yes = z
  .union([z.enum(['yes', 'no']), z.boolean()])
  .default('no')
  .transform((value) => value === 'yes' || value === true)

const ipAddress = z.object({
  address: z.string(),
  floating: yes,
  is_delegated: yes,
  /** Missing or empty: attached to nothing. */
  mac: z.string().nullish(),
  server: z.string().nullish(),
})
type IpAddress = z.infer<typeof ipAddress>

const ipAddressReply = z.object({ ip_address: ipAddress })
const ipAddressesReply = z.object({ ip_addresses: z.object({ ip_address: z.array(ipAddress) }) })
const serversReply = z.object({
  servers: z.object({
    server: z.array(z.object({ uuid: z.string(), hostname: z.string(), state: z.string() })),
  }),
})
const networkingReply = z.object({
  networking: z.object({
    interfaces: z.object({
      interface: z.array(
        z.object({
          index: z.number(),
          mac: z.string(),
          type: z.string(),
          ip_addresses: z.object({ ip_address: z.array(z.object({ family: z.string() })) }),
        }),
      ),
    }),
  }),
})

/** Of older parts of the API, and of newer ones (RFC 9457): the code is the end of a URL there. */
const fault = z.object({ error: z.object({ error_code: z.string(), error_message: z.string() }) })
const problem = z.object({ type: z.string(), title: z.string() })

export type UpCloudOptions = {
  credentials: { token: string } | { username: string; password: string }
  url?: string | undefined
  /** See CloudApiOptions. */
  prove?: () => Promise<void>
  timeoutMs?: number
  pollMs?: number
}

export class UpCloud implements Provider {
  readonly name = 'upcloud'
  readonly #api: CloudApi
  readonly #pollMs: number

  constructor({ credentials, url, prove, timeoutMs, pollMs = defaultPollMs }: UpCloudOptions) {
    this.#pollMs = pollMs
    const basic =
      'token' in credentials
        ? undefined
        : Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')
    this.#api = new CloudApi({
      provider: 'UpCloud',
      prove,
      baseUrl: (url ?? defaultUrl).replace(/\/+$/, ''),
      authorization: 'token' in credentials ? `Bearer ${credentials.token}` : `Basic ${basic}`,
      secrets: 'token' in credentials ? [credentials.token] : [credentials.password, basic!],
      credentials:
        'UPCLOUD_TOKEN (or UPCLOUD_USERNAME and UPCLOUD_PASSWORD) must be of an account, or a subaccount, that is allowed ' +
        'API connections, the servers and their floating IPs',
      readFault,
      ...(timeoutMs !== undefined && { timeoutMs }),
    })
  }

  async listAddresses(signal: AbortSignal): Promise<CloudAddress[]> {
    const all = await this.#ipAddresses(bounded(signal))
    return all
      .filter(({ floating }) => floating)
      .map((ip) => ({
        address: canonicalAddress(ip.address) ?? ip.address,
        providerId: ip.address,
        serverId: ip.server || null,
        ...(ip.is_delegated && { blocked: 'It is delegated to a service of UpCloud and cannot be moved.' }),
      }))
  }

  async listServers(signal: AbortSignal): Promise<CloudServer[]> {
    const within = bounded(signal)
    const { servers } = await this.#api.send({
      path: '/server',
      reply: serversReply,
      task: 'list the servers',
      signal: within,
    })
    const addresses = Map.groupBy(await this.#ipAddresses(within), (ip) => ip.server ?? '')
    return servers.server.map(({ uuid, hostname, state }) => ({
      id: uuid,
      name: hostname,
      addresses: (addresses.get(uuid) ?? [])
        .filter(({ floating }) => !floating)
        .map(({ address }) => canonicalAddress(address) ?? address),
      running: state === 'started',
    }))
  }

  async attach(address: string, serverId: string, signal: AbortSignal): Promise<void> {
    const within = bounded(signal)
    const mac = await onlyReading(this.#publicInterface(serverId, address, within))
    const found = await onlyReading(this.#ipAddress(address, within))
    if (isOn(found, mac)) return
    if (!found.floating || found.is_delegated)
      throw new ProviderError('refused', `UpCloud: ${address} is no floating IP that can be moved`, {
        changedNothing: true,
      })
    const { ip_address } = await this.#api.send({
      method: 'PATCH',
      path: `/ip_address/${address}`,
      body: { ip_address: { mac } },
      reply: ipAddressReply,
      task: `attach ${address} to server ${serverId}`,
      signal: within,
    })
    if (!isOn(ip_address, mac)) await this.#arrived(address, mac, within)
  }

  /** Rejects with `unfinished` when it is not seen there in time. */
  async #arrived(address: string, mac: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(this.#pollMs, signal)
      const found = await this.#ipAddress(address, signal).catch((error: unknown) => {
        if (!(error instanceof CloudError)) throw error
        throw new ProviderError('unfinished', error.message, {
          ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
        })
      })
      if (isOn(found, mac)) return
    }
    throw new ProviderError(
      'unfinished',
      `UpCloud: took the move of ${address}, but does not show it there yet`,
    )
  }

  /** The MAC of the server's public interface of the address's family, the first where there are several. */
  async #publicInterface(serverId: string, address: string, signal: AbortSignal): Promise<string> {
    const family = isIPv6(address) ? 'IPv6' : 'IPv4'
    const { networking } = await this.#api.send({
      path: `/server/${encodeURIComponent(serverId)}/networking`,
      reply: networkingReply,
      task: `show the interfaces of server ${serverId}`,
      signal,
    })
    const [first] = networking.interfaces.interface
      .filter(
        ({ type, ip_addresses }) =>
          type === 'public' && ip_addresses.ip_address.some((each) => each.family === family),
      )
      .sort((a, b) => a.index - b.index)
    if (!first)
      throw new ProviderError(
        'refused',
        `UpCloud: server ${serverId} has no public ${family} interface that ${address} could be attached to`,
      )
    return first.mac
  }

  async #ipAddress(address: string, signal: AbortSignal): Promise<IpAddress> {
    const { ip_address } = await this.#api.send({
      path: `/ip_address/${address}`,
      reply: ipAddressReply,
      task: `show ${address}`,
      signal,
    })
    return ip_address
  }

  async #ipAddresses(signal: AbortSignal): Promise<IpAddress[]> {
    const { ip_addresses } = await this.#api.send({
      path: '/ip_address',
      reply: ipAddressesReply,
      task: 'list the IP addresses',
      signal,
    })
    return ip_addresses.ip_address
  }
}

function isOn(ip: IpAddress, mac: string): boolean {
  return ip.mac?.toLowerCase() === mac.toLowerCase()
}

function readFault(body: unknown): { code: string; message: string } | undefined {
  const old = fault.safeParse(body)
  if (old.success) return { code: old.data.error.error_code, message: old.data.error.error_message }
  const { data } = problem.safeParse(body)
  return data && { code: data.type.split('#').at(-1)!, message: data.title }
}

function bounded(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(callMs)])
}
