/** A name server on loopback whose zones are data. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type Answer, decode, encode, RECURSION_AVAILABLE, RECURSION_DESIRED } from 'dns-packet'

/** What a name has, or how asking for it fails. MX in the form `[preference, exchange]`; the null MX is `[0, '.']`. */
export type Zone = {
  MX?: readonly (readonly [number, string])[]
  A?: readonly string[]
  AAAA?: readonly string[]
  TXT?: readonly string[]
  fails?: 'SERVFAIL' | 'REFUSED' | 'silence'
}

const rcodes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 }

export class FakeDns {
  /** By name in lower case; may be changed while it runs. A name that is not here does not exist. */
  zones: Record<string, Zone>
  /** `MX dest.test`, in the order asked. */
  readonly questions: string[] = []
  readonly #socket: Socket

  private constructor(socket: Socket, zones: Record<string, Zone>) {
    this.#socket = socket
    this.zones = zones
    socket.on('message', (query, from) => {
      const answer = this.#answer(query)
      if (answer) socket.send(answer, from.port, from.address)
    })
  }

  static async start(zones: Record<string, Zone> = {}): Promise<FakeDns> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new FakeDns(socket, zones)
  }

  /** For DNS_SERVERS. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`
  }

  async stop(): Promise<void> {
    this.#socket.close()
    await once(this.#socket, 'close')
  }

  #answer(query: Buffer): Buffer | undefined {
    const { id, questions = [] } = decode(query)
    const [question] = questions
    if (!question) return undefined
    const { name, type } = question
    this.questions.push(`${type} ${name}`)
    const zone = this.zones[name.toLowerCase()]
    if (zone?.fails === 'silence') return undefined
    const rcode = zone ? rcodes[zone.fails ?? 'NOERROR'] : rcodes.NXDOMAIN
    return encode({
      type: 'response',
      id: id ?? 0,
      flags: RECURSION_DESIRED | RECURSION_AVAILABLE | rcode,
      questions: [question],
      answers: zone && !zone.fails ? recordsOf(zone, name, type) : [],
    })
  }
}

function recordsOf(zone: Zone, name: string, type: string): Answer[] {
  const ttl = 60
  switch (type) {
    case 'MX':
      return (zone.MX ?? []).map(([preference, exchange]) => ({
        type,
        name,
        ttl,
        data: { preference, exchange },
      }))
    case 'A':
      return (zone.A ?? []).map((data) => ({ type, name, ttl, data }))
    case 'AAAA':
      return (zone.AAAA ?? []).map((data) => ({ type, name, ttl, data }))
    case 'TXT':
      return (zone.TXT ?? []).map((data) => ({ type, name, ttl, data }))
    default:
      return []
  }
}
