/** Backups: the record of them, what a backup says about its database, and what a restore asks of its target. */
import { pause } from '@postel/runtime/backoff'
import pg from 'pg'
import type { Sql } from '../client.ts'
import { sqlState } from '../errors.ts'

export type Backup = { startedAt: Date; finishedAt: Date; object: string; bytes: number; bodies: boolean }

/** The last good backup; undefined where there is none. */
export async function lastBackup(sql: Sql): Promise<Backup | undefined> {
  const [row] = await sql<Backup[]>`
    select
      b.started_at as "startedAt", b.finished_at as "finishedAt", b.object, b.bytes::float8 as bytes, b.bodies
    from postel.backups b
    where b.ok
    order by b.finished_at desc
    limit 1`
  return row
}

/** Whether this is the one that takes a backup now; it is until its connection ends. */
export async function lockBackups(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ locked: boolean }[]>`
    select pg_try_advisory_lock(hashtext('postel.backup')) as locked`
  return row!.locked
}

/** Writes down that a backup was begun; the row's id. Those that a killed process has left unfinished have failed. */
export async function beginBackup(
  sql: Sql,
  backup: { object: string; bodies: boolean; startedAt: Date },
): Promise<string> {
  const [row] = await sql<{ id: string }[]>`
    with ended as (
      update postel.backups b
      set finished_at = now(), ok = false, error = 'its process has ended without a word'
      where b.finished_at is null
    )
    insert into postel.backups (object, bodies, started_at)
    values (${backup.object}, ${backup.bodies}, ${backup.startedAt})
    returning id::text as id`
  return row!.id
}

/** Writes down what became of it: the bytes of a good one, else why not. A good one may have an error too: what failed later. */
export async function finishBackup(
  sql: Sql,
  id: string,
  result: { bytes: number | null; error: string | null },
): Promise<void> {
  await sql`
    update postel.backups b
    set finished_at = now(), ok = ${result.bytes !== null}, bytes = ${result.bytes}, error = ${result.error}
    where b.id = ${id}::bigint`
}

export type DatabaseFacts = {
  serverVersion: string
  serverMajor: number
  databaseBytes: number
  /** Null before any process has written one down. */
  schemaDigest: string | null
  /** How many the database has had. */
  migrations: number
}

/** What a backup says about its database. Throws where it is not one of Postel. */
export async function readFacts(sql: Sql): Promise<DatabaseFacts> {
  try {
    const [row] = await sql<DatabaseFacts[]>`
      select
        split_part(current_setting('server_version'), ' ', 1) as "serverVersion",
        current_setting('server_version_num')::int / 10000 as "serverMajor",
        pg_database_size(current_database())::float8 as "databaseBytes",
        (
          select v.digest from postel.schema_versions v order by v.replaced_at is null desc, v.applied_at desc limit 1
        ) as "schemaDigest",
        (select count(*) from postel.migrations)::int as migrations`
    return row!
  } catch (cause) {
    if (sqlState(cause) !== '42P01' && sqlState(cause) !== '3F000') throw cause
    throw new Error('this database has no tables of Postel, or of an older version: run npm run db:migrate', {
      cause,
    })
  }
}

/** Rows of some tables, by their names. Also what a restored database is held against. */
export async function countRows(
  ask: (text: string) => PromiseLike<readonly unknown[]>,
): Promise<Record<string, number>> {
  const tables = [
    'organizations',
    'projects',
    'domains',
    'dkim_keys',
    'api_keys',
    'users',
    'suppressions',
    'webhooks',
    'messages',
    'deliveries',
    'queue',
    'waiting',
  ]
  const counts = tables.map((table) => `'${table}', (select count(*) from postel.${table})`)
  const [row] = await ask(`select json_build_object(${counts.join(', ')}) as rows`)
  return (row as unknown as { rows: Record<string, number> }).rows
}

/** So long a link that is dead may take to be closed. */
const closeMs = 5_000

/**
 * Runs `work` while a snapshot of the database stays open that others can look at, with the name of the snapshot and the
 * rows that it shows. Its connection is one of pg: under postgres.js one that is lost in a transaction ends the process.
 * Here what becomes of the work counts, whose own words say more.
 */
export async function withSnapshot<Result>(
  url: string,
  work: (snapshot: string, rows: Record<string, number>) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'postel-backup-snapshot',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  })
  // Told by the statement that it breaks; where none is asked any more, it does not matter
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(
      `begin isolation level repeatable read read only;
       set local statement_timeout = 0;
       set local lock_timeout = 10000;
       set local idle_in_transaction_session_timeout = 0`,
    )
    const { rows } = await client.query<{ snapshot: string }>('select pg_export_snapshot() as snapshot')
    return await work(rows[0]!.snapshot, await countRows(async (text) => (await client.query(text)).rows))
  } finally {
    await Promise.race([client.end().catch(() => {}), pause(closeMs)])
  }
}

export type Target = {
  serverVersion: string
  serverMajor: number
  /** Schemas and tables that are not the server's own; empty: nothing is there. */
  found: string[]
  /** Processes of Postel that are connected. */
  processes: string[]
}

/** What is where a backup is to be restored. */
export async function readTarget(sql: Sql): Promise<Target> {
  const [row] = await sql<Target[]>`
    select
      split_part(current_setting('server_version'), ' ', 1) as "serverVersion",
      current_setting('server_version_num')::int / 10000 as "serverMajor",
      array(
        select 'schema ' || n.nspname from pg_namespace n where n.nspname in ('postel', 'graphile_worker')
        union all
        (
          select 'table ' || n.nspname || '.' || c.relname
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
          left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
          where c.relkind in ('r', 'p') and d.objid is null and n.nspname <> 'information_schema'
            and n.nspname not in ('postel', 'graphile_worker') and n.nspname not like 'pg\\_%'
          order by 1
          limit 5
        )
      ) as found,
      array(
        select distinct a.application_name from pg_stat_activity a
        where a.datname = current_database() and a.pid <> pg_backend_pid() and a.application_name like 'postel-%'
          and a.application_name not like 'postel-restore%'
      ) as processes`
  return row!
}

/** See postel.after_restore, and then all of its hold is done. The recipients that were held. */
export async function holdRestored(sql: Sql, reason: string): Promise<number> {
  const [row] = await sql<{ held: number }[]>`select postel.after_restore(${reason})::float8 as held`
  await sql`call postel.run_operations()`
  return row!.held
}

/** Recipients that wait, and whose messages have no body: they cannot be sent. */
export async function countBodiless(sql: Sql): Promise<number> {
  const [row] = await sql<{ recipients: number }[]>`
    select coalesce(sum(cardinality(w.numbers)), 0)::float8 as recipients
    from postel.waiting w
    where not exists (select from postel.message_bodies b where b.message_id = w.message_id)`
  return row!.recipients
}

/** After a restore the planner knows nothing. */
export async function analyze(sql: Sql): Promise<void> {
  await sql`analyze`
}
