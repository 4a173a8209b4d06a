/**
 * Whether mail may be accepted now: the organization's status → the rates of the project and the key → the month's quota.
 * All in memory, by limits that are at most five seconds old; what has no limit costs a look into a map.
 */
import { randomBytes } from 'node:crypto'
import type { Sql } from './client.ts'
import { type ProjectLimits, QuotaQueries } from './queries/quota.ts'
import { type Fate, Quota, type Reservation } from './quota.ts'
import type { Submission } from './submitter.ts'
import { TokenBucket } from './token-bucket.ts'

export type AdmissionRefusal = 'no_receiving' | 'frozen' | 'rate' | 'monthly_quota'

/** Mail is refused by a limit; the message is public. */
export class AdmissionError extends Error {
  override name = 'AdmissionError'
  readonly refusal: AdmissionRefusal
  /** When it may be accepted; null where no time is known. */
  readonly retryAfterMs: number | null

  constructor(refusal: AdmissionRefusal, message: string, retryAfterMs: number | null = null) {
    super(message)
    this.refusal = refusal
    this.retryAfterMs = retryAfterMs
  }
}

/** What was let in; `settle` says what became of it. */
export type Admitted = {
  /** The block of quota to store it under. */
  block: string | null
  settle(fate: Fate): void
}

export type AdmissionOptions = {
  sql: Sql
  /** The app; the process is told from others of it by a random part. */
  name: string
  /** Blocks could not be renewed or shares not be asked for; it is tried again, and blocks end by themselves. */
  onError: (error: unknown) => void
}

type Known = { at: number; limits: ProjectLimits; asked: boolean }
type Rate = { bucket: TokenBucket; perSecond: number; processes: number; used: boolean }

/** How long limits and statuses are believed. */
const limitsTtlMs = 5_000
/** From this age on they are asked for anew while mail still goes by the old ones. */
const refreshFromMs = 3_500
const tickMs = 5_000
const knownMax = 50_000
const free: Admitted = { block: null, settle: () => {} }

export class Admission {
  readonly #queries: QuotaQueries
  readonly #quota: Quota
  readonly #process: string
  readonly #onError: (error: unknown) => void
  readonly #known = new Map<string, Known>()
  readonly #rates = new Map<string, Rate>()
  /** Projects to ask for, all in one query. */
  #wanted = new Map<string, PromiseWithResolvers<ProjectLimits | undefined>>()
  #timer: NodeJS.Timeout | undefined
  #ticking: Promise<void> | undefined
  #stopped = false

  constructor({ sql, name, onError }: AdmissionOptions) {
    this.#queries = new QuotaQueries(sql)
    this.#process = `${name}-${randomBytes(8).toString('hex')}`
    this.#quota = new Quota(this.#queries, this.#process)
    this.#onError = onError
  }

  /**
   * Lets mail of one project in, all of it or none. Throws, or rejects with, AdmissionError, or the database's error. Whoever
   * is let in says by `settle` what became of the mail.
   */
  admit(submissions: readonly Submission[]): Admitted | Promise<Admitted> {
    const { projectId } = submissions[0]!
    const known = this.#known.get(projectId)
    const age = known ? performance.now() - known.at : Number.POSITIVE_INFINITY
    if (!known || age >= limitsTtlMs)
      return this.#look(projectId).then((limits) => (limits ? this.#decide(submissions, limits) : free))
    if (age >= refreshFromMs && !known.asked) {
      known.asked = true
      this.#look(projectId).catch(() => {})
    }
    return this.#decide(submissions, known.limits)
  }

  /** Gives back what is reserved. To be called when nothing is being stored any more; never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#ticking
    await this.#quota.stop().catch(this.#onError)
  }

  #decide(submissions: readonly Submission[], limits: ProjectLimits): Admitted | Promise<Admitted> {
    const { organizationId, projectId, keyId, test } = submissions[0]!
    const { status, monthlyRecipients, recipientsPerSecond, keyRecipientsPerSecond } = limits
    if (status === 'frozen' || status === 'no_receiving') throw stopped(status, limits.statusReason)
    if (
      test ||
      (monthlyRecipients === null && recipientsPerSecond === null && !(keyId && keyRecipientsPerSecond))
    )
      return free

    const recipients = submissions.reduce((sum, each) => sum + each.recipients.length, 0)
    const buckets: TokenBucket[] = []
    const giveBack = () => {
      for (const bucket of buckets) bucket.giveBack(recipients)
    }
    for (const [owner, perSecond] of [
      [projectId, recipientsPerSecond],
      [keyId, keyRecipientsPerSecond],
    ] as const) {
      if (!owner || perSecond === null) continue
      const bucket = this.#bucket(owner, perSecond)
      const waitMs = bucket.take(recipients, performance.now())
      if (waitMs > 0) {
        giveBack()
        throw new AdmissionError(
          'rate',
          `Too much mail at once: the limit is ${perSecond} recipients a second.`,
          waitMs,
        )
      }
      buckets.push(bucket)
    }
    const withQuota = (reserved: Reservation): Admitted => ({
      block: reserved.block,
      settle: (fate) => {
        reserved.settle(fate)
        if (fate === 'refused') giveBack()
      },
    })
    if (monthlyRecipients === null) return { block: null, settle: (fate) => fate === 'refused' && giveBack() }

    this.#startTicking()
    const taken = this.#quota.take(organizationId, recipients)
    if (!(taken instanceof Promise)) return withQuota(taken)
    return taken.then(
      (outcome) => {
        if (outcome === undefined) return free
        if ('block' in outcome) return withQuota(outcome)
        giveBack()
        throw usedUp(outcome.quota)
      },
      (error) => {
        giveBack()
        throw error
      },
    )
  }

  /** This process's part of the rate. */
  #bucket(owner: string, perSecond: number): TokenBucket {
    let rate = this.#rates.get(owner)
    if (!rate) {
      rate = { bucket: new TokenBucket(perSecond, performance.now()), perSecond, processes: 1, used: true }
      this.#rates.set(owner, rate)
      // At once, because others may use it already
      void this.#share([owner])
    }
    if (rate.perSecond !== perSecond) {
      rate.perSecond = perSecond
      rate.bucket.setRate(perSecond / rate.processes, performance.now())
    }
    rate.used = true
    this.#startTicking()
    return rate.bucket
  }

  #look(projectId: string): Promise<ProjectLimits | undefined> {
    let wanted = this.#wanted.get(projectId)
    if (!wanted) {
      wanted = Promise.withResolvers()
      if (this.#wanted.size === 0) setImmediate(() => void this.#lookUp())
      this.#wanted.set(projectId, wanted)
    }
    return wanted.promise
  }

  async #lookUp(): Promise<void> {
    const wanted = this.#wanted
    this.#wanted = new Map()
    const at = performance.now()
    try {
      const found = new Map(
        (await this.#queries.limits([...wanted.keys()])).map((limits) => [limits.projectId, limits]),
      )
      if (this.#known.size > knownMax) this.#known.clear()
      for (const [projectId, { resolve }] of wanted) {
        const limits = found.get(projectId)
        if (limits) this.#known.set(projectId, { at, limits, asked: false })
        else this.#known.delete(projectId)
        resolve(limits)
      }
    } catch (error) {
      for (const [projectId, { reject }] of wanted) {
        const known = this.#known.get(projectId)
        if (known) known.asked = false
        reject(error)
      }
    }
  }

  #startTicking(): void {
    if (this.#stopped) return
    this.#timer ??= setTimeout(() => {
      this.#ticking = this.#tick().catch(this.#onError)
      void this.#ticking.then(() => {
        this.#timer = undefined
        if (this.#rates.size > 0 || !this.#quota.idle) this.#startTicking()
      })
    }, tickMs).unref()
  }

  async #tick(): Promise<void> {
    const owners: string[] = []
    for (const [owner, rate] of this.#rates) {
      if (rate.used) owners.push(owner)
      else this.#rates.delete(owner)
      rate.used = false
    }
    await Promise.all([this.#quota.renew(), this.#share(owners)])
  }

  async #share(owners: readonly string[]): Promise<void> {
    if (owners.length === 0) return
    try {
      for (const { ownerId, processes } of await this.#queries.shares(this.#process, owners)) {
        const rate = this.#rates.get(ownerId)
        if (!rate || rate.processes === processes) continue
        rate.processes = processes
        rate.bucket.setRate(rate.perSecond / processes, performance.now())
      }
    } catch (error) {
      this.#onError(error)
    }
  }
}

function stopped(status: 'frozen' | 'no_receiving', reason: string | null): AdmissionError {
  const why = reason ? `: ${reason}` : ''
  return new AdmissionError(
    status,
    status === 'frozen'
      ? `This organization is frozen${why}.`
      : `This organization may not submit mail${why}.`,
  )
}

function usedUp(quota: number): AdmissionError {
  const now = new Date()
  const next = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1))
  return new AdmissionError(
    'monthly_quota',
    `The quota of ${quota} recipients a month is used up until ${next.toISOString().slice(0, 16).replace('T', ' ')} UTC.`,
    next.getTime() - now.getTime(),
  )
}
