/**
 * The sessions to each site (a source IP and a destination): messages wait here for a session, and a session takes the
 * next one as soon as it has ended with the last. Idle sessions are kept for a moment.
 */
import type { HeldIp, LoadedMessage, Outcome } from '@postel/db/queries/outbound'
import { connectTo } from './connect.ts'
import { deliver, outcomeOf, type ReadyMessage } from './deliver.ts'
import type { Route } from './route.ts'
import type { SmtpClient } from './smtp-client.ts'

/** How a site is reached. */
export type SitePlan = {
  connectionsMax: number
  resolve: (ip: HeldIp) => Promise<Route>
  implicitTls: boolean
  /** Only over TLS with a good certificate: credentials are sent. */
  requireTls: boolean
  auth?: { user: string; pass: string } | undefined
}

export type SitesOptions = {
  /** The site of a domain's mail: its name, and how to reach it. */
  planOf: (domain: string) => { name: string; plan: SitePlan }
  sendable: (ipId: number) => HeldIp | undefined
  holds: (ipId: number) => HeldIp | undefined
  hostname: string
  commandSeconds: number
  finalDotSeconds: number
  /** Name the message in ENVID, so that the sandbox mailbox knows whose it is. */
  tellEnvelopeId: boolean
  onOutcome: (outcome: Outcome) => void
  /** A site may be given more than before. */
  onRoom: () => void
  /** The message was not sent and has no outcome: it stays in the queue. */
  onReleased: (message: LoadedMessage) => void
}

type Site = {
  key: string
  plan: SitePlan
  ready: ReadyMessage[]
  /** Messages loaded for it and not ended. */
  inFlight: number
  /** Sessions that are open or being opened. */
  sessions: number
  /** A session has been opened: until then it may be dead, and gets little. */
  proven: boolean
  idle: { client: SmtpClient; timer: NodeJS.Timeout }[]
}

/** Sessions to a site that has not answered yet. */
const unprovenSessions = 2
const idleMs = 10_000
const messagesPerSession = 1_000
/** Messages that may be loaded per session, so that one is always at hand. */
const loadedPerSession = 4

export class Sites {
  readonly #options: SitesOptions
  readonly #sites = new Map<string, Site>()
  readonly #busy = new Set<SmtpClient>()
  readonly #opening = new AbortController()
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

  /** How many more messages for this domain may be loaded now. */
  room(ipId: number, domain: string): number {
    const site = this.#site(ipId, domain)
    return this.#sessionsMax(site) * loadedPerSession - site.inFlight
  }

  /** Counts a message that is about to be loaded. */
  reserve(ipId: number, domain: string): void {
    this.#site(ipId, domain).inFlight++
  }

  /** Takes the reservation back: the message turned out to be gone. */
  unreserve(ipId: number, domain: string): void {
    this.#leave(this.#site(ipId, domain))
  }

  /** Hands over a reserved message. */
  add(ready: ReadyMessage): void {
    const site = this.#site(ready.message.ipId, ready.message.domain)
    if (this.#stopping) return this.#release(site, ready)
    site.ready.push(ready)
    const idle = site.idle.pop()
    if (idle) {
      clearTimeout(idle.timer)
      void this.#run(site, idle.client)
    } else if (site.sessions < this.#sessionsMax(site)) {
      site.sessions++
      void this.#run(site, undefined)
    }
  }

  /**
   * Ends all sessions: messages before their final dot are released, those after it may wait for the reply until the
   * deadline, and then they are in doubt.
   */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true
    for (const site of this.#sites.values()) {
      for (const { client, timer } of site.idle.splice(0)) {
        clearTimeout(timer)
        client.quit()
        site.sessions--
      }
      for (const ready of site.ready.splice(0)) this.#release(site, ready)
    }
    this.#opening.abort()
    for (const client of this.#busy) if (!client.afterDot) client.close()
    if (this.connections === 0) return
    const timer = setTimeout(() => {
      for (const client of this.#busy) client.close()
    }, deadlineMs)
    await new Promise<void>((resolve) => {
      this.#ended = resolve
    })
    clearTimeout(timer)
  }

  #site(ipId: number, domain: string): Site {
    const { name, plan } = this.#options.planOf(domain)
    const key = `${ipId} ${name}`
    let site = this.#sites.get(key)
    if (!site) {
      site = { key, plan, ready: [], inFlight: 0, sessions: 0, proven: false, idle: [] }
      this.#sites.set(key, site)
    }
    return site
  }

  /** One session's life: send what is ready, then idle for a moment. */
  async #run(site: Site, idle: SmtpClient | undefined): Promise<void> {
    let client = idle
    for (;;) {
      const ready = site.ready.shift()
      if (!ready) break
      const unfit = ready.message.details?.require_tls === true && !client?.verified
      if (!client?.usable || unfit || client.sent >= messagesPerSession) {
        client?.quit()
        client = await this.#connect(site, ready)
        if (!client) continue
      }
      if (this.#stopping) {
        this.#release(site, ready)
        break
      }
      this.#busy.add(client)
      const result = await deliver(
        ready,
        client,
        () => this.#options.holds(ready.message.ipId) !== undefined,
        this.#options.tellEnvelopeId,
      )
      this.#busy.delete(client)
      if (result === 'retry' && !this.#stopping) {
        site.ready.unshift(ready)
        client.close()
        continue
      }
      if (result === 'retry' || result === 'fenced' || (this.#stopping && wasCut(result))) {
        this.#release(site, ready)
      } else {
        this.#leave(site)
        this.#options.onOutcome(result)
      }
    }
    if (client?.usable && !this.#stopping) return this.#park(site, client)
    client?.quit()
    this.#endSession(site)
  }

  /** A session for the message, or none: then the message has its outcome already. */
  async #connect(site: Site, ready: ReadyMessage): Promise<SmtpClient | undefined> {
    const ip = this.#options.sendable(ready.message.ipId)
    if (!ip || this.#stopping) {
      this.#release(site, ready)
      return undefined
    }
    const result = await connectTo(await site.plan.resolve(ip), {
      ip,
      ehloName: ip.ehloName ?? this.#options.hostname,
      commandSeconds: this.#options.commandSeconds,
      finalDotSeconds: this.#options.finalDotSeconds,
      implicitTls: site.plan.implicitTls,
      requireTls: ready.message.details?.require_tls === true || site.plan.requireTls,
      verify: site.plan.requireTls,
      auth: site.plan.auth,
      signal: this.#opening.signal,
    })
    if ('client' in result) {
      this.#prove(site)
      return result.client
    }
    if ('local' in result) {
      this.#release(site, ready)
      return undefined
    }
    if (this.#stopping) {
      this.#release(site, ready)
      return undefined
    }
    this.#leave(site)
    this.#options.onOutcome(outcomeOf(ready, result.target, () => result.verdict))
    return undefined
  }

  #sessionsMax(site: Site): number {
    return site.proven ? site.plan.connectionsMax : Math.min(unprovenSessions, site.plan.connectionsMax)
  }

  /** The site answers: let what waits for it have the sessions that it may have. */
  #prove(site: Site): void {
    if (site.proven) return
    site.proven = true
    for (
      let waiting = site.ready.length;
      waiting > 0 && site.sessions < site.plan.connectionsMax;
      waiting--
    ) {
      site.sessions++
      void this.#run(site, undefined)
    }
    this.#options.onRoom()
  }

  #park(site: Site, client: SmtpClient): void {
    const timer = setTimeout(() => {
      site.idle = site.idle.filter((other) => other.client !== client)
      client.quit()
      this.#endSession(site)
    }, idleMs)
    site.idle.push({ client, timer })
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

  #leave(site: Site): void {
    site.inFlight--
    this.#forget(site)
  }

  #release(site: Site, ready: ReadyMessage): void {
    this.#leave(site)
    this.#options.onReleased(ready.message)
  }

  #forget(site: Site): void {
    if (site.inFlight === 0 && site.sessions === 0) this.#sites.delete(site.key)
  }
}

/** A stop closed the session before the final dot: nothing is known to the remote. */
function wasCut(outcome: Outcome): boolean {
  return (
    !outcome.inDoubt &&
    outcome.recipients.every(({ outcome: result, code }) => result === 'deferred' && code === null)
  )
}
