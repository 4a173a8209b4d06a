/**
 * One term of leadership: observe → reconcile → apply, again and again. A move's intent is in Postgres before the provider is
 * asked, so whoever leads next goes on with it. Before each call to the provider the server says that this process still leads.
 */
import type { LeaderSession } from '@postel/db/leader-session'
import { LeadershipLost } from '@postel/db/leader-session'
import { type Fleet, FleetQueries } from '@postel/db/queries/fleet'
import { pause } from '@postel/runtime/backoff'
import { CloudView } from './cloud-view.ts'
import type { IpManagerEvents } from './events.ts'
import { type Provider, ProviderError, type StaticFleet } from './provider.ts'
import { type Action, type Plan, type Rules, reconcile } from './reconcile.ts'
import { Watch } from './watch.ts'

/** Rounds without a pause, while each finds something to do. */
const roundsMax = 20
const staleMs = 1_000
const attachesMax = 8
/** The longest call; a provider gives up before. */
const callMs = 90_000
const stopMs = 10_000
const upkeepEveryMs = 3_600_000

export type TermOptions = {
  session: LeaderSession
  makeProvider: (readFleet: () => Promise<StaticFleet>, prove: () => Promise<void>) => Provider
  rules: Rules
  lookEveryMs: number
  listEveryMs: number
  /** Says what it would do, and does nothing. */
  dryRun: boolean
  events: IpManagerEvents
  /** Ends the term in order. */
  stopped: AbortSignal
}

type Attach = Extract<Action, { kind: 'attach' }>

export class Term {
  readonly #options: TermOptions
  readonly #queries: FleetQueries
  readonly #provider: Provider
  readonly #view: CloudView
  readonly #attaching = new Map<number, Promise<void>>()
  readonly #ended = new AbortController()
  /** Something happened that is worth a look before its time. */
  #wake = new AbortController()
  #fault: unknown
  readonly #watch = new Watch()
  /** The provider wants to be left alone until then. */
  #quietUntil = 0
  #noted = ''
  #told = ''
  #upkeepAt = 0

  constructor(options: TermOptions) {
    const { session, makeProvider, listEveryMs, events, stopped } = options
    this.#options = options
    this.#queries = new FleetQueries((text, values) => session.query(text, values))
    this.#provider = proved(
      makeProvider(
        async () => staticFleet(await this.#queries.observe()),
        () => session.prove(),
      ),
      session,
    )
    this.#view = new CloudView({
      provider: this.#provider,
      listEveryMs: this.#provider.name === 'static' ? 0 : listEveryMs,
      events,
      signal: AbortSignal.any([session.signal, stopped]),
    })
  }

  /** Leads until it is stopped, or has lost leadership: rejects with LeadershipLost then. */
  async run(): Promise<void> {
    const { session, stopped, events, lookEveryMs } = this.#options
    const wake = () => this.#wake.abort()
    session.signal.addEventListener('abort', wake)
    stopped.addEventListener('abort', wake)
    try {
      while (!stopped.aborted) {
        if (session.signal.aborted) throw new LeadershipLost(this.#fault ?? session.signal.reason)
        this.#wake = new AbortController()
        try {
          await this.#work()
        } catch (error) {
          if (stopped.aborted) break
          if (error instanceof LeadershipLost) throw error
          events.reconcileFailed(error)
        }
        if (!stopped.aborted && !session.signal.aborted) await pause(lookEveryMs, this.#wake.signal)
      }
    } finally {
      session.signal.removeEventListener('abort', wake)
      stopped.removeEventListener('abort', wake)
      const attaching = Promise.all(this.#attaching.values())
      const done = new AbortController()
      await Promise.race([attaching, pause(stopMs, done.signal)])
      done.abort()
      this.#ended.abort()
    }
  }

  async #work(): Promise<void> {
    const { stopped, events } = this.#options
    for (let round = 0; round < roundsMax && !stopped.aborted; round++) {
      const startedAt = performance.now()
      const { nowMs, ...fleet } = await this.#queries.observe()
      const observedAt = performance.now()
      const watchedMs = this.#watch.look(observedAt, nowMs)
      const cloud = await this.#view.look()
      // The lists must not be older than the rest, nor the rest much older than the lists
      if (performance.now() - observedAt > staleMs) continue
      const { rules } = this.#options
      const { unansweredMs } = this.#view
      const plan = reconcile({ fleet, cloud, unansweredMs, watchedMs }, rules)
      events.observed(fleet, rules.deadMs)
      const changed = this.#options.dryRun ? this.#tell(plan) : await this.#apply(plan)
      await this.#note(plan)
      events.reconciled((performance.now() - startedAt) / 1000)
      if (!changed) break
    }
    if (performance.now() >= this.#upkeepAt) {
      this.#upkeepAt = performance.now() + upkeepEveryMs
      events.nodesForgotten(await this.#queries.forgetNodes())
    }
  }

  /** Whether anything changed that a new look would see. */
  async #apply({ actions }: Plan): Promise<boolean> {
    const { events } = this.#options
    let changed = false
    for (const action of actions)
      switch (action.kind) {
        case 'adopt':
          if (!(await this.#queries.adopt(action.ip.id, action.node))) break
          events.adopted(action.ip.address, action.node)
          changed = true
          break
        case 'begin': {
          const { ip, from, to, reason } = action
          if ((await this.#queries.begin(ip, from, to, reason)) === undefined) break
          events.begun(ip.address, from, to, reason)
          changed = true
          break
        }
        case 'redirect':
          if (!(await this.#queries.redirect(action.move.id, action.to, action.why))) break
          events.redirected(action.move, action.to, action.why)
          changed = true
          break
        case 'cancel':
          if (!(await this.#queries.cancel(action.move.id, action.why))) break
          events.cancelled(action.move, action.why)
          changed = true
          break
        case 'withdraw':
          if (!(await this.#queries.withdraw(action.move.id, action.why))) break
          events.cancelled(action.move, action.why)
          changed = true
          break
        case 'attach':
          this.#startAttach(action)
          break
        default:
          action satisfies never
      }
    return changed
  }

  #startAttach(action: Attach): void {
    const { id } = action.move
    if (this.#attaching.has(id) || this.#attaching.size >= attachesMax) return
    if (performance.now() < this.#quietUntil) return
    const attaching = this.#attach(action)
      .catch((error) => {
        this.#fault = error
        if (!(error instanceof LeadershipLost)) this.#options.events.reconcileFailed(error)
      })
      .finally(() => {
        this.#attaching.delete(id)
        this.#wake.abort()
      })
    this.#attaching.set(id, attaching)
  }

  async #attach({ move, ip, serverId }: Attach): Promise<void> {
    const { session, events } = this.#options
    if (!(await this.#queries.attempt(move.id, move.to))) return
    const signal = AbortSignal.any([session.signal, this.#ended.signal, AbortSignal.timeout(callMs)])
    try {
      await this.#provider.attach(ip.address, serverId, signal)
    } catch (error) {
      if (error instanceof LeadershipLost || session.signal.aborted) throw new LeadershipLost(error)
      await this.#failed(move, ip.address, error)
      return
    }
    this.#view.moved(ip.address, serverId)
    if (await this.#queries.finish(move.id, move.to)) events.moved(ip.address, move)
  }

  async #failed(move: Attach['move'], address: string, error: unknown): Promise<void> {
    const { events } = this.#options
    const fault = error instanceof ProviderError ? error : undefined
    const { kind = 'retry', status, retryAfterMs = status === 429 ? 5_000 : 0 } = fault ?? {}
    const pauseMs = Math.max(retryAfterMs, delayMs(kind, move.attempts))
    if (retryAfterMs > 0) this.#quietUntil = performance.now() + retryAfterMs
    if (kind === 'not_found') this.#view.expire()
    events.attachFailed(address, move, error)
    const text = error instanceof Error ? error.message : String(error)
    if (fault?.changedNothing && move.state === 'releasing')
      await this.#queries.postpone(move.id, text, pauseMs)
    else await this.#queries.retry(move.id, text, pauseMs)
  }

  /** Says what it would do, once. */
  #tell({ actions }: Plan): boolean {
    const text = JSON.stringify(actions)
    if (text !== this.#told && actions.length > 0) this.#options.events.wouldDo(actions)
    this.#told = text
    return false
  }

  async #note({ notes }: Plan): Promise<void> {
    const text = JSON.stringify(notes)
    if (text === this.#noted || notes.ips.length + notes.nodes.length === 0) return
    await this.#queries.note(notes)
    this.#noted = text
  }
}

/** The provider, asked only by whoever leads at that moment. */
function proved(provider: Provider, session: LeaderSession): Provider {
  return {
    name: provider.name,
    listAddresses: async (signal) => {
      await session.prove()
      return provider.listAddresses(signal)
    },
    listServers: async (signal) => {
      await session.prove()
      return provider.listServers(signal)
    },
    attach: async (address, serverId, signal) => {
      await session.prove()
      return provider.attach(address, serverId, signal)
    },
  }
}

/** Another try of one move; the others go on meanwhile. */
function delayMs(kind: ProviderError['kind'], attempts: number): number {
  const doubled = (fromMs: number, toMs: number) => Math.min(toMs, fromMs * 2 ** Math.min(attempts, 20))
  switch (kind) {
    case 'unfinished':
      return Math.min(10_000, 1_000 + 250 * attempts)
    case 'retry':
      return doubled(1_000, 60_000)
    case 'not_found':
      return doubled(5_000, 120_000)
    case 'refused':
      return doubled(15_000, 300_000)
    default:
      return kind satisfies never
  }
}

function staticFleet({ nodes, ips }: Fleet): StaticFleet {
  return { nodes, addresses: ips.map(({ address }) => address) }
}
