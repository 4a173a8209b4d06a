/** Connections, statements, transactions. */
import { type Row, scope } from '../dashboard.ts'
import { graph } from '../panel.ts'

export const connections: Row = {
  title: 'Connections and statements',
  panels: [
    graph({
      title: 'Connections by state',
      about:
        'idle_in_transaction should be near 0: somebody’s forgotten psql, or a program that waits inside a transaction.',
      unit: 'none',
      stacked: true,
      queries: [{ expr: `max by (state) (postel_database_connections{${scope}})`, legend: '{{state}}' }],
    }),
    graph({
      title: 'Pools: connections busy, share of the most',
      about:
        'Short peaks are how batches work. At 100% for minutes, with statements waiting: PostelPoolExhausted.',
      unit: 'percentunit',
      max: 1,
      queries: [
        {
          expr: `max by (pool, instance) (postel_db_pool_connections_busy{${scope}} / postel_db_pool_connections_max{${scope}})`,
          legend: '{{pool}} {{instance}}',
        },
      ],
    }),
    graph({
      title: 'Pools: statements that wait for a connection',
      about:
        'Always above 0: the pool is too small, or the database too slow. Look for locks and slow disks before raising it.',
      unit: 'none',
      queries: [
        {
          expr: `max by (pool, instance) (postel_db_pool_statements_waiting{${scope}})`,
          legend: '{{pool}} {{instance}}',
        },
      ],
    }),
    graph({
      title: 'Statements that fail/s by pool',
      about:
        'A steady base is normal (unique keys that say no). A step is a lost database, a full disk, or a lock that nobody gives back.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (pool) (rate(postel_db_statement_failures_total{${scope}}[$__rate_interval]))`,
          legend: '{{pool}}',
        },
      ],
    }),
    graph({
      title: 'Transactions/s',
      about: 'Mail is batched: a transaction carries many messages under load.',
      unit: 'short',
      queries: [
        {
          expr: `max by (result) (rate(postel_database_transactions_total{${scope}}[$__rate_interval]))`,
          legend: '{{result}}',
        },
        {
          expr: `max(rate(postel_database_deadlocks_total{${scope}}[$__rate_interval]))`,
          legend: 'deadlocks',
        },
      ],
    }),
    graph({
      title: 'WAL, bytes/s',
      about:
        'What replicas and archives must keep up with. A message costs about two to three times its stored size.',
      unit: 'Bps',
      queries: [
        {
          expr: `max(rate(postel_database_wal_bytes_total{${scope}}[5m]))`,
          legend: 'WAL',
        },
      ],
    }),
  ],
}
