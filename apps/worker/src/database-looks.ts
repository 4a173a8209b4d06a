/** What is looked up in the database for its metrics, part by part, and the metrics that come of it. */
import type { Activity, DatabaseStateQueries, QueueRows, TableState } from '@postel/db/queries/database-state'

/** A value of a metric; null: there is none. */
export type Sample = readonly [metric: string, value: number | null, labels?: Record<string, string>]

type Look = {
  /** It changes slowly or costs more: once a minute. */
  slow?: boolean
  take: (queries: DatabaseStateQueries) => Promise<Sample[]>
}

export type LookName = 'activity' | 'queue' | 'ips' | 'jobs' | 'webhooks' | 'platform' | 'tables' | 'backups'

const ipStates = ['active', 'warming', 'paused', 'quarantined', 'draining', 'retired']

export const looks: Readonly<Record<LookName, Look>> = {
  activity: { take: async (queries) => ofActivity(await queries.activity()) },
  queue: {
    take: async (queries) => [
      ...ofQueue(await queries.queue()),
      ...(await queries.fronts()).map(
        ({ ip, waitSeconds }): Sample => ['postel_queue_wait_oldest_seconds', waitSeconds, { ip }],
      ),
      ['postel_waiting_overdue_seconds', await queries.overdueSeconds()],
    ],
  },
  ips: { take: takeIps },
  jobs: {
    take: async (queries) => {
      const { states, oldestReadySeconds } = await queries.jobs()
      return [
        ...states.map(({ name, count }): Sample => ['postel_jobs', count, { state: name }]),
        ['postel_jobs_oldest_ready_seconds', oldestReadySeconds],
      ]
    },
  },
  webhooks: {
    slow: true,
    take: async (queries) => [
      ['postel_webhook_cursor_lag_seconds', await queries.webhookCursorLag()],
      ['postel_webhooks_pending_oldest_seconds', await queries.webhookOverdueSeconds()],
    ],
  },
  platform: { slow: true, take: takePlatform },
  tables: {
    slow: true,
    take: async (queries) => {
      const { bytes, walBytes } = await queries.size()
      const found = await queries.tables()
      return [
        ...ofTables(found),
        ...found.map(
          ({ name, daysAhead }): Sample => ['postel_partitions_ahead', daysAhead, { table: name }],
        ),
        ['postel_database_size_bytes', bytes],
        ['postel_database_wal_bytes_total', walBytes],
      ]
    },
  },
  backups: {
    slow: true,
    take: async (queries) => {
      const { goodAt, goodBytes, lastGood } = await queries.backups()
      return [
        ['postel_backup_last_success_timestamp_seconds', goodAt],
        ['postel_backup_last_size_bytes', goodBytes],
        ['postel_backup_last_attempt_success', lastGood === null ? null : Number(lastGood)],
      ]
    },
  },
}

function ofActivity(activity: Activity): Sample[] {
  return [
    ['postel_notification_queue_usage_ratio', activity.notificationQueueUsage],
    ['postel_database_listeners', activity.listeners],
    ['postel_database_connections', activity.active, { state: 'active' }],
    ['postel_database_connections', activity.idle, { state: 'idle' }],
    ['postel_database_connections', activity.idleInTransaction, { state: 'idle_in_transaction' }],
    ['postel_database_connections', activity.otherConnections, { state: 'other' }],
    ['postel_database_connections_max', activity.connectionsMax],
    ['postel_database_oldest_transaction_seconds', activity.oldestTransactionSeconds],
    ['postel_database_oldest_xmin_age_transactions', activity.xminAge],
    ['postel_database_xid_age_transactions', activity.xidAge],
    ['postel_database_deadlocks_total', activity.deadlocks],
    ['postel_database_transactions_total', activity.committed, { result: 'committed' }],
    ['postel_database_transactions_total', activity.rolledBack, { result: 'rolled_back' }],
  ]
}

/** IPs that are no longer known are one with rows that have none yet. */
function ofQueue(rows: readonly QueueRows[]): Sample[] {
  const series = new Map<string, { ip: string; state: string; rows: number; oldestSeconds: number }>()
  for (const { ip, state, rows: count, oldestSeconds } of rows) {
    const key = `${ip ?? 'none'} ${state}`
    const known = series.get(key) ?? { ip: ip ?? 'none', state, rows: 0, oldestSeconds: 0 }
    series.set(key, {
      ...known,
      rows: known.rows + count,
      oldestSeconds: Math.max(known.oldestSeconds, oldestSeconds),
    })
  }
  return [...series.values()].flatMap(({ ip, state, rows: count, oldestSeconds }): Sample[] => [
    ['postel_queue_rows', count, { ip, state }],
    ['postel_queue_oldest_seconds', oldestSeconds, { ip, state }],
  ])
}

async function takeIps(queries: DatabaseStateQueries): Promise<Sample[]> {
  const ips = await queries.ips()
  const live = ips.filter(({ state }) => state !== 'retired')
  return [
    ...ipStates.map(
      (state): Sample => ['postel_ips', ips.filter((each) => each.state === state).length, { state }],
    ),
    ...live.flatMap(({ ip, pool, state, node }): Sample[] => [
      ['postel_ip_state', 1, { ip, pool, state }],
      ['postel_ip_held', Number(node !== null), { ip, node: node ?? '' }],
    ]),
    ['postel_ip_holds_expired', live.filter(({ expired }) => expired).length],
    ...(await queries.processes()).map(
      ({ name, count }): Sample => ['postel_outbound_processes', count, { state: name }],
    ),
    ...(await queries.nodes()).map(
      ({ name, seconds }): Sample => ['postel_node_last_seen_seconds', seconds, { node: name }],
    ),
    ...(await queries.suspensions()).map(
      ({ name, count }): Sample => ['postel_suspensions', count, { kind: name }],
    ),
  ]
}

async function takePlatform(queries: DatabaseStateQueries): Promise<Sample[]> {
  const statuses = (
    metric: string,
    known: readonly string[],
    counted: readonly { name: string; count: number }[],
  ) =>
    known.map(
      (status): Sample => [metric, counted.find(({ name }) => name === status)?.count ?? 0, { status }],
    )
  return [
    ...statuses('postel_domains', ['pending', 'verified', 'failed'], await queries.domains()),
    ...statuses(
      'postel_organizations',
      ['active', 'no_sending', 'no_receiving', 'frozen'],
      await queries.organizations(),
    ),
    ['postel_operations_unfinished', await queries.unfinishedOperations()],
    ...(await queries.limitedSites()).map(
      ({ ip, state, count }): Sample => ['postel_sites_limited', count, { ip, state }],
    ),
  ]
}

/** Mail and what grows with it; of the others a hundred lines would say nothing. */
const watched = new Set([
  'queue',
  'waiting',
  'messages',
  'message_bodies',
  'message_tags',
  'deliveries',
  'attempts',
  'events',
  'webhook_deliveries',
  'webhook_attempts',
  'request_logs',
  'suppressions',
  'idempotency_keys',
  'email_metrics',
  'sandbox_messages',
])

function ofTables(tables: readonly TableState[]): Sample[] {
  return tables
    .filter(({ name }) => watched.has(name))
    .flatMap(({ name: table, liveRows, deadRows, bytes, vacuumAgeSeconds }): Sample[] => [
      ['postel_table_live_rows_estimate', liveRows, { table }],
      ['postel_table_dead_rows_estimate', deadRows, { table }],
      ['postel_table_size_bytes', bytes, { table }],
      ['postel_table_autovacuum_age_seconds', vacuumAgeSeconds, { table }],
    ])
}

/** What each metric says. */
const helps: Readonly<Record<LookName, Readonly<Record<string, string>>>> = {
  activity: {
    postel_notification_queue_usage_ratio: "How full Postgres's queue of notifications is, 0 to 1",
    postel_database_listeners: 'Connections that LISTEN',
    postel_database_connections: 'Connections to this database by state',
    postel_database_connections_max: 'Connections that the server takes',
    postel_database_oldest_transaction_seconds: 'Age of the oldest open transaction',
    postel_database_oldest_xmin_age_transactions:
      'Age of the oldest snapshot, slot or prepared transaction, which vacuum must wait for',
    postel_database_xid_age_transactions: 'Age of the oldest transaction id that is not frozen',
    postel_database_deadlocks_total: 'Deadlocks in this database',
    postel_database_transactions_total: 'Transactions in this database by result',
  },
  queue: {
    postel_queue_rows:
      'Messages by recipient domain that are outstanding, by source IP and state; an estimate where there are very many',
    postel_queue_oldest_seconds:
      'Age of the oldest message outstanding, by source IP and state; from a sample where there are very many',
    postel_queue_wait_oldest_seconds: 'How long the first row of each IP could have been sent',
    postel_waiting_overdue_seconds:
      'How long the most overdue deferred or scheduled row should have been released',
  },
  ips: {
    postel_ips: 'Source IPs by state',
    postel_ip_state: '1 for the state that the IP is in',
    postel_ip_held: 'Whether a process holds the IP, and on which node',
    postel_ip_holds_expired: 'Holds that ran out and that nobody took over',
    postel_outbound_processes: 'Outbound processes by whether they were heard of in 20 s',
    postel_node_last_seen_seconds: "Since the node's outbound process was last heard of",
    postel_suspensions: 'Recipient domains and projects that are suspended',
  },
  jobs: {
    postel_jobs: 'Jobs of graphile-worker by state; failed ones are out of attempts',
    postel_jobs_oldest_ready_seconds: 'How long the oldest ready job waits',
  },
  webhooks: {
    postel_webhook_cursor_lag_seconds: 'How far the reader of events for webhooks lies behind',
    postel_webhooks_pending_oldest_seconds:
      'How long the most overdue delivery to a webhook that is enabled is due',
  },
  platform: {
    postel_domains: 'Sender domains by status',
    postel_organizations: 'Organizations by status',
    postel_operations_unfinished: 'Bulk changes that run or wait their turn',
    postel_sites_limited: 'Sites that slow down, put off or refuse each IP',
  },
  tables: {
    postel_table_live_rows_estimate: "Rows by Postgres's statistics, partitions added up",
    postel_table_dead_rows_estimate: "Dead rows by Postgres's statistics, partitions added up",
    postel_table_size_bytes: 'Size with indexes and TOAST, partitions added up',
    postel_table_autovacuum_age_seconds: 'Since the last vacuum, automatic or not',
    postel_partitions_ahead: 'Days after today that have a partition',
    postel_database_size_bytes: 'Size of the database',
    postel_database_wal_bytes_total: 'WAL written since the server was made',
  },
  backups: {
    postel_backup_last_success_timestamp_seconds: 'When the last good backup ended',
    postel_backup_last_size_bytes: 'Size of the last good backup',
    postel_backup_last_attempt_success: 'Whether the newest backup that has ended was good',
  },
}

/** Every metric, with the look that it comes of. */
export const metrics = (Object.entries(helps) as [LookName, Record<string, string>][]).flatMap(
  ([look, ofLook]) =>
    Object.entries(ofLook).map(([name, help]) => ({
      name,
      help,
      type: name.endsWith('_total') ? ('counter' as const) : ('gauge' as const),
      look,
    })),
)
