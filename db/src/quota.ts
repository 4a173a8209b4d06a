/**
 * Monthly quotas without a shared counter: a process reserves a block of an organization's month, counts against it in
 * memory, and every few seconds says that it goes on using it and gives back what it does not need. What is stored under a
 * block is written with the mail itself, so a quota is never exceeded, whichever process dies and whenever; what a dead one
 * had reserved is free again within a minute. Organizations without a quota never come here.
 */
import type { QuotaQueries, Renewal, Reserved } from './queries/quota.ts'

/** What became of the mail that a reservation was for. `unknown`: the link broke, it may be stored or not. */
export type Fate = 'stored' | 'refused' | 'unknown'

export type Reservation = {
  /** What the mail is stored under. */
  block: string
  settle(fate: Fate): void
}

/** The month has no room for it. */
export type QuotaUsedUp = { quota: number }

type Block = {
  id: string
  left: number
  /** Reservations that are not settled. */
  open: number
  /** performance.now() from when on nothing more is begun under it. */
  endsAt: number
  /** Not to be used any more; it ends by itself. */
  abandoned: boolean
}

type Asker = {
  recipients: number
  resolve: (outcome: Reservation | QuotaUsedUp | undefined) => void
  reject: (error: unknown) => void
}

type Tenant = {
  block: Block | undefined
  askers: Asker[]
  asking: boolean
  askedAt: number
  /** To reserve beyond the need: grows while blocks are used up at once, shrinks with what is used. */
  spare: number
  usedSinceTick: number
}

/** A block is not used up to its very end: the mail has to be stored before. */
const marginMs = 5_000
const spareMax = 20_000
/** Reserving again within this time means that blocks are too small. */
const soonMs = 1_000

export class Quota {
  readonly #queries: QuotaQueries
  readonly #process: string
  readonly #tenants = new Map<string, Tenant>()

  constructor(queries: QuotaQueries, process: string) {
    this.#queries = queries
    this.#process = process
  }

  /** Whether no organization has anything reserved or asked for. */
  get idle(): boolean {
    return this.#tenants.size === 0
  }

  /**
   * Reserves recipients of an organization's month. Undefined: it has no quota (any more). Rejects with the database's
   * error. At once, without a promise, while the block at hand suffices.
   */
  take(
    organizationId: string,
    recipients: number,
  ): Reservation | Promise<Reservation | QuotaUsedUp | undefined> {
    let tenant = this.#tenants.get(organizationId)
    if (!tenant) {
      tenant = { block: undefined, askers: [], asking: false, askedAt: 0, spare: 0, usedSinceTick: 0 }
      this.#tenants.set(organizationId, tenant)
    }
    const block = usable(tenant)
    if (block && tenant.askers.length === 0 && block.left >= recipients)
      return reservation(tenant, block, recipients)
    const { askers } = tenant
    const outcome = new Promise<Reservation | QuotaUsedUp | undefined>((resolve, reject) => {
      askers.push({ recipients, resolve, reject })
    })
    void this.#ask(organizationId, tenant)
    return outcome
  }

  /** To be called every few seconds: keeps what is used, gives back what is not. Rejects with the database's error. */
  async renew(): Promise<void> {
    const renewals: Renewal[] = []
    const kept: Block[] = []
    for (const [organizationId, tenant] of this.#tenants) {
      const expected = tenant.usedSinceTick * 2
      tenant.usedSinceTick = 0
      tenant.spare = Math.min(tenant.spare, expected)
      const block = usable(tenant)
      if (!block) {
        if (tenant.askers.length === 0 && !tenant.asking) this.#tenants.delete(organizationId)
        continue
      }
      // A block that is being added to is left alone
      const back = tenant.asking ? 0 : Math.max(block.left - expected, 0)
      block.left -= back
      const close = expected === 0 && block.open === 0 && !tenant.asking
      if (close) tenant.block = undefined
      else kept.push(block)
      renewals.push({ id: block.id, back, close })
    }
    await this.#renew(renewals, kept)
  }

  /** Gives everything back. To be called when all reservations are settled. */
  async stop(): Promise<void> {
    const blocks = [...this.#tenants.values()].flatMap(({ block }) => block ?? [])
    this.#tenants.clear()
    await this.#renew(
      blocks
        .filter(({ open, abandoned }) => open === 0 && !abandoned)
        .map(({ id, left }) => ({ id, back: left, close: true })),
      [],
    )
  }

  async #renew(renewals: readonly Renewal[], kept: readonly Block[]): Promise<void> {
    if (renewals.length === 0) return
    const askedAt = performance.now()
    try {
      const lives = await this.#queries.renew(this.#process, renewals)
      const seconds = new Map(lives.map((life) => [life.block, life.seconds]))
      for (const block of kept) {
        const left = seconds.get(block.id)
        if (left === undefined) block.abandoned = true
        else block.endsAt = endOf(askedAt, left)
      }
    } catch (error) {
      // Whether it has been given back is not known, so it is not used any more either
      for (const block of kept) block.abandoned = true
      throw error
    }
  }

  /** One question at a time for each organization; who comes meanwhile is part of the next. */
  async #ask(organizationId: string, tenant: Tenant): Promise<void> {
    if (tenant.asking) return
    tenant.asking = true
    while (tenant.askers.length > 0) {
      const askers = tenant.askers.splice(0)
      try {
        this.#serve(tenant, askers, await this.#reserve(organizationId, tenant, askers))
      } catch (error) {
        for (const { reject } of askers) reject(error)
      }
    }
    tenant.asking = false
  }

  async #reserve(
    organizationId: string,
    tenant: Tenant,
    askers: readonly Asker[],
  ): Promise<Reserved & { at: number }> {
    const at = performance.now()
    const block = usable(tenant)
    const total = askers.reduce((sum, { recipients }) => sum + recipients, 0)
    if (at - tenant.askedAt < soonMs) tenant.spare = Math.min(Math.max(tenant.spare, total) * 2, spareMax)
    tenant.askedAt = at
    const need = Math.max(total - (block?.left ?? 0), 0)
    const reserved = await this.#queries.reserve(
      organizationId,
      this.#process,
      block?.id ?? null,
      need,
      tenant.spare,
    )
    return { ...reserved, at }
  }

  #serve(
    tenant: Tenant,
    askers: readonly Asker[],
    { block: id, granted, seconds, quota, at }: Reserved & { at: number },
  ): void {
    if (quota === null) {
      for (const { resolve } of askers) resolve(undefined)
      return
    }
    if (id !== null) {
      if (tenant.block?.id !== id || tenant.block.abandoned)
        tenant.block = { id, left: 0, open: 0, endsAt: 0, abandoned: false }
      tenant.block.left += granted!
      tenant.block.endsAt = endOf(at, seconds!)
    }
    for (const { recipients, resolve } of askers) {
      const { block } = tenant
      resolve(block && block.left >= recipients ? reservation(tenant, block, recipients) : { quota })
    }
  }
}

function usable({ block }: Tenant): Block | undefined {
  return block && !block.abandoned && performance.now() < block.endsAt ? block : undefined
}

function endOf(askedAt: number, seconds: number): number {
  return askedAt + seconds * 1000 - marginMs
}

function reservation(tenant: Tenant, block: Block, recipients: number): Reservation {
  block.left -= recipients
  block.open++
  tenant.usedSinceTick += recipients
  return {
    block: block.id,
    settle: (fate) => {
      block.open--
      if (fate === 'refused') block.left += recipients
      if (fate === 'unknown') block.abandoned = true
    },
  }
}
