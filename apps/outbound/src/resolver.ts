/**
 * A caching resolver on top of DnsClient. Answers live as long as their TTL says, within bounds; a question that is
 * already asked is not asked twice; while no server answers, what was known serves for another hour (RFC 8767).
 */
import { getServers } from 'node:dns'
import type { Answer, MxAnswer, SoaAnswer, TlsaAnswer, TxtAnswer } from 'dns-packet'
import { DnsClient, DnsFault, isWithin, type RecordType, type Reply } from './dns-client.ts'

type DataOf = {
  A: string
  AAAA: string
  MX: { preference: number; exchange: string }
  TXT: string
  TLSA: { usage: number; selector: number; matchingType: number; certificate: Buffer }
}

/** What is known of a name's records of one type. */
export type Lookup<T extends RecordType = RecordType> = {
  /** `empty`: the name exists without such records; `missing`: no such name. */
  status: 'found' | 'empty' | 'missing'
  records: readonly DataOf[T][]
  /** The name that has the records, where CNAMEs lead to it. */
  name: string
  /** The resolver has validated all of it with DNSSEC; never without `dnssec`. */
  authenticated: boolean
  /** performance.now(). */
  expiresAt: number
}

export type ResolverOptions = {
  /** Empty: the system's. */
  servers: readonly string[]
  /** The servers validate, and the way to them is safe: their AD bit is believed. */
  dnssec: boolean
  /** Default 3 s for a server's first try. */
  timeoutMs?: number
}

type Entry = {
  lookup: Lookup | undefined
  fault: DnsFault | undefined
  until: number
  /** What the lookup may serve for while nobody answers. */
  staleUntil: number
}

const minMs = 5_000
const maxMs = 24 * 3_600_000
const negativeMaxMs = 300_000
const negativeDefaultMs = 30_000
const staleMs = 3_600_000
/** How long a stale answer, or a fault, is good for before the servers are asked again. */
const staleForMs = 30_000
const faultForMs = 5_000
const entriesMax = 100_000
const cnamesMax = 8

export class Resolver {
  readonly #client: DnsClient
  readonly #dnssec: boolean
  readonly #entries = new Map<string, Entry>()
  readonly #asking = new Map<string, Promise<Lookup>>()

  constructor(options: ResolverOptions) {
    this.#dnssec = options.dnssec
    this.#client = new DnsClient({
      servers: options.servers.length > 0 ? options.servers : getServers(),
      dnssec: options.dnssec,
      timeoutMs: options.timeoutMs ?? 3_000,
    })
  }

  /** Whether answers can be authenticated at all. */
  get dnssec(): boolean {
    return this.#dnssec
  }

  /** Rejects with DnsFault when nobody can tell; a name that cannot be asked for is `missing`. */
  async lookUp<T extends RecordType>(name: string, type: T): Promise<Lookup<T>> {
    const key = `${type} ${name.toLowerCase()}`
    const entry = this.#entries.get(key)
    if (entry && performance.now() < entry.until) {
      if (entry.fault) throw entry.fault
      return entry.lookup as Lookup<T>
    }
    if (!isAskable(name))
      return { status: 'missing', records: [], name, authenticated: false, expiresAt: Infinity }
    let asking = this.#asking.get(key)
    if (!asking) {
      asking = this.#refresh(key, name.toLowerCase(), type, entry).finally(() => this.#asking.delete(key))
      this.#asking.set(key, asking)
    }
    return asking as Promise<Lookup<T>>
  }

  async #refresh(key: string, name: string, type: RecordType, known: Entry | undefined): Promise<Lookup> {
    try {
      const lookup = await this.#follow(name, type)
      const { expiresAt } = lookup
      this.#keep(key, { lookup, fault: undefined, until: expiresAt, staleUntil: expiresAt + staleMs })
      return lookup
    } catch (error) {
      if (!(error instanceof DnsFault)) throw error
      const now = performance.now()
      const { lookup, staleUntil = 0 } = known ?? {}
      // DANE rests on fresh answers: an attacker must not be able to keep an old "no TLSA" alive (RFC 7672 §2.1.2)
      if (lookup && type !== 'TLSA' && now < staleUntil) {
        const stale = { ...lookup, expiresAt: now + staleForMs }
        this.#keep(key, { lookup: stale, fault: undefined, until: stale.expiresAt, staleUntil })
        return stale
      }
      this.#keep(key, { lookup: undefined, fault: error, until: now + faultForMs, staleUntil: 0 })
      throw error
    }
  }

  /** Asks, and follows CNAMEs that the server did not follow itself. */
  async #follow(name: string, type: RecordType): Promise<Lookup> {
    let at = name
    let authenticated = this.#dnssec
    let ttlMs = maxMs
    for (let cnames = 0; cnames <= cnamesMax; ) {
      const reply = await this.#client.ask(at, type)
      authenticated &&= reply.authenticated
      const asked = at
      for (
        let cname = find(reply, at, 'CNAME');
        cname && cnames <= cnamesMax;
        cname = find(reply, at, 'CNAME')
      ) {
        cnames++
        ttlMs = Math.min(ttlMs, cname.ttl! * 1000)
        at = (cname.data as string).toLowerCase()
      }
      const records = reply.answers.filter((record) => record.type === type && sameName(record.name, at))
      const soa = reply.authorities.find((record): record is SoaAnswer => record.type === 'SOA')
      if (records.length > 0) {
        for (const record of records) ttlMs = Math.min(ttlMs, (record as { ttl: number }).ttl * 1000)
        return this.#found(at, type, records, authenticated, ttlMs)
      }
      const done = at === asked || reply.rcode === 'NXDOMAIN' || (soa !== undefined && isWithin(at, soa.name))
      if (!done && isAskable(at)) continue
      const negativeMs = soa ? Math.min(soa.ttl ?? 0, soa.data.minimum ?? 0) * 1000 : negativeDefaultMs
      return {
        status: reply.rcode === 'NXDOMAIN' || !isAskable(at) ? 'missing' : 'empty',
        records: [],
        name: at,
        authenticated,
        expiresAt: performance.now() + Math.max(minMs, Math.min(negativeMs, ttlMs, negativeMaxMs)),
      }
    }
    throw new DnsFault('CNAME', `${name} leads through too many CNAMEs`)
  }

  #found(
    name: string,
    type: RecordType,
    records: readonly Answer[],
    authenticated: boolean,
    ttlMs: number,
  ): Lookup {
    return {
      status: 'found',
      records: records.map((record) => dataOf(record, type)),
      name,
      authenticated,
      expiresAt: performance.now() + Math.max(minMs, Math.min(ttlMs, maxMs)),
    }
  }

  #keep(key: string, entry: Entry): void {
    this.#entries.delete(key)
    if (this.#entries.size >= entriesMax) this.#entries.delete(this.#entries.keys().next().value!)
    this.#entries.set(key, entry)
  }
}

function find(
  reply: Reply,
  name: string,
  type: string,
): (Answer & { ttl?: number; data: unknown }) | undefined {
  return reply.answers.find((record) => record.type === type && sameName(record.name, name)) as
    | (Answer & { ttl?: number; data: unknown })
    | undefined
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

function dataOf(record: Answer, type: RecordType): DataOf[RecordType] {
  switch (type) {
    case 'MX': {
      const { preference = 0, exchange } = (record as MxAnswer).data
      return { preference, exchange: exchange === '.' ? '' : exchange.toLowerCase() }
    }
    case 'TXT':
      // One record's strings belong together without anything between them (RFC 7208 §3.3, RFC 8461 §3.1)
      return [(record as TxtAnswer).data].flat().map(String).join('')
    case 'TLSA':
      return (record as TlsaAnswer).data
    default:
      return (record as { data: string }).data
  }
}

/** Whether a name fits into a query; the library would write nonsense for one that does not. */
function isAskable(name: string): boolean {
  return name.length <= 253 && name.split('.').every((label) => /^[\x21-\x7e]{1,63}$/.test(label))
}
