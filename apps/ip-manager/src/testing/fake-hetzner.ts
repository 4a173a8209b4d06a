/** Hetzner Cloud's API as docs.hetzner.cloud describes it, as far as floating IPs go. */
import { type Answered, type Asked, CloudServer } from './cloud-server.ts'

export type FakeFloatingIp = {
  id: number
  ip: string
  type: 'ipv4' | 'ipv6'
  server: number | null
  blocked?: boolean
  dns_ptr?: { ip: string; dns_ptr: string }[]
}
export type FakeHetznerServer = {
  id: number
  name: string
  status?: string
  ipv4?: string | null
  ipv6?: string | null
  private?: string[]
}
type Action = {
  id: number
  status: 'running' | 'success' | 'error'
  floatingIp: number
  /** What it is to be attached to at the end. */
  to: number | null
  looksLeft: number
}

export class FakeHetzner extends CloudServer {
  readonly token = 'hetzner-token-Kj8s7d6f5g4h3j2k1'
  floatingIps: FakeFloatingIp[] = []
  servers: FakeHetznerServer[] = []
  readonly actions: Action[] = []
  /** How often an action is looked at before it ends. */
  looks = 1
  /** How actions end from now on. */
  ends: 'success' | 'error' = 'success'
  /** It answers floating_ip_assigned to an address that is attached elsewhere. */
  insistsOnUnassign = false
  perPageMax = 50

  protected authorized(authorization: string | undefined): boolean {
    return authorization === `Bearer ${this.token}`
  }

  protected unauthorized(): Answered {
    return fault(401, 'unauthorized', 'unable to authenticate')
  }

  /** Begins a change as the Console would. */
  begin(floatingIpId: number, to: number | null): Action {
    const action: Action = {
      id: 1000 + this.actions.length,
      status: 'running',
      floatingIp: floatingIpId,
      to,
      looksLeft: this.looks,
    }
    this.actions.push(action)
    return action
  }

  protected answer({ method, path, query, body }: Asked): Answered {
    const [, collection, id, , verb] = path.split('/')
    if (method === 'GET' && path === '/floating_ips') return this.#page('floating_ips', this.#shown(), query)
    if (method === 'GET' && path === '/servers')
      return this.#page('servers', this.servers.map(showServer), query)
    if (collection === 'actions') {
      const action = this.actions.find((each) => each.id === Number(id))
      return action ? { status: 200, body: { action: this.#look(action) } } : notFound
    }
    const ip = this.floatingIps.find((each) => each.id === Number(id))
    if (!ip) return notFound
    const running = this.actions.filter((each) => each.floatingIp === ip.id && each.status === 'running')
    if (method === 'GET' && verb === undefined)
      return {
        status: 200,
        body: { actions: running.map(showAction), meta: pagination(1, 50, running.length) },
      }
    if (running.length > 0) return fault(423, 'locked', 'item is locked because another action is running')
    if (verb === 'unassign') return { status: 201, body: { action: showAction(this.begin(ip.id, null)) } }
    if (verb !== 'assign') return notFound
    const { server } = body as { server: number }
    if (!this.servers.some((each) => each.id === server))
      return fault(422, 'invalid_input', "invalid input in field 'server'")
    if (ip.server === server || (ip.server !== null && this.insistsOnUnassign))
      return fault(422, 'floating_ip_assigned', 'Floating IP is already assigned')
    return { status: 201, body: { action: showAction(this.begin(ip.id, server)) } }
  }

  #look(action: Action) {
    if (action.status === 'running' && action.looksLeft-- <= 0) {
      action.status = this.ends
      const ip = this.floatingIps.find((each) => each.id === action.floatingIp)!
      if (action.status === 'success') ip.server = action.to
    }
    return showAction(action)
  }

  #shown() {
    return this.floatingIps.map(({ blocked = false, dns_ptr, ...ip }) => ({
      ...ip,
      blocked,
      dns_ptr: dns_ptr ?? (ip.type === 'ipv4' ? [{ ip: ip.ip, dns_ptr: 'static.clients.test' }] : []),
      name: `ip-${ip.id}`,
      description: null,
      labels: {},
      protection: { delete: false },
      home_location: { id: 1, name: 'fsn1' },
      created: '2026-01-30T23:50:00+00:00',
    }))
  }

  #page(name: string, rows: unknown[], query: URLSearchParams): Answered {
    const page = Number(query.get('page') ?? 1)
    const perPage = Math.min(this.perPageMax, Number(query.get('per_page') ?? 25))
    return {
      status: 200,
      body: {
        [name]: rows.slice((page - 1) * perPage, page * perPage),
        meta: pagination(page, perPage, rows.length),
      },
      headers: { 'ratelimit-limit': '3600', 'ratelimit-remaining': '3599' },
    }
  }
}

const notFound = fault(404, 'not_found', 'resource not found')

function fault(status: number, code: string, message: string): Answered {
  return { status, body: { error: { code, message, details: null } } }
}

function pagination(page: number, perPage: number, total: number) {
  const last = Math.max(1, Math.ceil(total / perPage))
  return {
    pagination: {
      page,
      per_page: perPage,
      previous_page: page > 1 ? page - 1 : null,
      next_page: page < last ? page + 1 : null,
      last_page: last,
      total_entries: total,
    },
  }
}

function showAction({ id, status, floatingIp, to }: Action) {
  return {
    id,
    command: to === null ? 'unassign_floating_ip' : 'assign_floating_ip',
    status,
    progress: status === 'running' ? 0 : 100,
    started: '2026-01-30T23:50:00+00:00',
    finished: status === 'running' ? null : '2026-01-30T23:50:01+00:00',
    resources: [{ id: floatingIp, type: 'floating_ip' }],
    error: status === 'error' ? { code: 'action_failed', message: 'Action failed' } : null,
  }
}

function showServer({
  id,
  name,
  status = 'running',
  ipv4 = null,
  ipv6 = null,
  private: networks = [],
}: FakeHetznerServer) {
  return {
    id,
    name,
    status,
    created: '2026-01-30T23:55:00+00:00',
    public_net: {
      ipv4: ipv4 === null ? null : { id: 1, ip: ipv4, blocked: false, dns_ptr: 'static.clients.test' },
      ipv6: ipv6 === null ? null : { id: 2, ip: ipv6, blocked: false, dns_ptr: [] },
      floating_ips: [],
    },
    private_net: networks.map((ip) => ({ network: 1, ip, alias_ips: [], mac_address: '86:00:ff:2a:7d:e1' })),
    labels: {},
  }
}
