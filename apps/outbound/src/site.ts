/**
 * A site: a source IP and what shares limits at the other end. A message that has its place here waits for a session, and a
 * session takes the next one that it may carry as soon as it has ended with the last. What the site has taught us
 * (throttle.ts) says how much may be begun. Idle sessions are kept for a moment.
 */
import type { HeldIp, LoadedMessage, Outcome } from '@postel/db/queries/outbound'
import type { CompiledReplyRule } from '@postel/mail/reply-classifier'
import { type ConnectOptions, connectTo } from './connect.ts'
import { deliver, outcomeOf, type ReadyMessage } from './deliver.ts'
import type { Kind } from './load-shares.ts'
import type { Destination } from './plan.ts'
import { carries, Session } from './session.ts'
import type { Signed } from './sign.ts'
import { SiteJudge } from './site-judge.ts'
import { Throttle, type ThrottleRecord, type ThrottleState } from './throttle.ts'
import type { TlsFloor } from './tls-policy.ts'

/** What messages and sessions need, whatever their site. */
export type DeliveryOptions = {
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
}

export type SiteOptions = {
  delivery: DeliveryOptions
  /** Whether nothing may be begun from its IP any more. */
  isEnding: () => boolean
  /** The message is about to have its outcome, and leaves its place to another. */
  onLeft: (message: LoadedMessage) => void
  /** The message was not sent, has no outcome and gives its place back. */
  onReleased: (message: LoadedMessage) => void
  /** So many more rows find room here. */
  onRoom: (rows: number) => void
  /** A session has ended. */
  onSessionEnded: () => void
}

/** A throttle as people are shown it. */
export type SiteRecord = ThrottleRecord & {
  ipId: number
  site: string
  connectionsMax: number
  messagesPerMinute: number | null
}

/** A message that has a place at a site, on its way to this destination. */
export type Placed = ReadyMessage & { destination: Destination }

type Fault = { fault: unknown; inDoubt: boolean }

/** Sessions to a site that has not answered yet. */
const unprovenSessions = 2
const idleMs = 10_000
/** Messages that may be loaded per session where they go through so fast that the next must be at hand. */
const loadedPerSession = 4
const fastMs = 500
/** The share of that at which a fast site is filled up again. */
const refillBelow = 3 / 4

export class Site {
  readonly ipId: number
  readonly name: string
  readonly #options: SiteOptions
  readonly #delivery: DeliveryOptions
  readonly #throttle: Throttle
  readonly #judge: SiteJudge
  readonly #ready: Placed[] = []
  /** Places that are taken. */
  #inFlight = 0
  /** Sessions that are open or being opened, and those that are open. */
  #sessions = 0
  #open = 0
  /** A session has been opened: until then it may be dead, and gets little. */
  #proven = false
  /** What a message takes here, smoothed; undefined until one has been through. */
  #averageMs: number | undefined
  readonly #busy = new Set<Session>()
  #idle: { session: Session; timer: NodeJS.Timeout }[] = []
  /** Gives up the sessions that are being opened. */
  #opening = new AbortController()
  #wake: NodeJS.Timeout | undefined
  /** #throttle.version and its state when they were last told. */
  #told: { version: number; state: ThrottleState }

  /** `remembered`: what the last holder of the IP had learned, and how long ago. */
  constructor(
    ipId: number,
    { site, limits }: Destination,
    options: SiteOptions,
    remembered?: { record: SiteRecord; agoMs: number },
  ) {
    const now = performance.now()
    this.ipId = ipId
    this.name = site
    this.#options = options
    this.#delivery = options.delivery
    this.#throttle = new Throttle(limits, now)
    if (remembered) this.#throttle.restore(remembered.record, now, remembered.agoMs)
    this.#judge = new SiteJudge(this.#throttle)
    this.#told = { version: this.#throttle.version, state: remembered?.record.state ?? 'open' }
  }

  get sessions(): number {
    return this.#sessions
  }

  get kind(): Kind {
    if (!this.#proven) return 'unproven'
    return this.#averageMs !== undefined && this.#averageMs < fastMs ? 'fast' : 'slow'
  }

  /** The rules may have changed. */
  limitTo(limits: Destination['limits']): void {
    if (this.#throttle.limits !== limits) this.#throttle.limits = limits
  }

  /** Whether another message finds a place; if not, onRoom() will say when. */
  hasRoom(): boolean {
    const now = performance.now()
    if (this.#throttle.allowance(now) < 1) {
      this.#wakeLater(now)
      return false
    }
    return this.#inFlight < this.#inFlightMax
  }

  take(domain: string): void {
    this.#throttle.begin(performance.now())
    this.#inFlight++
    this.#judge.saw(domain)
  }

  /** Gives a place back that nothing was begun in. */
  giveBack(): void {
    this.#throttle.giveBack()
    this.leave()
  }

  /** What had the place has ended. */
  leave(): void {
    this.#inFlight--
    // Where several are at hand for each session, make room for many at once: loading ten costs little more than one
    const most = this.#inFlightMax
    if (this.#inFlight <= most * refillBelow || this.kind !== 'fast')
      this.#options.onRoom(most - this.#inFlight)
  }

  /** Hands over a message that has a place. */
  add(placed: Placed): void {
    this.#ready.push(placed)
    const idle = this.#idle.pop()
    if (idle) {
      clearTimeout(idle.timer)
      void this.#run(idle.session)
    } else if (this.#sessions < this.#sessionsMax) {
      this.#sessions++
      void this.#run(undefined)
    }
  }

  /** What people should see that has changed since the last call; `open` means that all is well again. */
  takeChange(): SiteRecord | undefined {
    const now = performance.now()
    const record = this.#throttle.record(now)
    const { version } = this.#throttle
    if (version === this.#told.version && record.state === this.#told.state) return undefined
    this.#told = { version, state: record.state }
    return {
      ...record,
      ipId: this.ipId,
      site: this.name,
      connectionsMax: this.#throttle.connectionsMax(now),
      messagesPerMinute: this.#throttle.messagesPerMinute(now) ?? null,
    }
  }

  /** The last change could not be written down: it is told again. */
  untell(): void {
    this.#told = { ...this.#told, version: -1 }
  }

  /** Whether nothing goes on here and nothing was learned that has not been told. */
  get isForgettable(): boolean {
    if (this.#inFlight > 0 || this.#sessions > 0) return false
    const now = performance.now()
    const { state } = this.#throttle.record(now)
    if (this.#throttle.version !== this.#told.version || state !== this.#told.state) return false
    return this.#throttle.isFresh(now) && this.#throttle.waitMs(now) <= 0
  }

  /** Ends what has not begun: idle sessions, those being opened, messages that wait for one. */
  wind(): void {
    for (const { session, timer } of this.#idle.splice(0)) {
      clearTimeout(timer)
      this.#quit(session)
      this.#sessions--
    }
    for (const { message } of this.#ready.splice(0)) this.#options.onReleased(message)
    this.#opening.abort()
    this.#opening = new AbortController()
  }

  /** Cuts its sessions off, those behind a final dot only if `afterDot`: then they are in doubt. */
  cut(afterDot: boolean): void {
    for (const { client } of this.#busy) if (afterDot || !client.afterDot) client.close()
  }

  /** Has nothing more to say once there is room again. */
  stopWaking(): void {
    clearTimeout(this.#wake)
  }

  /** One session's life: send what is ready and what it may carry, then idle for a moment. */
  async #run(idle: Session | undefined): Promise<void> {
    let session = idle
    for (;;) {
      const placed = next(this.#ready, session)
      if (!placed) break
      const { message, destination } = placed
      const floor = this.#floorOf(placed)
      const ip = this.#delivery.sendable(message.ipId)
      if (!ip || this.#options.isEnding()) {
        this.#options.onReleased(message)
        continue
      }
      if (session && !(await carries(session, destination, floor, ip, this.#throttle.limits))) {
        this.#quit(session)
        session = undefined
      }
      session ??= await this.#connect(placed, floor, ip)
      if (!session) continue
      if (this.#options.isEnding()) {
        this.#options.onReleased(message)
        break
      }
      const result = await this.#deliver(session, placed)
      if (result === 'retry' && !this.#options.isEnding()) {
        this.#ready.unshift(placed)
        session.client.close()
        this.#open--
        session = undefined
        continue
      }
      if (typeof result === 'object' && 'fault' in result) {
        this.#options.onLeft(message)
        this.#delivery.onFault(message, result.fault, result.inDoubt)
      } else if (typeof result === 'string' || (this.#options.isEnding() && wasCut(result))) {
        this.#options.onReleased(message)
      } else {
        this.#judge.judge(result, destination, message.domain)
        this.#options.onLeft(message)
        this.#delivery.onOutcome(result, message, this.name)
      }
    }
    if (session?.client.usable && !this.#options.isEnding()) return this.#park(session)
    if (session) this.#quit(session)
    this.#endSession()
  }

  async #deliver(session: Session, placed: Placed): Promise<Outcome | 'retry' | 'fenced' | Fault> {
    const { message, destination } = placed
    const delivery = this.#delivery
    const startedAt = performance.now()
    this.#busy.add(session)
    const result = await deliver(placed, session.client, {
      maySendDot: () => delivery.holds(message.ipId) !== undefined,
      recipientsPerTransaction: this.#throttle.limits.recipientsPerTransaction,
      tellEnvelopeId: delivery.tellEnvelopeId,
      sign: delivery.sign,
      recordPart: (outcome) => delivery.recordPart(outcome, message, this.name),
      replyRules: delivery.replyRules(),
    }).catch((fault: unknown): Fault => {
      // A mistake of ours in one message must not cost more than its session
      const inDoubt = session.client.afterDot
      session.client.close()
      return { fault, inDoubt }
    })
    this.#busy.delete(session)
    session.destination = destination
    const tookMs = performance.now() - startedAt
    this.#averageMs = this.#averageMs === undefined ? tookMs : this.#averageMs * 0.9 + tookMs * 0.1
    return result
  }

  /** A session for the message, or none: then the message has its outcome already. */
  async #connect(placed: Placed, floor: TlsFloor, ip: HeldIp): Promise<Session | undefined> {
    const { message, destination } = placed
    const delivery = this.#delivery
    const route = await destination.resolve(ip)
    const result = await connectTo(route, {
      ...delivery.connecting,
      ip,
      ehloName: ip.ehloName ?? delivery.hostname,
      commandSeconds: delivery.commandSeconds,
      finalDotSeconds: delivery.finalDotSeconds,
      implicitTls: destination.implicitTls,
      floor,
      auth: destination.auth,
      replyRules: delivery.replyRules(),
      signal: this.#opening.signal,
    })
    if ('client' in result) {
      this.#open++
      this.#throttle.connected()
      this.#prove()
      return new Session(result.client, destination, floor)
    }
    const now = performance.now()
    if ('local' in result || this.#options.isEnding()) {
      // This machine's own trouble is no reason to take the backlog up and put it down again all the time
      if ('local' in result) this.#throttle.rest('this machine could not open a connection', now)
      this.#options.onReleased(message)
      return undefined
    }
    const { verdict, target } = result
    const outcome = outcomeOf(placed, target, () => verdict)
    if (verdict.code !== null) this.#judge.judge(outcome, destination, message.domain)
    // A domain's own demand on TLS says nothing of the others at the site
    else if (target && this.#open === 0 && verdict.category !== 'tls') {
      this.#proven = false
      this.#throttle.unreachable(verdict.reply, now)
    }
    this.#options.onLeft(message)
    delivery.onOutcome(outcome, message, this.name)
    // What else waits for it must not knock at the same door
    if (this.#throttle.waitMs(now) > 0 && this.#open === 0)
      for (const other of this.#ready.splice(0)) this.#options.onReleased(other.message)
    return undefined
  }

  #floorOf({ message, destination }: Placed): TlsFloor {
    if (message.details?.require_tls) return 'requiretls'
    if (destination.floor === 'enforced' || this.#delivery.insistsOnTls(message)) return 'enforced'
    return 'opportunistic'
  }

  get #inFlightMax(): number {
    return this.#sessionsMax * (this.kind === 'fast' ? loadedPerSession : 1)
  }

  get #sessionsMax(): number {
    const most = this.#throttle.connectionsMax(performance.now())
    return this.#proven ? most : Math.min(unprovenSessions, most)
  }

  /** The site answers: let what waits for it have the sessions that it may have. */
  #prove(): void {
    if (this.#proven) return
    this.#proven = true
    const most = this.#sessionsMax
    for (let waiting = this.#ready.length; waiting > 0 && this.#sessions < most; waiting--) {
      this.#sessions++
      void this.#run(undefined)
    }
    this.#options.onRoom(most)
  }

  #park(session: Session): void {
    const timer = setTimeout(() => {
      this.#idle = this.#idle.filter((other) => other.session !== session)
      this.#quit(session)
      this.#endSession()
    }, idleMs)
    this.#idle.push({ session, timer })
  }

  #quit(session: Session): void {
    session.quit()
    this.#open--
  }

  #endSession(): void {
    this.#sessions--
    // What came while the session was ending has found no room for another
    if (this.#ready.length > 0) {
      this.#sessions++
      return void this.#run(undefined)
    }
    this.#options.onSessionEnded()
  }

  #wakeLater(now: number): void {
    this.#wake ??= setTimeout(
      () => {
        this.#wake = undefined
        const rows = this.#throttle.allowance(performance.now())
        if (rows >= 1) this.#options.onRoom(rows)
        else this.#wakeLater(performance.now())
      },
      Math.min(this.#throttle.waitMs(now) + 1, 60_000),
    )
  }
}

/** Takes the most urgent message that is ready, one for the session's own destination before others. */
function next(ready: Placed[], session: Session | undefined): Placed | undefined {
  let best = 0
  for (let index = 1; index < ready.length; index++) {
    const one = ready[index]!
    const other = ready[best]!
    const sooner = one.message.priority - other.message.priority
    if (sooner > 0) continue
    const fits = (placed: Placed) => placed.destination === session?.destination
    if (sooner < 0 || (fits(one) && !fits(other))) best = index
  }
  return best === 0 ? ready.shift() : ready.splice(best, 1)[0]
}

/** A stop closed the session before the final dot: nothing is known to the remote. */
function wasCut(outcome: Outcome): boolean {
  return (
    !outcome.inDoubt &&
    outcome.recipients.every(({ outcome: result, code }) => result === 'deferred' && code === null)
  )
}
