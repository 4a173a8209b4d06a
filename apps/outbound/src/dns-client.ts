/**
 * Asks recursive name servers: over UDP, over TCP when the answer does not fit, and the next server when one fails.
 * Each query has a random id and a socket, so a port, of its own, and only that server's answer to that very question
 * counts (RFC 5452). What is not a usable answer is a DnsFault, never "no such record".
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIP, isIPv4, isIPv6 } from 'node:net'
import {
  type Answer,
  AUTHENTIC_DATA,
  type DecodedPacket,
  DNSSEC_OK,
  decode,
  encode,
  RECURSION_DESIRED,
} from 'dns-packet'

export type RecordType = 'A' | 'AAAA' | 'MX' | 'TXT' | 'TLSA'

export type Reply = {
  rcode: 'NOERROR' | 'NXDOMAIN'
  /** The server says that it has validated the answer (AD). Worth as much as the server and the way to it. */
  authenticated: boolean
  answers: readonly Answer[]
  authorities: readonly Answer[]
}

/** No server gave a usable answer. `code`: SERVFAIL, REFUSED, TIMEOUT, LAME, TRUNCATED, GARBAGE, UNREACHABLE, LOCAL … */
export class DnsFault extends Error {
  override name = 'DnsFault'
  readonly code: string

  constructor(code: string, detail = code) {
    super(detail)
    this.code = code
  }
}

/** This machine could not ask: it has no descriptors left. */
export const localFault = 'LOCAL'

export type DnsClientOptions = {
  /** `ip`, `ip:port`, `[ipv6]:port`; asked in this order. */
  servers: readonly string[]
  /** Ask for validation (AD and DO). */
  dnssec: boolean
  /** How long a server may take at first; the second round of questions waits longer. */
  timeoutMs: number
}

type Server = { address: string; port: number }

/** What fits into one packet on every path (DNS flag day 2020). */
const udpPayloadSize = 1232
const queriesMax = 200
const roundFactors = [1, 1.5]

export class DnsClient {
  readonly #servers: readonly Server[]
  readonly #options: DnsClientOptions
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(options: DnsClientOptions) {
    this.#options = options
    this.#servers = options.servers.map(parseServer)
  }

  /** The first usable answer of the servers. Rejects with DnsFault. `name` must be a valid name. */
  async ask(name: string, type: RecordType): Promise<Reply> {
    if (this.#running >= queriesMax) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running++
    try {
      let fault = new DnsFault('NOSERVER', 'no name server is configured')
      for (const factor of roundFactors) {
        for (const server of this.#servers) {
          try {
            return await this.#askOne(server, name, type, this.#options.timeoutMs * factor)
          } catch (error) {
            if (!(error instanceof DnsFault)) throw error
            fault = error
          }
        }
      }
      throw fault
    } finally {
      // The place goes to the next in line, or is given back
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }

  async #askOne(server: Server, name: string, type: RecordType, timeoutMs: number): Promise<Reply> {
    for (const edns of [true, false]) {
      const query = this.#query(name, type, edns)
      let packet = await overUdp(server, query, timeoutMs)
      if (packet.flag_tc) packet = await overTcp(server, query, timeoutMs)
      // A server of before 1999 that does not know EDNS says so in one of these ways
      if (edns && ['FORMERR', 'NOTIMP'].includes(packet.rcode)) continue
      return readReply(packet, name)
    }
    throw new DnsFault('FORMERR')
  }

  #query(name: string, type: RecordType, edns: boolean): Query {
    const { dnssec } = this.#options
    const question = { name, type }
    const id = randomInt(0x10000)
    const bytes = encode({
      type: 'query',
      id,
      flags: RECURSION_DESIRED | (dnssec ? AUTHENTIC_DATA : 0),
      questions: [question],
      additionals: edns
        ? [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: dnssec ? DNSSEC_OK : 0,
              flag_do: dnssec,
              options: [],
            },
          ]
        : [],
    })
    return { id, bytes, question }
  }
}

type Query = { id: number; bytes: Buffer; question: { name: string; type: RecordType } }
type Packet = DecodedPacket & { rcode: string }

function overUdp(server: Server, query: Query, timeoutMs: number): Promise<Packet> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
    let ended = false
    const end = (settle: () => void) => {
      if (ended) return
      ended = true
      clearTimeout(timer)
      socket.close()
      settle()
    }
    const fail = (fault: DnsFault) => end(() => reject(fault))
    const timer = setTimeout(() => fail(new DnsFault('TIMEOUT')), timeoutMs)
    socket.on('error', (error) => fail(socketFault(error)))
    socket.on('message', (message) => {
      // An answer to another question is not the server's word on ours: keep waiting for that
      if (message.length < 2 || message.readUInt16BE(0) !== query.id) return
      const packet = decodePacket(message)
      if (packet === undefined) return fail(new DnsFault('GARBAGE'))
      if (answers(packet, query)) end(() => resolve(packet))
    })
    // Connected, so that the kernel drops what comes from elsewhere
    const connected = (error?: Error) => {
      if (error) fail(socketFault(error))
      else if (!ended) socket.send(query.bytes)
    }
    socket.connect(server.port, server.address, connected as () => void)
  })
}

function overTcp(server: Server, query: Query, timeoutMs: number): Promise<Packet> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address, port: server.port })
    let input = Buffer.alloc(0)
    const end = (settle: () => void) => {
      clearTimeout(timer)
      socket.destroy()
      settle()
    }
    const fail = (code: string, detail?: string) => end(() => reject(new DnsFault(code, detail)))
    const timer = setTimeout(() => fail('TIMEOUT'), timeoutMs)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(query.bytes.length)
    socket.write(Buffer.concat([length, query.bytes]))
    socket.on('error', (error) => fail('TRUNCATED', `no answer over TCP: ${error.message}`))
    socket.on('end', () => fail('TRUNCATED', 'no answer over TCP'))
    socket.on('data', (chunk) => {
      input = Buffer.concat([input, chunk])
      if (input.length < 2 || input.length < 2 + input.readUInt16BE(0)) return
      const packet = decodePacket(input.subarray(2, 2 + input.readUInt16BE(0)))
      if (!packet || packet.id !== query.id || !answers(packet, query) || packet.flag_tc)
        return fail('GARBAGE')
      end(() => resolve(packet))
    })
  })
}

function socketFault(error: Error & { code?: string }): DnsFault {
  const local = error.code === 'EMFILE' || error.code === 'ENFILE'
  return new DnsFault(local ? localFault : 'UNREACHABLE', error.message)
}

function decodePacket(bytes: Buffer): Packet | undefined {
  try {
    return decode(bytes) as Packet
  } catch {
    return undefined
  }
}

/** Whether it is a response to this question. A few servers leave the question out of their errors. */
function answers(packet: Packet, { question }: Query): boolean {
  if (packet.type !== 'response') return false
  const [asked, ...more] = packet.questions ?? []
  if (!asked) return packet.rcode !== 'NOERROR' && packet.rcode !== 'NXDOMAIN'
  return (
    more.length === 0 &&
    asked.type === question.type &&
    asked.name.toLowerCase() === question.name.toLowerCase()
  )
}

function readReply(packet: Packet, name: string): Reply {
  const { rcode, flag_ad, flag_ra, flag_aa } = packet
  const answers = packet.answers ?? []
  const authorities = packet.authorities ?? []
  if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') throw new DnsFault(rcode)
  const soa = authorities.find((record) => record.type === 'SOA')
  // Who neither recurses nor is in charge knows nothing; a referral, or a word on another zone, is no answer
  const lame =
    (answers.length === 0 && !flag_ra && !flag_aa) ||
    (answers.length === 0 && !soa && authorities.some((record) => record.type === 'NS')) ||
    (answers.length === 0 && soa !== undefined && !isWithin(name, soa.name))
  if (lame) throw new DnsFault('LAME')
  return { rcode, authenticated: flag_ad, answers, authorities }
}

/** Whether a name is a zone's or below it. */
export function isWithin(name: string, zone: string): boolean {
  if (zone === '.' || zone === '') return true
  return `.${name.toLowerCase()}`.endsWith(`.${zone.toLowerCase()}`)
}

/** Reads `ip`, `ip:port` or `[ipv6]:port`. Throws an Error for anything else. */
export function parseServer(text: string): Server {
  if (isIP(text)) return { address: text, port: 53 }
  const [, six, four, port = '53'] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const address = six ?? four ?? ''
  if (!(six ? isIPv6(six) : isIPv4(address)) || Number(port) > 65_535 || port === '0')
    throw new Error(`${text} is not the address of a name server`)
  return { address, port: Number(port) }
}
