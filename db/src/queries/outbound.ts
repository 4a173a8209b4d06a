/** What an outbound process asks of Postgres: holds, work, bodies, outcomes. Direct connections, never a pooler. */
import { withDeadline } from '@postel/runtime/health'
import { BodyClient } from '../body-client.ts'
import { connect, type Sql } from '../client.ts'
import { sqlState } from '../errors.ts'
import {
  type Descriptor,
  type LoadedMessage,
  type LoadRow,
  loadStatement,
  takeStatement,
  toDescriptor,
  toMessage,
  uuidFloor,
} from './outbound-rows.ts'

export type { Descriptor, LoadedMessage, MessageDetails } from './outbound-rows.ts'

/** A source IP that this process holds. */
export type HeldIp = {
  ipId: number
  address: string
  ehloName: string | null
  state: string
  /** Just acquired, from a process whose hold had run out. */
  takenOver?: boolean
}

export type RecipientOutcome = {
  number: number
  outcome: 'delivered' | 'deferred' | 'bounced'
  code: number | null
  enhancedCode: string | null
  category: string | null
  reply: string
}

/** What became of one queue row. */
export type Outcome = {
  id: number
  ipId: number
  messageId: string
  /** performance.now() when the try began. */
  startedAt: number
  durationMs: number
  mxHost: string | null
  mxAddress: string | null
  tls: string | null
  /** The final dot was sent and no reply was seen. */
  inDoubt: boolean
  /** Seconds that the remote asked us to wait. */
  retryAfter: number | null
  recipients: RecipientOutcome[]
}

/** Projects, and recipient domains (`*.example.com` for all below one), whose mail stays in the table; or everything. */
export type Suspended = { projects: readonly string[]; domains: readonly string[]; all: boolean }

export type DkimKeyRow = { selector: string; algorithm: string; privateKey: Buffer }

/** A verified domain as a project sends from it. */
export type SendingDomain = {
  name: string
  /** The envelope sender's domain, once its records are in DNS. */
  returnPathHost: string | null
  keys: DkimKeyRow[]
  /** By the database's clock. */
  readAt: Date
}

const holdSeconds = 30

// Small batches by key into tables whose statistics change by the second: never let a plan scan them.
const byKeyOnly = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_sort: 'off',
}

// For statements that name their order and their keys, so that no plan can be wrong: planning them anew for each batch, as
// Postgres would because of the partitions, costs 0.9 ms, running them 0.15.
const planOnce = { ...byKeyOnly, enable_memoize: 'off', plan_cache_mode: 'force_generic_plan' }

/** The server cancels its statements after 30 s; a link that went silent is given up after this. */
const holdDeadlineMs = 8_000
const recordDeadlineMs = 40_000

export class OutboundQueries {
  readonly #url: string
  readonly #sql: Sql
  /** For what is asked for each hint. */
  readonly #reader: Sql
  #holds: Sql
  #record: Sql
  readonly #bodies: BodyClient

  constructor(url: string) {
    this.#url = url
    this.#sql = connect(url, { name: 'postel-outbound', max: 2, settings: byKeyOnly })
    this.#reader = connect(url, { name: 'postel-outbound-read', max: 1, settings: planOnce })
    this.#holds = this.#connectHolds()
    this.#record = this.#connectRecord()
    this.#bodies = new BodyClient({
      url,
      name: 'postel-outbound-load',
      statementTimeoutMs: 30_000,
      settings: planOnce,
    })
  }

  async stop(): Promise<void> {
    await this.#bodies.stop()
    await this.#reader.end({ timeout: 5 })
    await this.#sql.end({ timeout: 5 })
    await this.#holds.end({ timeout: 5 })
    await this.#record.end({ timeout: 5 })
  }

  // Outcomes and holds have connections of their own: they must not wait behind a scan.
  #connectRecord(): Sql {
    return connect(this.#url, {
      name: 'postel-outbound-record',
      max: 1,
      settings: { synchronous_commit: 'on' },
    })
  }

  #connectHolds(): Sql {
    return connect(this.#url, { name: 'postel-outbound-holds', max: 1, statementTimeoutMs: 7_000 })
  }

  async #withHolds<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const sql = this.#holds
    try {
      return await withDeadline(work(sql), holdDeadlineMs)
    } catch (error) {
      if (sqlState(error) === undefined && this.#holds === sql) {
        this.#holds = this.#connectHolds()
        void sql.end({ timeout: 0 })
      }
      throw error
    }
  }

  /** The pool, for health checks. */
  get sql(): Sql {
    return this.#sql
  }

  /** Takes the holds that are free among the addresses of this node; see postel.acquire_ips. */
  acquire(processId: string, nodeName: string, addresses: readonly string[]): Promise<HeldIp[]> {
    return this.#withHolds(
      async (sql) => sql<HeldIp[]>`
        select
          a.ip_id as "ipId", host(a.address) as address, a.ehlo_name as "ehloName", a.state, a.epoch > 1 as "takenOver"
        from postel.acquire_ips(${processId}, ${nodeName}, ${addresses as string[]}::inet[], ${holdSeconds}) as a`,
    )
  }

  /** Extends the holds; what is missing from the answer is lost. See postel.renew_ips. */
  renew(processId: string): Promise<HeldIp[]> {
    // A lost renewal is renewed again in seconds, so it need not wait for the disk.
    return this.#withHolds(
      async (sql) => sql<HeldIp[]>`
        select r.ip_id as "ipId", host(a.address) as address, r.ehlo_name as "ehloName", r.state
        from (select set_config('synchronous_commit', 'off', true)) as s
        cross join postel.renew_ips(${processId}, ${holdSeconds}) as r
        join postel.ip_addresses a on a.id = r.ip_id`,
    )
  }

  /** Gives IPs back, or all of them and the process's row with them. */
  async release(processId: string, ipIds: readonly number[] | null): Promise<void> {
    await this.#sql`select postel.release_ips(${processId}, ${ipIds as number[] | null})`
  }

  /** Writes down which rows are in flight, for whoever takes over from this process. */
  async reportInFlight(processId: string, ids: readonly number[]): Promise<void> {
    await this.#sql`
      with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
      update postel.outbound_processes p set in_flight = ${ids as number[]}::bigint[]
      from relaxed
      where p.id = ${processId}`
  }

  /** Most of the time nothing is suspended, and the statement need not know of it. */
  #notSuspended({ projects, domains, all }: Suspended) {
    if (all) return this.#sql`and false`
    if (projects.length === 0 && domains.length === 0) return this.#sql``
    const exact = domains.filter((domain) => !domain.startsWith('*.'))
    const below = domains.filter((domain) => domain.startsWith('*.')).map((domain) => domain.slice(1))
    return this.#sql`
      and q.project_id <> all (${projects as string[]}::uuid[]) and q.domain <> all (${exact}::text[])
      and not exists (select from unnest(${below}::text[]) as b (ending) where right(q.domain, length(b.ending)) = b.ending)`
  }

  /** The next rows of each IP behind its cursor, in order of id, at most `limit` an IP. */
  after(cursors: readonly { ipId: number; after: number }[], limit: number): Promise<Descriptor[]> {
    return this.#reader<Descriptor[]>`
      select
        q.id::float8 as id, q.ip_id as "ipId", q.project_id as "projectId", q.domain, q.priority, q.size_bytes as "sizeBytes",
        q.message_id as "messageId"
      from unnest(${cursors.map((c) => c.ipId)}::int[], ${cursors.map((c) => c.after)}::bigint[]) as c (ip_id, after)
      cross join lateral (
        select * from postel.queue q
        where q.ip_id = c.ip_id and q.id > c.after
        order by q.id
        limit ${limit}
      ) as q
      order by q.id`
  }

  /**
   * The same with the bodies of what was submitted in the last hour, for a process that has nothing else to do: it saves
   * an idle system the second query. Large messages come without their bodies, as from after().
   */
  async take(
    cursors: readonly { ipId: number; after: number }[],
    limit: number,
  ): Promise<(Descriptor | LoadedMessage)[]> {
    const now = Date.now()
    const rows = await this.#bodies.query<LoadRow>(
      takeStatement,
      [
        cursors.map((cursor) => cursor.ipId),
        cursors.map((cursor) => cursor.after),
        limit,
        uuidFloor(now - 3_600_000),
        uuidFloor(now + 3_600_000),
      ],
      { binary: true },
    )
    return rows.map((row) => (row.body === null ? toDescriptor(row) : toMessage(row)))
  }

  /** The next rows of one lane behind an id: a lane that was over its bound in memory is filled up from here. */
  lane(
    lane: { ipId: number; projectId: string; domain: string; priority: number },
    after: number,
    limit: number,
  ): Promise<Descriptor[]> {
    return this.#sql<Descriptor[]>`
      select
        q.id::float8 as id, q.ip_id as "ipId", q.project_id as "projectId", q.domain, q.priority, q.size_bytes as "sizeBytes",
        q.message_id as "messageId"
      from postel.queue q
      where q.ip_id = ${lane.ipId} and q.project_id = ${lane.projectId} and q.domain = ${lane.domain}
        and q.id > ${after} and q.priority = ${lane.priority}
      order by q.id
      limit ${limit}`
  }

  /**
   * All ids of an IP in a range, to be compared with memory, because a lower id may become visible after a higher one. Of
   * an overflowing lane only those up to where it stopped, of what is suspended none. One text, because tens of thousands are read each
   * second.
   */
  async idsBetween(
    ipId: number,
    after: number,
    upTo: number,
    overflowing: {
      projects: readonly string[]
      priorities: readonly number[]
      domains: readonly string[]
      stops: readonly number[]
    },
    suspended: Suspended,
  ): Promise<number[]> {
    const [row] = await this.#sql<{ ids: string | null }[]>`
      select string_agg(q.id::text, ',') as ids
      from postel.queue q
      where q.ip_id = ${ipId} and q.id > ${after} and q.id <= ${upTo}
        and not exists (
          select
          from unnest(
            ${overflowing.projects as string[]}::uuid[], ${overflowing.priorities as number[]}::smallint[],
            ${overflowing.domains as string[]}::text[], ${overflowing.stops as number[]}::bigint[]
          ) as o (project_id, priority, domain, stop)
          where o.project_id = q.project_id and o.priority = q.priority and o.domain = q.domain and q.id > o.stop
        ) ${this.#notSuspended(suspended)}`
    return row?.ids ? row.ids.split(',').map(Number) : []
  }

  /** The descriptors of these rows, as far as they are still in the queue. */
  byIds(ipId: number, ids: readonly number[]): Promise<Descriptor[]> {
    return this.#sql<Descriptor[]>`
      select
        q.id::float8 as id, q.ip_id as "ipId", q.project_id as "projectId", q.domain, q.priority, q.size_bytes as "sizeBytes",
        q.message_id as "messageId"
      from postel.queue q
      where q.ip_id = ${ipId} and q.id = any (${ids as number[]}::bigint[])
      order by q.id`
  }

  /**
   * Loads rows with their bodies. A row that is not answered has left the queue, or this IP: a person held,
   * cancelled or moved it.
   */
  async load(descriptors: readonly Descriptor[]): Promise<LoadedMessage[]> {
    const messageIds = descriptors.map((descriptor) => descriptor.messageId).sort()
    const rows = await this.#bodies.query<LoadRow>(
      loadStatement,
      [
        descriptors.map((descriptor) => descriptor.ipId),
        descriptors.map((descriptor) => descriptor.id),
        messageIds[0],
        messageIds[messageIds.length - 1],
      ],
      { binary: true },
    )
    return rows.map(toMessage)
  }

  /** Records what became of rows; see postel.record_outcomes. Rejects when the database did not commit it. */
  async record(outcomes: readonly Outcome[]): Promise<{ due: Date[]; events: string[] }> {
    const messageIds = outcomes.map((outcome) => outcome.messageId)
    const json = outcomesJson(outcomes)
    const sql = this.#record
    const statement = sql<{ due: Date[] | null; events: unknown[] | null }[]>`
      select r.due, r.events
      from postel.record_outcomes(
        ${json}::text::json, clock_timestamp(), ${messageIds}::uuid[]
      ) as r`
    const [row] = await withDeadline(statement, recordDeadlineMs).catch((error) => {
      if (sqlState(error) === undefined && this.#record === sql) {
        this.#record = this.#connectRecord()
        void sql.end({ timeout: 0 })
      }
      throw error
    })
    return { due: row!.due ?? [], events: (row!.events ?? []).map((event) => JSON.stringify(event)) }
  }

  /** Counts a try that this system failed on; see postel.fail_rows. */
  async failRow(row: Pick<Descriptor, 'id' | 'ipId'>, reason: string, inDoubt: boolean): Promise<void> {
    const held = `failed five times: look at the message, then release or cancel it; ${reason}`
    await this.#sql`
      select postel.fail_rows(
        array[${row.ipId}::int], array[${row.id}::bigint], ${reason}, ${held}, ${inDoubt}
      )`
  }

  /** Records recipients that are final of a row whose others are still being sent; see postel.record_part. */
  async recordPart(outcome: Outcome): Promise<{ events: string[] }> {
    const [row] = await this.#sql<{ events: unknown[] | null }[]>`
      select postel.record_part(${outcomesJson([outcome])}::text::json) as events`
    return { events: (row!.events ?? []).map((event) => JSON.stringify(event)) }
  }

  /**
   * What mail of the project that is to be signed by a domain leaves with: the newest active key of each algorithm (a new one
   * signs as soon as it is active, the other may stay so meanwhile). Undefined when the project may not send from the domain.
   */
  async sendingDomain(projectId: string, domain: string): Promise<SendingDomain | undefined> {
    const rows = await this.#sql<
      (Omit<SendingDomain, 'keys'> & { [Key in keyof DkimKeyRow]: DkimKeyRow[Key] | null })[]
    >`
      select distinct on (k.algorithm)
        d.name, case when d.return_path_verified_at is not null then d.return_path || '.' || d.name end as "returnPathHost",
        now() as "readAt", k.selector, k.algorithm, k.private_key as "privateKey"
      from postel.projects p
      join postel.domains d
        on d.organization_id = p.organization_id and (d.project_id is null or d.project_id = p.id)
      left join postel.dkim_keys k on k.domain_id = d.id and k.active
      where p.id = ${projectId} and d.name = ${domain} and d.status = 'verified'
      order by k.algorithm desc, k.created_at desc, k.id desc`
    const [first] = rows
    if (!first) return undefined
    const { name, returnPathHost, readAt } = first
    return {
      name,
      returnPathHost,
      readAt,
      keys: rows.filter(({ selector }) => selector !== null) as DkimKeyRow[],
    }
  }

  /** Holds all mail of the project's organization that waits for a domain that is not verified; see postel.hold_unverified. */
  async holdUnverified(projectId: string, domain: string): Promise<void> {
    await this.#sql`
      select postel.hold_unverified(p.organization_id, ${domain}) from postel.projects p where p.id = ${projectId}`
  }
}

/** What postel.record_outcomes takes. */
function outcomesJson(outcomes: readonly Outcome[]): string {
  const now = performance.now()
  return JSON.stringify(
    outcomes.map((outcome) => ({
      id: outcome.id,
      ip: outcome.ipId,
      m: outcome.messageId,
      at: (now - outcome.startedAt) / 1000,
      ms: Math.round(outcome.durationMs),
      mx: outcome.mxHost,
      addr: outcome.mxAddress,
      tls: outcome.tls,
      doubt: outcome.inDoubt,
      after: outcome.retryAfter,
      n: outcome.recipients.map((recipient) => recipient.number),
      o: outcome.recipients.map((recipient) => recipient.outcome),
      c: outcome.recipients.map((recipient) => recipient.code),
      e: outcome.recipients.map((recipient) => recipient.enhancedCode),
      k: outcome.recipients.map((recipient) => recipient.category),
      t: outcome.recipients.map((recipient) => recipient.reply),
    })),
  )
}
