/** A name server on loopback whose zones are data; over UDP and, on the same port, over TCP. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket as TcpSocket } from 'node:net'
import {
  type Answer,
  AUTHENTIC_DATA,
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet'

export type TlsaZone = {
  usage: number
  selector: number
  matchingType: number
  /** Hex. */
  data: string
}

/** What a name has, or how asking for it fails. MX in the form `[preference, exchange]`; the null MX is `[0, '.']`. */
export type Zone = {
  MX?: readonly (readonly [number, string])[]
  A?: readonly string[]
  AAAA?: readonly string[]
  TXT?: readonly string[]
  PTR?: readonly string[]
  TLSA?: readonly TlsaZone[]
  CNAME?: string
  /** Default: 60 s. */
  ttl?: number
  /** The answers have the AD bit. */
  signed?: boolean
  /**
   * - `truncated`: what UDP says is cut off, TCP says all; `cut off`: and TCP closes
   * - `lame`: a referral instead of an answer; `elsewhere`: no such record, by the word of another zone
   * - `garbage`: no DNS at all; `not EDNS`: FORMERR to whoever asks with EDNS
   * - `spoofed`: wrong answers before the right one
   */
  fails?:
    | 'SERVFAIL'
    | 'REFUSED'
    | 'silence'
    | 'truncated'
    | 'cut off'
    | 'lame'
    | 'elsewhere'
    | 'garbage'
    | 'not EDNS'
    | 'spoofed'
}

const rcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 }

export class FakeDns {
  /** By name in lower case; may be changed while it runs. A name that is not here does not exist. */
  zones: Record<string, Zone>
  /** `MX dest.test`, in the order asked. */
  readonly questions: string[] = []
  readonly #udp: Socket
  readonly #tcp: Server
  readonly #sockets = new Set<TcpSocket>()

  private constructor(udp: Socket, tcp: Server, zones: Record<string, Zone>) {
    this.#udp = udp
    this.#tcp = tcp
    this.zones = zones
    udp.on('message', (query, from) => {
      for (const answer of this.#answer(query, 'udp')) udp.send(answer, from.port, from.address)
    })
    tcp.on('connection', (socket) => this.#serve(socket))
  }

  /** At an address of 127.0.0.0/8. */
  static async start(zones: Record<string, Zone> = {}, address = '127.0.0.1'): Promise<FakeDns> {
    for (let tries = 0; ; tries++) {
      const udp = createSocket('udp4')
      const tcp = createServer()
      try {
        udp.bind(0, address)
        await once(udp, 'listening')
        tcp.listen(udp.address().port, address)
        await once(tcp, 'listening')
        return new FakeDns(udp, tcp, zones)
      } catch (error) {
        // Something else has that port for TCP
        udp.close()
        if (tries === 20) throw error
      }
    }
  }

  /** For DNS_SERVERS. */
  get address(): string {
    const { address, port } = this.#udp.address()
    return `${address}:${port}`
  }

  /** How often `MX dest.test` was asked. */
  asked(question: string): number {
    return this.questions.filter((text) => text === question).length
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#udp.close()
    this.#tcp.close()
    await Promise.all([once(this.#udp, 'close'), once(this.#tcp, 'close')])
  }

  #serve(socket: TcpSocket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    let input = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      input = Buffer.concat([input, chunk])
      if (input.length < 2 || input.length < 2 + input.readUInt16BE(0)) return
      const answers = this.#answer(input.subarray(2), 'tcp')
      if (answers.length === 0) return socket.destroy()
      for (const answer of answers) {
        const length = Buffer.alloc(2)
        length.writeUInt16BE(answer.length)
        socket.write(Buffer.concat([length, answer]))
      }
    })
  }

  #answer(query: Buffer, over: 'udp' | 'tcp'): Buffer[] {
    const { id = 0, questions = [], additionals = [] } = decode(query)
    const [question] = questions
    if (!question) return []
    const { name, type } = question
    this.questions.push(`${type} ${name}`)
    const zone = this.zones[name.toLowerCase()]
    const reply = (rcode: keyof typeof rcodes, rest: Packet = {}, flags = RECURSION_AVAILABLE) =>
      encode({
        type: 'response',
        id,
        questions: [question],
        ...rest,
        flags: RECURSION_DESIRED | flags | rcodes[rcode] | (zone?.signed ? AUTHENTIC_DATA : 0),
      })
    if (!zone) return [reply('NXDOMAIN')]
    const full = reply('NOERROR', { answers: recordsOf(this.zones, name, type) })
    switch (zone.fails) {
      case 'silence':
        return []
      case 'SERVFAIL':
      case 'REFUSED':
        return [reply(zone.fails)]
      case 'truncated':
      case 'cut off':
        if (over === 'tcp') return zone.fails === 'truncated' ? [full] : []
        return [reply('NOERROR', {}, RECURSION_AVAILABLE | TRUNCATED_RESPONSE)]
      case 'lame':
        return [
          reply('NOERROR', { authorities: [{ type: 'NS', name: 'test', ttl: 60, data: 'ns.test' }] }, 0),
        ]
      case 'elsewhere':
        return [reply('NOERROR', { authorities: [soa('elsewhere.invalid')] }, AUTHORITATIVE_ANSWER)]
      case 'garbage':
        return [Buffer.concat([query.subarray(0, 2), Buffer.from('not what you have asked for')])]
      case 'not EDNS':
        return [additionals.some((record) => record.type === 'OPT') ? reply('FORMERR') : full]
      case 'spoofed': {
        const lie = [{ type: 'A', name, ttl: 60, data: '127.0.0.66' } as const]
        return [
          reply('NOERROR', { id: id ^ 1, answers: lie }),
          reply('NOERROR', { questions: [{ type, name: `x.${name}` }], answers: lie }),
          full,
        ]
      }
      default:
        return [full]
    }
  }
}

function soa(name: string): Answer {
  return { type: 'SOA', name, ttl: 60, data: { mname: `ns.${name}`, rname: `admin.${name}`, minimum: 60 } }
}

/** How many CNAMEs it follows by itself. */
const cnamesMax = 3

/** The records of a name, and those that its CNAMEs lead to. */
function recordsOf(zones: Record<string, Zone>, name: string, type: string, cnames = 0): Answer[] {
  const zone = zones[name.toLowerCase()]
  if (!zone || cnames > cnamesMax) return []
  const { ttl = 60 } = zone
  if (zone.CNAME !== undefined)
    return [{ type: 'CNAME', name, ttl, data: zone.CNAME }, ...recordsOf(zones, zone.CNAME, type, cnames + 1)]
  switch (type) {
    case 'MX':
      return (zone.MX ?? []).map(([preference, exchange]) => ({
        type,
        name,
        ttl,
        data: { preference, exchange },
      }))
    case 'A':
    case 'AAAA':
      return (zone[type] ?? []).map((data) => ({ type, name, ttl, data }))
    case 'TXT':
      // Strings of at most 255 octets, as it must be
      return (zone.TXT ?? []).map((text) => ({ type, name, ttl, data: text.match(/.{1,255}/gs) ?? [''] }))
    case 'PTR':
      return (zone.PTR ?? []).map((data) => ({ type, name, ttl, data }))
    case 'TLSA':
      return (zone.TLSA ?? []).map(({ data, ...rest }) => ({
        type,
        name,
        ttl,
        data: { ...rest, certificate: Buffer.from(data, 'hex') },
      }))
    default:
      return []
  }
}
