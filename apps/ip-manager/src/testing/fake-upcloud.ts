/** UpCloud's API 1.3 as developers.upcloud.com describes it, as far as floating IP addresses go. */
import { type Answered, type Asked, CloudServer } from './cloud-server.ts'

export type FakeIpAddress = {
  address: string
  floating?: boolean
  access?: 'public' | 'utility' | 'private'
  mac?: string
  delegated?: boolean
}
export type FakeUpCloudServer = {
  uuid: string
  hostname: string
  state?: string
  interfaces: {
    index: number
    mac: string
    type: 'public' | 'utility' | 'private'
    families: ('IPv4' | 'IPv6')[]
  }[]
}

export class FakeUpCloud extends CloudServer {
  readonly token = 'ucat_01JDXKZ8Q0EXAMPLETOKEN'
  readonly username = 'postel'
  readonly password = 'pass phrase: sécret'
  addresses: FakeIpAddress[] = []
  servers: FakeUpCloudServer[] = []
  /** How many answers show a change late. */
  late = 0
  #pending: (() => void)[] = []

  protected authorized(authorization: string | undefined): boolean {
    const basic = Buffer.from(`${this.username}:${this.password}`).toString('base64')
    return authorization === `Bearer ${this.token}` || authorization === `Basic ${basic}`
  }

  protected unauthorized(): Answered {
    return fault(401, 'AUTHENTICATION_FAILED', 'Authentication failed using the given username and password.')
  }

  protected answer({ method, path, body }: Asked): Answered {
    const [, collection, id, part] = path.split('/')
    if (collection === 'server' && id === undefined)
      return {
        status: 200,
        body: {
          servers: {
            server: this.servers.map(({ uuid, hostname, state = 'started' }) => ({
              uuid,
              hostname,
              title: `${hostname} (mail)`,
              state,
              plan: '2xCPU-4GB',
              zone: 'fi-hel1',
              tags: { tag: [] },
            })),
          },
        },
      }
    if (collection === 'server' && part === 'networking') {
      const server = this.servers.find(({ uuid }) => uuid === id)
      if (!server) return fault(404, 'SERVER_NOT_FOUND', `The server ${id} does not exist.`)
      return {
        status: 200,
        body: { networking: { interfaces: { interface: server.interfaces.map(showInterface) } } },
      }
    }
    if (collection !== 'ip_address') return fault(404, 'NOT_FOUND', 'No such resource.')
    if (this.late > 0) this.late -= 1
    else for (const apply of this.#pending.splice(0)) apply()
    if (id === undefined)
      return {
        status: 200,
        body: { ip_addresses: { ip_address: this.addresses.map((ip) => this.#show(ip)) } },
      }
    const ip = this.addresses.find(({ address }) => address === decodeURIComponent(id))
    if (!ip) return fault(404, 'IP_ADDRESS_NOT_FOUND', `The IP address ${id} does not exist.`)
    if (method === 'GET') return { status: 200, body: { ip_address: this.#show(ip) } }
    const { mac } = (body as { ip_address: { mac: string | null } }).ip_address
    if (mac !== null && !this.servers.some(({ interfaces }) => interfaces.some((each) => each.mac === mac)))
      return fault(400, 'MAC_INVALID', 'The attribute mac is not the MAC of an interface.')
    const apply = () => {
      if (mac === null) delete ip.mac
      else ip.mac = mac
    }
    if (this.late > 0) this.#pending.push(apply)
    else apply()
    return { status: 202, body: { ip_address: this.#show(ip) } }
  }

  #show({ address, floating = false, access = 'public', mac, delegated = false }: FakeIpAddress) {
    const server = this.servers.find(({ interfaces }) => interfaces.some((each) => each.mac === mac))
    return {
      access,
      address,
      family: address.includes(':') ? 'IPv6' : 'IPv4',
      part_of_plan: floating ? 'no' : 'yes',
      ptr_record: 'a.v6.fi-hel1.upcloud.host',
      floating: floating ? 'yes' : 'no',
      is_delegated: delegated ? 'yes' : 'no',
      zone: 'fi-hel1',
      ...(mac !== undefined && { mac }),
      ...(server && { server: server.uuid }),
    }
  }
}

function fault(status: number, code: string, message: string): Answered {
  return { status, body: { error: { error_code: code, error_message: message } } }
}

function showInterface({ index, mac, type, families }: FakeUpCloudServer['interfaces'][number]) {
  return {
    index,
    mac,
    type,
    network: '037fcf2a-6745-45dd-867e-f9479ea8c044',
    source_ip_filtering: 'yes',
    bootable: 'no',
    ip_addresses: { ip_address: families.map((family) => ({ address: 'x', family, floating: 'no' })) },
  }
}
