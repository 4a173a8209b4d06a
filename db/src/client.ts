/** Connections to Postgres through postgres.js, with the settings that every process of Postel wants. */
import postgres from 'postgres'
import { arrayTypes } from './array-types.ts'
import { PoolUsage } from './pool-usage.ts'
import { watchedPool } from './watched-pool.ts'

export type Sql = postgres.Sql

export type ConnectOptions = {
  /** Shown in pg_stat_activity, e.g. `postel-outbound`. */
  name: string
  /** Most connections at once. */
  max: number
  /** Statements longer than this are cancelled by the server. Default 30,000 ms. */
  statementTimeoutMs?: number
  /** Further settings of the session; they travel in the start-up packet, so not through every pooler. */
  settings?: Record<string, string>
  /** Receives notifications; only for a client that LISTENs. */
  onnotify?: (channel: string, payload: string) => void
  /** A connection was closed, by whichever side. */
  onclose?: () => void
}

/** How much longer than the server's limit a statement may go without an answer, connecting included. */
const answerMs = 5_000
/** postgres.js would wait up to 20 s between tries, longer than a hold on an IP is believed. */
const reconnectSecondsMax = 1

/**
 * Opens a pool of connections lazily: nothing is sent until the first query, and broken connections are made anew
 * by the next one. Idle connections stay open. A statement without an answer is rejected 5 s after its own limit.
 *
 * NOTE: a process that lives on uses neither `begin` nor `reserve`. When their connection breaks, postgres.js writes the
 * rollback (or the next statement) into a socket that is gone, and that ends the process. One statement is a transaction,
 * and settings for it alone can be set within it (set_config).
 */
export function connect(url: string, options: ConnectOptions): Sql {
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000
  const settings = {
    max: options.max,
    idle_timeout: 0,
    max_lifetime: null,
    connect_timeout: 10,
    backoff: (failures: number) =>
      (0.5 + Math.random() / 2) * Math.min(3 ** Math.min(failures, 10) / 100, reconnectSecondsMax),
    fetch_types: false,
    types: arrayTypes,
    onnotice: () => {},
    ...(options.onnotify && { onnotify: options.onnotify }),
    ...(options.onclose && { onclose: options.onclose }),
    connection: {
      application_name: options.name,
      statement_timeout: statementTimeoutMs,
      lock_timeout: 10_000,
      idle_in_transaction_session_timeout: 60_000,
      TimeZone: 'UTC',
      ...options.settings,
    },
  } as unknown as postgres.Options<Record<string, never>>
  if (statementTimeoutMs === 0) return postgres(url, settings)
  const usage = new PoolUsage(options.name, options.max)
  return watchedPool(() => postgres(url, settings), statementTimeoutMs + answerMs, usage)
}

/** One connection of its own to the database of a pool, with other settings; whoever asks for it ends it. */
export function connectApart(pool: Sql, settings: Record<string, string>): Sql {
  const { options } = pool
  const connection = { ...options.connection, ...settings }
  return postgres({ ...options, max: 1, connection } as unknown as postgres.Options<Record<string, never>>)
}

/**
 * Refuses a database whose commits are not durable, because a 250 would then be a promise that a crash can break.
 * Throws an Error that names the setting and what to do.
 */
export async function requireDurability(sql: Sql): Promise<void> {
  const [row] = await sql<{ fsync: string; commit: string }[]>`
    select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`
  if (row?.fsync !== 'on')
    throw new Error('Postgres runs with fsync=off: accepted mail could be lost. Set fsync=on.')
  if (row.commit === 'off' || row.commit === 'local')
    throw new Error(
      `Postgres runs with synchronous_commit=${row.commit}: accepted mail could be lost. Set it to on.`,
    )
}
