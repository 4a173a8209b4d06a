/** What holds vacuum back. */
import { type Row, scope } from '../dashboard.ts'
import { graph } from '../panel.ts'

export const vacuum: Row = {
  title: 'Vacuum',
  panels: [
    graph({
      title: 'Oldest transaction',
      about:
        'Find it: pg_stat_activity by xact_start. A backup is one too; others above half an hour are a mistake.',
      unit: 's',
      limit: 1800,
      queries: [{ expr: `max(postel_database_oldest_transaction_seconds{${scope}})`, legend: 'open for' }],
    }),
    graph({
      title: 'Oldest xmin, transactions',
      about: 'What holds vacuum back: backends, replication slots, prepared transactions. See PostelOldXmin.',
      unit: 'short',
      queries: [{ expr: `max(postel_database_oldest_xmin_age_transactions{${scope}})`, legend: 'xmin' }],
    }),
    graph({
      title: 'Transaction ids used',
      about:
        'Vacuum begins to freeze at 200 million, Postgres stops at 2.1 billion. See PostelTransactionIds.',
      unit: 'short',
      limit: 1_000_000_000,
      queries: [{ expr: `max(postel_database_xid_age_transactions{${scope}})`, legend: 'age' }],
    }),
    graph({
      title: 'Dead rows by table, estimate',
      about:
        'Taking mail is built to be fast beside them, so they cost space first. Far more than live ones: PostelDeadRows.',
      unit: 'short',
      queries: [
        {
          expr: `topk(8, max by (table) (postel_table_dead_rows_estimate{${scope}}))`,
          legend: '{{table}}',
        },
      ],
    }),
    graph({
      title: 'Live rows of queue and waiting, estimate',
      about: 'From the statistics; the exact picture is `table postel.queue_now`.',
      unit: 'short',
      queries: [
        {
          expr: `max by (table) (postel_table_live_rows_estimate{${scope},table=~"queue|waiting"})`,
          legend: '{{table}}',
        },
      ],
    }),
    graph({
      title: 'Since the last vacuum of queue and waiting',
      about: 'Minutes under load. Hours under load: autovacuum is off, starved, or cancelled by locks.',
      unit: 's',
      queries: [
        { expr: `min by (table) (postel_table_autovacuum_age_seconds{${scope}})`, legend: '{{table}}' },
      ],
    }),
  ],
}
