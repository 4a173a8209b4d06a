/**
 * The MTA-STS policies of recipient domains (RFC 8461). A policy that was seen binds until it expires, whatever becomes of
 * DNS and HTTPS meanwhile, and survives restarts in Postgres. It is renewed in the background; only a domain's first mail,
 * and the first after the domain has announced another policy, waits for the fetch, and not for long.
 */
import type { StoredPolicy } from '@postel/db/queries/tls'
import { type FetchOptions, fetchPolicy, PolicyFetchError } from './mta-sts-fetch.ts'
import { parseStsPolicy, readStsRecord, type StsPolicy } from './mta-sts-policy.ts'
import type { Resolver } from './resolver.ts'
import type { TlsResult } from './tls-policy.ts'

export type StsPoliciesOptions = FetchOptions & {
  resolver: Resolver
  store: {
    /** Policies that have not expired and were fetched since. */
    load(since: Date): Promise<StoredPolicy[]>
    save(policy: StoredPolicy): Promise<void>
  }
  onError: (error: unknown) => void
  /** How long a first mail waits. */
  waitMs?: number
  upkeepEveryMs?: number
}

/**
 * The policy in force; `fault` where there is a record, and no policy could be had; `unknown` where there may be a policy
 * all the same, or still: only without both is it sure that there is none.
 */
export type StsLookup = { policy: StsPolicy | undefined; fault: TlsResult | undefined; unknown: boolean }

/** Mail waits until then and no longer (performance.now()), however long the fetch takes. */
type Fetching = { done: Promise<void>; waitUntil: number }
type Known = { policy: StsPolicy; fetchedAt: number; expiresAt: number }
/** This process's last fetch for a domain; `fault`: why it brought no policy. */
type Fetch = { at: number; fault: TlsResult | undefined }

const defaultWaitMs = 5_000
/** No domain is asked again before, whether it failed (RFC 8461 §3.3) or announces one policy after another. */
const fetchAgainMs = 5 * 60_000
/** Where the policy did not live that long. */
const expiredAgainMs = 30_000
const refreshAfterMs = 24 * 3_600_000
const defaultUpkeepEveryMs = 10 * 60_000
const refreshesPerUpkeep = 50
const fetchesMax = 50_000
/** Other processes' clocks. */
const clockDifferenceMs = 10 * 60_000

export class StsPolicies {
  readonly #options: StsPoliciesOptions
  readonly #known = new Map<string, Known>()
  readonly #fetching = new Map<string, Fetching>()
  readonly #fetches = new Map<string, Fetch>()
  #loadedUpTo = new Date(0)
  #timer: NodeJS.Timeout | undefined
  #upkeeping = false
  #stopped = false

  constructor(options: StsPoliciesOptions) {
    this.#options = options
  }

  /** Reads what is known from before; rejects when the database cannot be asked. */
  async start(): Promise<void> {
    await this.#load()
    this.#timer = setInterval(() => void this.#upkeep(), this.#options.upkeepEveryMs ?? defaultUpkeepEveryMs)
    this.#timer.unref()
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
  }

  /** Never rejects; waits a few seconds at most, and only for a policy that was never seen. */
  async lookUp(domain: string): Promise<StsLookup> {
    const announced = await this.#announced(domain)
    const id = announced?.id
    const known = this.#current(domain)
    const mayFetch = this.#mayFetch(domain)
    if (id !== undefined && id !== known?.policy.id && mayFetch) {
      const { done, waitUntil } = this.#fetch(domain, id)
      await Promise.race([done, pause(waitUntil - performance.now())])
    } else if (known && isOld(known) && mayFetch) {
      this.#fetch(domain, id ?? known.policy.id)
    }
    const policy = this.#current(domain)?.policy
    // Without a record nobody has asked for anything
    const fault = policy || id === undefined ? undefined : this.#fetches.get(domain)?.fault
    return { policy, fault, unknown: announced ? id !== undefined && id !== policy?.id : !policy }
  }

  /**
   * The id in the domain's TXT record, undefined in it without one. A name server that does not answer says nothing, so
   * what is known stays.
   */
  async #announced(domain: string): Promise<{ id: string | undefined } | undefined> {
    const asked = this.#options.resolver.lookUp(`_mta-sts.${domain}`, 'TXT').catch(() => undefined)
    const lookup = await Promise.race([asked, pause(this.#options.waitMs ?? defaultWaitMs)])
    return lookup && { id: readStsRecord(lookup.records) }
  }

  #mayFetch(domain: string): boolean {
    const last = this.#fetches.get(domain)
    if (!last) return true
    const hasExpired = last.fault === undefined && !this.#current(domain)
    return Date.now() - last.at > (hasExpired ? expiredAgainMs : fetchAgainMs)
  }

  #current(domain: string): Known | undefined {
    const known = this.#known.get(domain)
    if (known && known.expiresAt > Date.now()) return known
    this.#known.delete(domain)
    return undefined
  }

  #fetch(domain: string, id: string): Fetching {
    let fetching = this.#fetching.get(domain)
    if (!fetching) {
      const done = this.#fetchNow(domain, id).finally(() => this.#fetching.delete(domain))
      fetching = { done, waitUntil: performance.now() + (this.#options.waitMs ?? defaultWaitMs) }
      this.#fetching.set(domain, fetching)
    }
    return fetching
  }

  async #fetchNow(domain: string, id: string): Promise<void> {
    try {
      const text = await fetchPolicy(domain, this.#options)
      const policy = parseStsPolicy(text, id)
      if (!policy) throw new PolicyFetchError('The policy file is not a policy', 'sts-policy-invalid')
      this.#remember(domain, undefined)
      const fetchedAt = Date.now()
      const expiresAt = fetchedAt + policy.maxAgeSeconds * 1000
      this.#known.set(domain, { policy, fetchedAt, expiresAt })
      await this.#options.store
        .save({
          domain,
          policyId: id,
          policy: text,
          fetchedAt: new Date(fetchedAt),
          expiresAt: new Date(expiresAt),
        })
        .catch(this.#options.onError)
    } catch (error) {
      this.#remember(domain, error instanceof PolicyFetchError ? error.result : 'sts-policy-fetch-error')
    }
  }

  #remember(domain: string, fault: TlsResult | undefined): void {
    this.#fetches.delete(domain)
    if (this.#fetches.size >= fetchesMax) this.#fetches.delete(this.#fetches.keys().next().value!)
    this.#fetches.set(domain, { at: Date.now(), fault })
  }

  /** What other processes have fetched, and what grows old here, mailed to or not (RFC 8461 §3.3). */
  async #upkeep(): Promise<void> {
    if (this.#upkeeping) return
    this.#upkeeping = true
    try {
      await this.#load()
    } catch (error) {
      this.#options.onError(error)
    }
    for (const domain of this.#known.keys()) this.#current(domain)
    const old = [...this.#known].filter(([domain, known]) => isOld(known) && this.#mayFetch(domain))
    // Who was asked longest ago comes first, so that dead policy hosts do not keep the others from their turn
    const askedAt = ([domain]: [string, Known]) => this.#fetches.get(domain)?.at ?? 0
    old.sort((one, other) => askedAt(one) - askedAt(other))
    for (const [domain, { policy }] of old.slice(0, refreshesPerUpkeep)) {
      if (this.#stopped) break
      await this.#fetch(domain, policy.id).done
    }
    this.#upkeeping = false
  }

  async #load(): Promise<void> {
    const stored = await this.#options.store.load(new Date(this.#loadedUpTo.getTime() - clockDifferenceMs))
    for (const { domain, policyId, policy: text, fetchedAt, expiresAt } of stored) {
      const policy = parseStsPolicy(text, policyId)
      const known = this.#known.get(domain)
      if (policy && (!known || known.fetchedAt < fetchedAt.getTime()))
        this.#known.set(domain, { policy, fetchedAt: fetchedAt.getTime(), expiresAt: expiresAt.getTime() })
      if (fetchedAt > this.#loadedUpTo) this.#loadedUpTo = fetchedAt
    }
  }
}

/** Renewed each day, and in the second half of a shorter life. */
function isOld({ policy, fetchedAt }: Known): boolean {
  return Date.now() - fetchedAt > Math.min(refreshAfterMs, policy.maxAgeSeconds * 500)
}

function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref())
}
