/**
 * The state of the whole database for metrics. No statement costs more because more mail waits or has been sent: what may be
 * large is sampled by pages, looked up at the end of an index, or taken from Postgres's own statistics. Measured with 1,000,000
 * rows in waiting and in queue each: all of it 60 ms, and that at most every 15 s.
 */
import { connect, type Sql } from '../client.ts'

/** Pages that are read of queue and of waiting: smaller ones are counted exactly, of larger ones it is a sample. */
const samplePages = 250
/** Rows may become visible after others with higher ids, but not so many later. */
const lateIds = 50_000
const jobsMax = 20_000

export type QueueRows = { ip: string | null; state: string; rows: number; oldestSeconds: number }
export type QueueFront = { ip: string; waitSeconds: number }
export type Activity = {
  notificationQueueUsage: number
  listeners: number
  connectionsMax: number
  active: number
  idle: number
  idleInTransaction: number
  otherConnections: number
  oldestTransactionSeconds: number
  xminAge: number
  xidAge: number
  deadlocks: number
  committed: number
  rolledBack: number
}
export type IpState = { ip: string; pool: string; state: string; node: string | null; expired: boolean }
export type TableState = {
  name: string
  liveRows: number
  deadRows: number
  bytes: number
  vacuumAgeSeconds: number | null
  daysAhead: number | null
}
export type Counted = { name: string; count: number }

export class DatabaseStateQueries {
  readonly #sql: Sql
  /** The first row of each IP's queue as last seen: what is dead before it is not read again. */
  readonly #fronts = new Map<number, number>()

  /** A connection of its own, whose statements end soon, so that nobody waits for a look. */
  constructor(url: string, name: string) {
    this.#sql = connect(url, {
      name,
      max: 1,
      statementTimeoutMs: 2_000,
      // The queue's statistics change by the second: its front is always found by its key
      settings: { lock_timeout: '500', enable_seqscan: 'off', enable_sort: 'off', jit: 'off' },
    })
  }

  async stop(): Promise<void> {
    await this.#sql.end({ timeout: 1 })
  }

  /**
   * Connections, transactions and notifications. Sessions of roles that this one is no member of show neither their
   * transaction nor their snapshot, unless it has pg_read_all_stats.
   */
  async activity(): Promise<Activity> {
    const [row] = await this.#sql<Activity[]>`
      select
        pg_notification_queue_usage()::float8 as "notificationQueueUsage",
        (select count(*)::int from postel.listeners()) as listeners,
        current_setting('max_connections')::int as "connectionsMax",
        a.active, a.idle, a."idleInTransaction", a."otherConnections",
        coalesce(a.transaction_seconds, 0)::float8 as "oldestTransactionSeconds",
        coalesce(greatest(
          a.xmin_age,
          (select max(greatest(age(s.xmin), age(s.catalog_xmin))) from pg_replication_slots s),
          (select max(age(p.transaction)) from pg_prepared_xacts p),
          (pg_snapshot_xmax(w.snapshot)::text::bigint - pg_snapshot_xmin(w.snapshot)::text::bigint)::int
        ), 0)::int as "xminAge",
        age(d.datfrozenxid)::int as "xidAge",
        t.deadlocks::float8 as deadlocks, t.xact_commit::float8 as committed, t.xact_rollback::float8 as "rolledBack"
      from (
        select
          count(*) filter (where s.state = 'active')::int as active,
          count(*) filter (where s.state = 'idle')::int as idle,
          count(*) filter (where s.state like 'idle in transaction%')::int as "idleInTransaction",
          count(*) filter (
            where s.state is null or s.state not in ('active', 'idle', 'idle in transaction', 'idle in transaction (aborted)')
          )::int as "otherConnections",
          max(extract(epoch from clock_timestamp() - s.xact_start)) as transaction_seconds,
          max(greatest(age(s.backend_xmin), age(s.backend_xid))) as xmin_age
        from pg_stat_activity s
        where s.datname = current_database() and s.backend_type = 'client backend' and s.pid <> pg_backend_pid()
      ) as a
      cross join (select pg_current_snapshot() as snapshot) as w
      join pg_database d on d.datname = current_database()
      join pg_stat_database t on t.datid = d.oid`
    return row!
  }

  /**
   * What is outstanding by IP and state: exact as long as it is on few pages (about 10,000 rows a table), else from a sample,
   * of the same pages each time, so that the figures are steady and the pages in memory.
   */
  queue(): Promise<QueueRows[]> {
    return this.#sql<QueueRows[]>`
      with rows as (
        select 'queued' as state, q.ip_id, count(*) as sampled, min(q.message_id::text collate "C") as oldest
        from postel.queue q tablesample system (${this.#share('queue')}) repeatable (1)
        group by q.ip_id
        union all
        select w.state, w.ip_id, count(*), min(w.message_id::text collate "C")
        from postel.waiting w tablesample system (${this.#share('waiting')}) repeatable (1)
        group by w.state, w.ip_id
      )
      select
        host(a.address) as ip,
        r.state,
        round(r.sampled * 100 / case when r.state = 'queued' then ${this.#share('queue')} else ${this.#share('waiting')} end)::float8 as rows,
        greatest(0, extract(epoch from clock_timestamp() - postel.uuid_v7_time(r.oldest::uuid)))::float8 as "oldestSeconds"
      from rows r
      left join postel.ip_addresses a on a.id = r.ip_id`
  }

  /** The percentage of a table's pages that is read. */
  #share(table: 'queue' | 'waiting') {
    return this.#sql`(
      select least(100, 100.0 * ${samplePages} * current_setting('block_size')::int / greatest(1, pg_relation_size(${`postel.${table}`}::regclass)))
    )`
  }

  /** How long the first row of each IP has been in its queue; an IP without any is at 0. */
  async fronts(): Promise<QueueFront[]> {
    const floors = [...this.#fronts]
    const rows = await this.#sql<(QueueFront & { ipId: number; id: number | null })[]>`
      select
        a.id as "ipId", host(a.address) as ip, f.id::float8 as id,
        greatest(0, coalesce(extract(epoch from clock_timestamp() - f.queued_at), 0))::float8 as "waitSeconds"
      from postel.ip_addresses a
      left join unnest(
        ${floors.map(([ipId]) => ipId)}::int[], ${floors.map(([, id]) => id - lateIds)}::bigint[]
      ) as s (ip_id, floor) on s.ip_id = a.id
      left join lateral (
        select q.id, q.queued_at
        from postel.queue q
        where q.ip_id = a.id and q.id >= coalesce(s.floor, 0)
        order by q.id
        limit 1
      ) as f on true
      where a.state <> 'retired' or f.id is not null`
    for (const { ipId, id } of rows) if (id !== null) this.#fronts.set(ipId, id)
    return rows
  }

  /** How long the most overdue deferred or scheduled row should have been released. */
  async overdueSeconds(): Promise<number> {
    const [row] = await this.#sql<{ seconds: number }[]>`
      select greatest(0, extract(epoch from clock_timestamp() - w.not_before))::float8 as seconds
      from postel.waiting w
      where w.state <> 'held'
      order by w.not_before, w.id
      limit 1`
    return row?.seconds ?? 0
  }

  /** The source IPs that are not retired, and who holds them. */
  ips(): Promise<IpState[]> {
    return this.#sql<IpState[]>`
      select
        host(a.address) as ip, l.name as pool, a.state,
        case when h.expires_at > clock_timestamp() then p.node_name end as node,
        h.expires_at <= clock_timestamp() is true as expired
      from postel.ip_addresses a
      join postel.ip_pools l on l.id = a.pool_id
      left join postel.ip_holders h on h.ip_id = a.id
      left join postel.outbound_processes p on p.id = h.process_id
      order by a.id`
  }

  /** Outbound processes by whether they were heard in 20 s. */
  processes(): Promise<Counted[]> {
    return this.#sql<Counted[]>`
      select s.name, count(p.id)::int as count
      from (values ('alive', true), ('silent', false)) as s (name, alive)
      left join postel.outbound_processes p
        on (p.heartbeat_at > clock_timestamp() - interval '20 s') = s.alive
      group by s.name`
  }

  /** Seconds since each node was last heard of; nodes that have been gone for a week are not shown. */
  nodes(): Promise<{ name: string; seconds: number }[]> {
    return this.#sql<{ name: string; seconds: number }[]>`
      select n.name, greatest(0, extract(epoch from clock_timestamp() - n.last_seen_at))::float8 as seconds
      from postel.nodes n
      where n.last_seen_at > clock_timestamp() - interval '7 days'`
  }

  /** What people have suspended now. */
  suspensions(): Promise<Counted[]> {
    return this.#sql<Counted[]>`
      select k.name, count(s.id)::int as count
      from (values ('domain'), ('project')) as k (name)
      left join postel.suspensions s
        on (s.domain is not null) = (k.name = 'domain') and (s.until is null or s.until > clock_timestamp())
      group by k.name`
  }

  /** Sites that slow down or refuse each IP. */
  limitedSites(): Promise<{ ip: string; state: string; count: number }[]> {
    return this.#sql<{ ip: string; state: string; count: number }[]>`
      select host(a.address) as ip, s.state, count(*)::int as count
      from postel.ip_sites s
      join postel.ip_addresses a on a.id = s.ip_id
      where s.state <> 'open'
      group by a.address, s.state`
  }

  /** Sender domains by status. */
  domains(): Promise<Counted[]> {
    return this.#sql<
      Counted[]
    >`select d.status as name, count(*)::int as count from postel.domains d group by d.status`
  }

  /** Organizations by status. */
  organizations(): Promise<Counted[]> {
    return this.#sql<Counted[]>`
      select o.status as name, count(*)::int as count from postel.organizations o group by o.status`
  }

  /** Bulk changes that run or wait their turn. */
  async unfinishedOperations(): Promise<number> {
    const [row] = await this.#sql<{ count: number }[]>`
      select count(*)::int as count from postel.operations o where o.finished_at is null`
    return row!.count
  }

  /** How far the reader of events lies behind; null while no webhook is enabled. */
  async webhookCursorLag(): Promise<number | null> {
    const [row] = await this.#sql<{ seconds: number | null }[]>`
      select greatest(0, extract(epoch from clock_timestamp() - postel.uuid_v7_time(c.last_event_id)))::float8 as seconds
      from postel.event_cursors c
      where c.name = 'webhooks' and exists (select from postel.webhooks h where h.status = 'enabled')`
    return row?.seconds ?? null
  }

  /** How long the most overdue delivery to an enabled webhook is due: a look into the index for each webhook. */
  async webhookOverdueSeconds(): Promise<number> {
    const [row] = await this.#sql<{ seconds: number }[]>`
      select coalesce(max(greatest(0, extract(epoch from clock_timestamp() - d.next_attempt_at))), 0)::float8 as seconds
      from postel.webhooks h
      cross join lateral (
        select d.next_attempt_at
        from postel.webhook_deliveries d
        where d.webhook_id = h.id and d.state = 'pending'
        order by d.next_attempt_at, d.id
        limit 1
      ) as d
      where h.status = 'enabled' and h.deleted_at is null`
    return row!.seconds
  }

  /** graphile-worker's jobs by state, and how long the oldest ready one waits. */
  async jobs(): Promise<{ states: Counted[]; oldestReadySeconds: number }> {
    const rows = await this.#sql<(Counted & { seconds: number | null })[]>`
      select s.name, count(j.id)::int as count, max(j.seconds)::float8 as seconds
      from (values ('ready'), ('scheduled'), ('locked'), ('failed')) as s (name)
      left join (
        select
          j.id,
          case
            when j.attempts >= j.max_attempts and j.locked_at is null then 'failed'
            when j.locked_at is not null then 'locked'
            when j.run_at <= clock_timestamp() then 'ready'
            else 'scheduled'
          end as state,
          greatest(0, extract(epoch from clock_timestamp() - j.run_at)) as seconds
        from graphile_worker.jobs j
        limit ${jobsMax}
      ) as j on j.state = s.name
      group by s.name`
    return {
      states: rows.map(({ name, count }) => ({ name, count })),
      oldestReadySeconds: rows.find(({ name }) => name === 'ready')?.seconds ?? 0,
    }
  }

  /** Each table by Postgres's statistics, its partitions added up. */
  tables(): Promise<TableState[]> {
    return this.#sql<TableState[]>`
      select
        coalesce(p.relname, c.relname)::text as name,
        coalesce(sum(pg_stat_get_live_tuples(c.oid)), 0)::float8 as "liveRows",
        coalesce(sum(pg_stat_get_dead_tuples(c.oid)), 0)::float8 as "deadRows",
        coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 as bytes,
        case when p.oid is null then extract(epoch from clock_timestamp() - greatest(
          max(pg_stat_get_last_vacuum_time(c.oid)), max(pg_stat_get_last_autovacuum_time(c.oid))
        ))::float8 end as "vacuumAgeSeconds",
        max(case when p.oid is not null then to_date(right(c.relname, 8), 'YYYYMMDD') end)
          - (clock_timestamp() at time zone 'utc')::date as "daysAhead"
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      left join pg_inherits i on i.inhrelid = c.oid
      left join pg_class p on p.oid = i.inhparent and p.relkind = 'p'
      where n.nspname = 'postel' and c.relkind = 'r'
      group by coalesce(p.relname, c.relname), p.oid`
  }

  /** The database's size, and the WAL written since it was made; null on a standby. */
  async size(): Promise<{ bytes: number; walBytes: number | null }> {
    const [row] = await this.#sql<{ bytes: number; walBytes: number | null }[]>`
      select
        pg_database_size(current_database())::float8 as bytes,
        case when not pg_is_in_recovery() then pg_current_wal_lsn() - '0/0'::pg_lsn end::float8 as "walBytes"`
    return row!
  }

  /** The last good backup, and whether the newest that has ended was good; null where there was none. */
  async backups(): Promise<{ goodAt: number | null; goodBytes: number | null; lastGood: boolean | null }> {
    const [row] = await this.#sql<
      { goodAt: number | null; goodBytes: number | null; lastGood: boolean | null }[]
    >`
      select
        extract(epoch from g.finished_at)::float8 as "goodAt",
        g.bytes::float8 as "goodBytes",
        (select l.ok from postel.backups l where l.finished_at is not null order by l.id desc limit 1) as "lastGood"
      from (select) as one
      left join (
        select b.finished_at, b.bytes from postel.backups b where b.ok order by b.finished_at desc limit 1
      ) as g on true`
    return row!
  }
}
