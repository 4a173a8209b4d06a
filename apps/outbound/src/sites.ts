/**
 * The sessions to each site (a source IP and what shares limits at the other end): a message reserves its place, waits here
 * for a session, and a session takes the next one that it may carry as soon as it has ended with the last. What a site
 * has taught us (throttle.ts) says how much may be begun. Idle sessions are kept for a moment.
 */
import type {
  Descriptor,
  HeldIp,
  LoadedMessage,
  Outcome,
  RecipientOutcome,
} from '@postel/db/queries/outbound'
import type { CompiledReplyRule } from '@postel/mail/reply-classifier'
import { type ConnectOptions, connectTo } from './connect.ts'
import { deliver, outcomeOf, type ReadyMessage } from './deliver.ts'
import type { Destination } from './plan.ts'
import { carries, Session } from './session.ts'
import type { Signed } from './sign.ts'
import { Throttle, type ThrottleRecord, type ThrottleState } from './throttle.ts'
import type { TlsFloor } from './tls-policy.ts'
import { isUrgent } from './turns.ts'

export type SitesOptions = {
  /** Undefined while it is being found out; onFound() will unpark `domain <name>`. */
  destinationOf: (domain: string, urgent: boolean) => Destination | undefined
  sendable: (ipId: number) => HeldIp | undefined
  holds: (ipId: number) => HeldIp | undefined
  insistsOnTls: (message: LoadedMessage) => boolean
  hostname: string
  commandSeconds: number
  finalDotSeconds: number
  /** What all connections share. */
  connecting: Pick<ConnectOptions, 'contexts' | 'onTlsResult'>
  tellEnvelopeId: boolean
  replyRules: () => readonly CompiledReplyRule[]
  /** The signature fields of a message that had to be changed for its remote. */
  sign: (raw: Buffer, message: Signed) => Promise<Buffer>
  onOutcome: (outcome: Outcome, message: LoadedMessage, site: string) => void
  /** This system failed on the message. `inDoubt`: behind its final dot. */
  onFault: (message: LoadedMessage, error: unknown, inDoubt: boolean) => void
  /** See DeliverOptions. */
  recordPart: (outcome: Outcome, message: LoadedMessage, site: string) => Promise<boolean>
  /** What was in the way under this name has given way for so many rows. */
  onRoom: (obstacle: string, rows: number) => void
  /** The message was not sent and has no outcome: it stays in the queue. */
  onReleased: (message: LoadedMessage) => void
}

/** A throttle as people are shown it. */
export type SiteRecord = ThrottleRecord & {
  ipId: number
  site: string
  connectionsMax: number
  messagesPerMinute: number | null
}

type Site = {
  key: string
  ipId: number
  name: string
  throttle: Throttle
  ready: Loaded[]
  /** Messages reserved for it and not ended. */
  inFlight: number
  /** Sessions that are open or being opened, and those that are open. */
  sessions: number
  open: number
  /** A session has been opened: until then it may be dead, and gets little. */
  proven: boolean
  /** What a message takes here, smoothed; undefined until one has been through. */
  averageMs: number | undefined
  /** Some of the recipient domains seen here, and those that refused our mail since the last delivery. */
  domains: Set<string>
  refusedBy: Set<string>
  idle: { session: Session; timer: NodeJS.Timeout }[]
  /** Gives up the sessions that are being opened. */
  opening: AbortController
  wake: NodeJS.Timeout | undefined
  /** throttle.version and its state when they were last told. */
  told: { version: number; state: ThrottleState }
}

type Fault = { fault: unknown; inDoubt: boolean }

type Kind = 'fast' | 'slow' | 'unproven'
type Reservation = { site: Site; destination: Destination; kind: Kind; bytes: number }
type Loaded = ReadyMessage & { reservation: Reservation }

/** Sessions to a site that has not answered yet. */
const unprovenSessions = 2
const idleMs = 10_000
/** Messages that may be loaded per session where they go through so fast that the next must be at hand. */
const loadedPerSession = 4
const fastMs = 500
/** The share of that at which a fast site is filled up again. */
const refillBelow = 3 / 4
/**
 * What may be loaded at once in all, for sites that have not answered yet, for slow ones, and for fast ones: however many
 * dead or slow sites there are, the others find room.
 */
const share: Readonly<Record<Kind, { rows: number; bytes: number }>> = {
  unproven: { rows: 1_000, bytes: 24 * 1024 * 1024 },
  slow: { rows: 3_000, bytes: 72 * 1024 * 1024 },
  fast: { rows: 4_000, bytes: 96 * 1024 * 1024 },
}

export class Sites {
  readonly #options: SitesOptions
  readonly #sites = new Map<string, Site>()
  readonly #reservations = new Map<number, Reservation>()
  readonly #remembered = new Map<string, { record: SiteRecord; at: number }>()
  readonly #busy = new Map<Session, Site>()
  /** IPs that belong on another node, each with the deadline of what is in flight. */
  readonly #leaving = new Map<number, NodeJS.Timeout>()
  readonly #used: Record<Kind, { rows: number; bytes: number }> = {
    unproven: { rows: 0, bytes: 0 },
    slow: { rows: 0, bytes: 0 },
    fast: { rows: 0, bytes: 0 },
  }
  #stopping = false
  #ended: (() => void) | undefined

  constructor(options: SitesOptions) {
    this.#options = options
  }

  get connections(): number {
    let count = 0
    for (const site of this.#sites.values()) count += site.sessions
    return count
  }

  /** Takes the place for a row that is about to be loaded; or says what is in the way. */
  reserve(row: Descriptor): string | undefined {
    const destination = this.#options.destinationOf(row.domain, isUrgent(row.priority))
    if (!destination) return `domain ${row.domain}`
    const site = this.#site(row.ipId, destination)
    const now = performance.now()
    if (site.throttle.allowance(now) < 1) {
      this.#wakeLater(site, now)
      return site.key
    }
    const kind = kindOf(site)
    if (site.inFlight >= this.#inFlightMax(site)) return site.key
    if (!this.#hasShare(kind, row.sizeBytes)) return kind
    site.throttle.begin(now)
    site.inFlight++
    if (site.domains.size < 2) site.domains.add(row.domain)
    this.#use(kind, 1, row.sizeBytes)
    this.#reservations.set(row.id, { site, destination, kind, bytes: row.sizeBytes })
    return undefined
  }

  /** Gives the place back: the message turned out to be gone, or was not sent. */
  unreserve(row: Pick<Descriptor, 'id'>): void {
    const reservation = this.#reservations.get(row.id)
    if (!reservation) return
    reservation.site.throttle.giveBack()
    this.#leave(row)
  }

  /** Hands over a message that has a place. */
  add(ready: ReadyMessage): void {
    const reservation = this.#reservations.get(ready.message.id)
    if (!reservation || this.#isEnding(reservation.site)) return this.#release(ready.message)
    const { site } = reservation
    site.ready.push({ ...ready, reservation })
    const idle = site.idle.pop()
    if (idle) {
      clearTimeout(idle.timer)
      void this.#run(site, idle.session)
    } else if (site.sessions < this.#sessionsMax(site)) {
      site.sessions++
      void this.#run(site, undefined)
    }
  }

  /** What the last holder of these IPs had learned of their sites. */
  remember(records: readonly SiteRecord[]): void {
    for (const record of records)
      this.#remembered.set(`${record.ipId} ${record.site}`, { record, at: performance.now() })
  }

  /** What people should see that has changed since the last call; `open` means that all is well again. */
  takeChanges(): SiteRecord[] {
    const now = performance.now()
    const changes: SiteRecord[] = []
    for (const site of this.#sites.values()) {
      const record = site.throttle.record(now)
      const { version } = site.throttle
      if (version !== site.told.version || record.state !== site.told.state) {
        site.told = { version, state: record.state }
        // What another holder of the IP learns is its own to tell
        if (this.#options.holds(site.ipId))
          changes.push({
            ...record,
            ipId: site.ipId,
            site: site.name,
            connectionsMax: site.throttle.connectionsMax(now),
            messagesPerMinute: site.throttle.messagesPerMinute(now) ?? null,
          })
      }
      this.#forget(site)
    }
    return changes
  }

  /** These could not be written down: they are told again. */
  untell(records: readonly SiteRecord[]): void {
    for (const { ipId, site } of records) {
      const known = this.#sites.get(`${ipId} ${site}`)
      if (known) known.told = { ...known.told, version: -1 }
    }
  }

  /**
   * Ends all sessions: messages before their final dot are released, those after it may wait for the reply until the
   * deadline, and then they are in doubt.
   */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true
    for (const timer of this.#leaving.values()) clearTimeout(timer)
    for (const site of this.#sites.values()) {
      clearTimeout(site.wake)
      this.#wind(site)
    }
    for (const session of this.#busy.keys()) if (!session.client.afterDot) session.client.close()
    if (this.connections === 0) return
    const timer = setTimeout(() => {
      for (const session of this.#busy.keys()) session.client.close()
    }, deadlineMs)
    await new Promise<void>((resolve) => {
      this.#ended = resolve
    })
    clearTimeout(timer)
  }

  /** The same for all sessions from one IP, which is to be let go. Nothing is begun from it until stay(). */
  leave(ipId: number, deadlineMs: number): void {
    if (this.#leaving.has(ipId) || this.#stopping) return
    const close = (afterDot: boolean) => {
      for (const [session, site] of this.#busy)
        if (site.ipId === ipId && (afterDot || !session.client.afterDot)) session.client.close()
    }
    this.#leaving.set(
      ipId,
      setTimeout(() => close(true), deadlineMs),
    )
    for (const site of this.#sites.values()) if (site.ipId === ipId) this.#wind(site)
    close(false)
  }

  /** The IP may be sent from again, or has been let go. */
  stay(ipId: number): void {
    clearTimeout(this.#leaving.get(ipId))
    this.#leaving.delete(ipId)
  }

  #isEnding(site: Site): boolean {
    return this.#stopping || this.#leaving.has(site.ipId)
  }

  /** Ends what has not begun: idle sessions, those being opened, messages that wait for one. */
  #wind(site: Site): void {
    for (const { session, timer } of site.idle.splice(0)) {
      clearTimeout(timer)
      session.quit()
      this.#closed(site)
      site.sessions--
    }
    for (const { message } of site.ready.splice(0)) this.#release(message)
    site.opening.abort()
    site.opening = new AbortController()
  }

  #site(ipId: number, destination: Destination): Site {
    const key = `${ipId} ${destination.site}`
    const known = this.#sites.get(key)
    if (known) {
      if (known.throttle.limits !== destination.limits) known.throttle.limits = destination.limits
      return known
    }
    const now = performance.now()
    const throttle = new Throttle(destination.limits, now)
    const remembered = this.#remembered.get(key)
    if (remembered) throttle.restore(remembered.record, now, now - remembered.at)
    this.#remembered.delete(key)
    const site: Site = {
      key,
      ipId,
      name: destination.site,
      throttle,
      ready: [],
      inFlight: 0,
      sessions: 0,
      open: 0,
      proven: false,
      averageMs: undefined,
      domains: new Set(),
      refusedBy: new Set(),
      idle: [],
      opening: new AbortController(),
      wake: undefined,
      told: { version: throttle.version, state: remembered?.record.state ?? 'open' },
    }
    this.#sites.set(key, site)
    return site
  }

  /** One session's life: send what is ready and what it may carry, then idle for a moment. */
  async #run(site: Site, idle: Session | undefined): Promise<void> {
    let session = idle
    for (;;) {
      const loaded = next(site, session)
      if (!loaded) break
      const floor = this.#floorOf(loaded)
      const ip = this.#options.sendable(loaded.message.ipId)
      if (!ip || this.#isEnding(site)) {
        this.#release(loaded.message)
        continue
      }
      if (
        session &&
        !(await carries(session, loaded.reservation.destination, floor, ip, site.throttle.limits))
      ) {
        session.quit()
        this.#closed(site)
        session = undefined
      }
      session ??= await this.#connect(site, loaded, floor, ip)
      if (!session) continue
      if (this.#isEnding(site)) {
        this.#release(loaded.message)
        break
      }
      const result = await this.#deliver(site, session, loaded)
      if (result === 'retry' && !this.#isEnding(site)) {
        site.ready.unshift(loaded)
        session.client.close()
        this.#closed(site)
        session = undefined
        continue
      }
      if (typeof result === 'object' && 'fault' in result) {
        this.#leave(loaded.message)
        this.#options.onFault(loaded.message, result.fault, result.inDoubt)
      } else if (typeof result === 'string' || (this.#isEnding(site) && wasCut(result))) {
        this.#release(loaded.message)
      } else {
        this.#judge(site, result, loaded.reservation.destination, loaded.message.domain)
        this.#leave(loaded.message)
        this.#options.onOutcome(result, loaded.message, site.name)
      }
    }
    if (session?.client.usable && !this.#isEnding(site)) return this.#park(site, session)
    if (session) {
      session.quit()
      this.#closed(site)
    }
    this.#endSession(site)
  }

  async #deliver(
    site: Site,
    session: Session,
    loaded: Loaded,
  ): Promise<Outcome | 'retry' | 'fenced' | Fault> {
    const startedAt = performance.now()
    this.#busy.set(session, site)
    const result = await deliver(loaded, session.client, {
      maySendDot: () => this.#options.holds(loaded.message.ipId) !== undefined,
      recipientsPerTransaction: site.throttle.limits.recipientsPerTransaction,
      tellEnvelopeId: this.#options.tellEnvelopeId,
      sign: this.#options.sign,
      recordPart: (outcome) => this.#options.recordPart(outcome, loaded.message, site.name),
      replyRules: this.#options.replyRules(),
    }).catch((fault: unknown): Fault => {
      // A mistake of ours in one message must not cost more than its session
      const inDoubt = session.client.afterDot
      session.client.close()
      return { fault, inDoubt }
    })
    this.#busy.delete(session)
    session.destination = loaded.reservation.destination
    const tookMs = performance.now() - startedAt
    site.averageMs = site.averageMs === undefined ? tookMs : site.averageMs * 0.9 + tookMs * 0.1
    return result
  }

  /** A session for the message, or none: then the message has its outcome already. */
  async #connect(
    site: Site,
    { message, startedAt, reservation }: Loaded,
    floor: TlsFloor,
    ip: HeldIp,
  ): Promise<Session | undefined> {
    const { destination } = reservation
    const route = await destination.resolve(ip)
    const result = await connectTo(route, {
      ...this.#options.connecting,
      ip,
      ehloName: ip.ehloName ?? this.#options.hostname,
      commandSeconds: this.#options.commandSeconds,
      finalDotSeconds: this.#options.finalDotSeconds,
      implicitTls: destination.implicitTls,
      floor,
      auth: destination.auth,
      replyRules: this.#options.replyRules(),
      signal: site.opening.signal,
    })
    if ('client' in result) {
      site.open++
      site.throttle.connected()
      this.#prove(site)
      return new Session(result.client, destination, floor)
    }
    if ('local' in result || this.#isEnding(site)) {
      // This machine's own trouble is no reason to take the backlog up and put it down again all the time
      if ('local' in result) site.throttle.rest('this machine could not open a connection', performance.now())
      this.#release(message)
      return undefined
    }
    const now = performance.now()
    const { verdict, target } = result
    const outcome = outcomeOf({ message, startedAt }, target, () => verdict)
    if (verdict.code !== null) this.#judge(site, outcome, destination, message.domain)
    // A domain's own demand on TLS says nothing of the others at the site
    else if (target && site.open === 0 && verdict.category !== 'tls') {
      site.proven = false
      site.throttle.unreachable(verdict.reply, now)
    }
    this.#leave(message)
    this.#options.onOutcome(outcome, message, site.name)
    // What else waits for it must not knock at the same door
    if (site.throttle.waitMs(now) > 0 && site.open === 0)
      for (const other of site.ready.splice(0)) this.#release(other.message)
    return undefined
  }

  /**
   * What a message's result says of the site: a delivery, a request to slow down, or one refusal however many recipients.
   * Where several domains share the site, one domain's own policy is not the site's: it counts once between deliveries. A
   * server that an operator named refuses messages, not us.
   */
  #judge(site: Site, { recipients, retryAfter }: Outcome, destination: Destination, domain: string): void {
    const now = performance.now()
    const delivered = recipients.find(({ outcome }) => outcome === 'delivered')
    const slowDown = recipients.find(isAboutRate)
    const retryAfterMs = retryAfter === null ? undefined : retryAfter * 1_000
    if (delivered) {
      site.throttle.delivered(now)
      site.refusedBy.clear()
    }
    if (slowDown) site.throttle.slowDown(slowDown.reply, retryAfterMs, now)
    if (delivered || slowDown || destination.endpoint !== undefined) return
    const reputation = recipients.find(({ category }) => category === 'reputation')
    const refusal =
      reputation ?? recipients.find(({ category }) => category === 'policy' || category === 'spam')
    if (!refusal) return
    if (!reputation && site.domains.size > 1 && site.refusedBy.has(domain)) return
    site.refusedBy.add(domain)
    site.throttle.refused(reputation ? 2 : 1, refusal.reply, now)
  }

  #floorOf({ message, reservation }: Loaded): TlsFloor {
    if (message.details?.require_tls) return 'requiretls'
    if (reservation.destination.floor === 'enforced' || this.#options.insistsOnTls(message)) return 'enforced'
    return 'opportunistic'
  }

  #inFlightMax(site: Site): number {
    return this.#sessionsMax(site) * (kindOf(site) === 'fast' ? loadedPerSession : 1)
  }

  #sessionsMax(site: Site): number {
    const most = site.throttle.connectionsMax(performance.now())
    return site.proven ? most : Math.min(unprovenSessions, most)
  }

  /** The site answers: let what waits for it have the sessions that it may have. */
  #prove(site: Site): void {
    if (site.proven) return
    site.proven = true
    const most = this.#sessionsMax(site)
    for (let waiting = site.ready.length; waiting > 0 && site.sessions < most; waiting--) {
      site.sessions++
      void this.#run(site, undefined)
    }
    this.#options.onRoom(site.key, most)
  }

  #park(site: Site, session: Session): void {
    const timer = setTimeout(() => {
      site.idle = site.idle.filter((other) => other.session !== session)
      session.quit()
      this.#closed(site)
      this.#endSession(site)
    }, idleMs)
    site.idle.push({ session, timer })
  }

  #closed(site: Site): void {
    site.open--
  }

  #endSession(site: Site): void {
    site.sessions--
    // What came while the session was ending has found no room for another
    if (site.ready.length > 0 && !this.#stopping) {
      site.sessions++
      return void this.#run(site, undefined)
    }
    this.#forget(site)
    if (this.#stopping && this.connections === 0) this.#ended?.()
  }

  #release(message: LoadedMessage): void {
    this.unreserve(message)
    this.#options.onReleased(message)
  }

  #leave(row: Pick<Descriptor, 'id'>): void {
    const reservation = this.#reservations.get(row.id)
    if (!reservation) return
    this.#reservations.delete(row.id)
    const { site, kind, bytes } = reservation
    site.inFlight--
    this.#use(kind, -1, -bytes)
    // Where several are at hand for each session, make room for many at once: loading ten costs little more than one
    const most = this.#inFlightMax(site)
    if (site.inFlight <= most * refillBelow || kindOf(site) !== 'fast')
      this.#options.onRoom(site.key, most - site.inFlight)
    // The shares lie one in the other: room for one kind may be room for the others
    for (const each of kinds) if (this.#hasShare(each, 0)) this.#options.onRoom(each, 1)
    this.#forget(site)
  }

  /** Small messages need only a place; how much memory there is counts for large ones. */
  #hasShare(kind: Kind, sizeBytes: number): boolean {
    let rows = 0
    let bytes = 0
    for (const each of kinds) {
      rows += this.#used[each].rows
      bytes += this.#used[each].bytes
      if (rank[each] < rank[kind]) continue
      if (rows >= share[each].rows || (bytes >= share[each].bytes && sizeBytes > smallBytes)) return false
    }
    return true
  }

  #use(kind: Kind, rows: number, bytes: number): void {
    this.#used[kind].rows += rows
    this.#used[kind].bytes += bytes
  }

  #wakeLater(site: Site, now: number): void {
    if (site.wake || this.#stopping) return
    site.wake = setTimeout(
      () => {
        site.wake = undefined
        const rows = site.throttle.allowance(performance.now())
        if (rows >= 1) this.#options.onRoom(site.key, rows)
        else this.#wakeLater(site, performance.now())
      },
      Math.min(site.throttle.waitMs(now) + 1, 60_000),
    )
  }

  /** Nothing goes on there and nothing was learned. */
  #forget(site: Site): void {
    if (site.inFlight > 0 || site.sessions > 0) return
    const now = performance.now()
    const { state } = site.throttle.record(now)
    if (site.throttle.version !== site.told.version || state !== site.told.state) return
    if (!site.throttle.isFresh(now) || site.throttle.waitMs(now) > 0) return
    clearTimeout(site.wake)
    this.#sites.delete(site.key)
  }
}

const kinds = ['unproven', 'slow', 'fast'] as const satisfies Kind[]
const rank: Readonly<Record<Kind, number>> = { unproven: 0, slow: 1, fast: 2 }
/** Of a thousand such messages the memory can be had at any time. */
const smallBytes = 64 * 1024

function kindOf(site: Site): Kind {
  if (!site.proven) return 'unproven'
  return site.averageMs !== undefined && site.averageMs < fastMs ? 'fast' : 'slow'
}

/** A request to send less to the site; not one about a single mailbox or the recipients of a transaction. */
function isAboutRate({ category, enhancedCode }: RecipientOutcome): boolean {
  return category === 'rate' && !/^[45]\.(1\.|2\.|5\.3$)/.test(enhancedCode ?? '')
}

/** The most urgent message that is ready, one for the session's own destination before others. */
function next(site: Site, session: Session | undefined): Loaded | undefined {
  let best = 0
  for (let index = 1; index < site.ready.length; index++) {
    const one = site.ready[index]!
    const other = site.ready[best]!
    const sooner = one.message.priority - other.message.priority
    if (sooner > 0) continue
    const fits = (loaded: Loaded) => loaded.reservation.destination === session?.destination
    if (sooner < 0 || (fits(one) && !fits(other))) best = index
  }
  return best === 0 ? site.ready.shift() : site.ready.splice(best, 1)[0]
}

/** A stop closed the session before the final dot: nothing is known to the remote. */
function wasCut(outcome: Outcome): boolean {
  return (
    !outcome.inDoubt &&
    outcome.recipients.every(({ outcome: result, code }) => result === 'deferred' && code === null)
  )
}
