/**
 * Hetzner Cloud: floating IPs (docs.hetzner.cloud, "Floating IPs", "Floating IP Actions", "Actions", "Servers"). A change is an
 * action: it is asked for, then runs, and at its end has succeeded or failed.
 */
import { pause } from '@postel/runtime/backoff'
import { z } from 'zod'
import {
  type CloudAddress,
  type CloudServer,
  onlyReading,
  type Provider,
  ProviderError,
} from '../provider.ts'
import { canonicalAddress, firstHost, isInNetwork } from './addresses.ts'
import { CloudApi, CloudError, type CloudRequest } from './cloud-api.ts'

const defaultUrl = 'https://api.hetzner.cloud/v1'
const perPage = 50
/** For one call of the manager, however many requests it takes. */
const callMs = 25_000
const defaultPollMs = 500

const floatingIp = z.object({
  id: z.number(),
  /** IPv4: an address. IPv6: a network of 64 bits. */
  ip: z.string(),
  server: z.number().nullable(),
  blocked: z.boolean().default(false),
  dns_ptr: z.array(z.object({ ip: z.string() })).default([]),
})
type FloatingIp = z.infer<typeof floatingIp>

const server = z.object({
  id: z.number(),
  name: z.string(),
  status: z.string(),
  public_net: z
    .object({ ipv4: z.object({ ip: z.string() }).nullish(), ipv6: z.object({ ip: z.string() }).nullish() })
    .nullish(),
  private_net: z.array(z.object({ ip: z.string() })).default([]),
})

const action = z.object({
  id: z.number(),
  status: z.enum(['running', 'success', 'error']),
  error: z.object({ code: z.string(), message: z.string() }).nullish(),
})
type Action = z.infer<typeof action>

const meta = z.object({ pagination: z.object({ next_page: z.number().nullable() }) })
const floatingIpsReply = z.object({ floating_ips: z.array(floatingIp), meta })
const serversReply = z.object({ servers: z.array(server), meta })
const actionReply = z.object({ action })
const fault = z.object({ error: z.object({ code: z.string(), message: z.string() }) })

export type HetznerOptions = {
  token: string
  url?: string | undefined
  /** See CloudApiOptions. */
  prove?: () => Promise<void>
  timeoutMs?: number
  pollMs?: number
}

export class Hetzner implements Provider {
  readonly name = 'hetzner'
  readonly #api: CloudApi
  readonly #pollMs: number

  constructor({ token, url, prove, timeoutMs, pollMs = defaultPollMs }: HetznerOptions) {
    this.#pollMs = pollMs
    this.#api = new CloudApi({
      provider: 'Hetzner Cloud',
      prove,
      baseUrl: (url ?? defaultUrl).replace(/\/+$/, ''),
      authorization: `Bearer ${token}`,
      secrets: [token],
      credentials:
        "HETZNER_TOKEN must be a Read & Write token of the floating IPs' project (Console: Security, API tokens)",
      readFault: (body) => fault.safeParse(body).data?.error,
      ...(timeoutMs !== undefined && { timeoutMs }),
    })
  }

  async listAddresses(signal: AbortSignal): Promise<CloudAddress[]> {
    return (await this.#floatingIps(bounded(signal))).flatMap(addressesOf)
  }

  async listServers(signal: AbortSignal): Promise<CloudServer[]> {
    const found = await this.#pages(
      'list the servers',
      (page) => ({ path: `/servers?${page}`, reply: serversReply }),
      (reply) => reply.servers,
      bounded(signal),
    )
    return found.map(({ id, name, status, public_net, private_net }) => ({
      id: String(id),
      name,
      addresses: [
        public_net?.ipv4?.ip,
        firstHost(public_net?.ipv6?.ip ?? ''),
        ...private_net.map(({ ip }) => ip),
      ]
        .map((address) => canonicalAddress(address ?? ''))
        .filter((address) => address !== undefined),
      running: status === 'running',
    }))
  }

  /** What is under way on the floating IP is waited for first: an earlier call may have begun it. */
  async attach(address: string, serverId: string, signal: AbortSignal): Promise<void> {
    const within = bounded(signal)
    const target = Number(serverId)
    let found = await onlyReading(this.#find(address, within))
    const { id } = found
    const underWay = await onlyReading(this.#runningAction(id, within))
    if (underWay) {
      // Whether it came to a good end is seen from where the address is then
      await this.#ended(underWay, address, within)
      found = await this.#find(address, within)
    }
    if (found.blocked)
      throw new ProviderError('refused', `Hetzner Cloud: ${address} is blocked, see the Console`, {
        changedNothing: true,
      })
    if (found.server === target) return
    try {
      await this.#change(id, 'assign', { server: target }, address, within)
    } catch (error) {
      if (!(error instanceof CloudError) || error.code !== 'floating_ip_assigned') throw error
      // Somebody was faster, or it does not move an address that is attached elsewhere
      if ((await this.#find(address, within)).server === target) return
      await this.#change(id, 'unassign', {}, address, within)
      await this.#change(id, 'assign', { server: target }, address, within)
    }
  }

  async #change(
    id: number,
    verb: 'assign' | 'unassign',
    body: object,
    address: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { action: begun } = await this.#api.send({
      method: 'POST',
      path: `/floating_ips/${id}/actions/${verb}`,
      body,
      reply: actionReply,
      task: `${verb} ${address}`,
      signal,
    })
    const { status, error } = await this.#ended(begun, address, signal)
    if (status === 'error')
      throw new ProviderError(
        'retry',
        `Hetzner Cloud: could not ${verb} ${address}: ${error?.code ?? 'failed'} ${error?.message ?? ''}`.trim(),
      )
  }

  /** The action at its end. Rejects with `unfinished` when that is not seen in time. */
  async #ended(begun: Action, address: string, signal: AbortSignal): Promise<Action> {
    let latest = begun
    for (let wait = this.#pollMs; latest.status === 'running'; wait = Math.min(2_000, wait * 1.5)) {
      await pause(wait, signal)
      try {
        latest = (
          await this.#api.send({
            path: `/actions/${begun.id}`,
            reply: actionReply,
            task: `tell what became of moving ${address} (action ${begun.id})`,
            signal,
          })
        ).action
      } catch (error) {
        if (!(error instanceof ProviderError)) throw error
        if (signal.aborted)
          throw new ProviderError(
            'unfinished',
            `Hetzner Cloud: action ${begun.id} on ${address} is still running`,
          )
        throw new ProviderError('unfinished', error.message, {
          ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
          ...(error.status !== undefined && { status: error.status }),
        })
      }
    }
    return latest
  }

  async #runningAction(id: number, signal: AbortSignal): Promise<Action | undefined> {
    const { actions } = await this.#api.send({
      path: `/floating_ips/${id}/actions?status=running&per_page=${perPage}`,
      reply: z.object({ actions: z.array(action) }),
      task: `list what is under way on floating IP ${id}`,
      signal,
    })
    return actions[0]
  }

  async #find(address: string, signal: AbortSignal): Promise<FloatingIp> {
    const found = (await this.#floatingIps(signal)).find(({ ip }) => isInNetwork(address, ip))
    if (!found)
      throw new ProviderError(
        'not_found',
        `Hetzner Cloud: ${address} is no floating IP of the token's project`,
      )
    return found
  }

  #floatingIps(signal: AbortSignal): Promise<FloatingIp[]> {
    return this.#pages(
      'list the floating IPs',
      (page) => ({ path: `/floating_ips?${page}`, reply: floatingIpsReply }),
      (reply) => reply.floating_ips,
      signal,
    )
  }

  async #pages<Reply extends { meta: z.infer<typeof meta> }, Row>(
    task: string,
    ask: (page: string) => Pick<CloudRequest<Reply>, 'path' | 'reply'>,
    rowsOf: (reply: Reply) => Row[],
    signal: AbortSignal,
  ): Promise<Row[]> {
    const rows: Row[] = []
    for (let page: number | null = 1; page !== null; ) {
      const reply: Reply = await this.#api.send({ ...ask(`page=${page}&per_page=${perPage}`), task, signal })
      rows.push(...rowsOf(reply))
      const next = reply.meta.pagination.next_page
      page = next !== null && next > page ? next : null
    }
    return rows
  }
}

/**
 * The addresses of a floating IP. Of an IPv6 network they are those with a reverse name, which a sender of mail must have, else
 * its first; they move together, so that only one of them can be a source IP that moves.
 */
function addressesOf({ id, ip, server, blocked, dns_ptr }: FloatingIp): CloudAddress[] {
  const named = ip.includes(':') ? dns_ptr.map((entry) => canonicalAddress(entry.ip)) : [canonicalAddress(ip)]
  const addresses = [...new Set(named.filter((address) => address !== undefined))].sort()
  if (addresses.length === 0) addresses.push(...[firstHost(ip)].filter((address) => address !== undefined))
  return addresses.map((address, index) => ({
    address,
    providerId: String(id),
    serverId: server === null ? null : String(server),
    ...(index > 0 && {
      blocked: `It moves together with ${addresses[0]}: both are in the floating IP ${ip}.`,
    }),
    ...(blocked && { blocked: 'Hetzner has blocked it, see the Console.' }),
  }))
}

function bounded(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(callMs)])
}
