/** When each alert of the group database fires, and when it does not. */
import { type AlertCase, always } from './series.ts'

export const database: Record<string, AlertCase> = {
  PostelDatabaseDown: {
    series: {
      'postel_database_up{app="worker",instance="a"}': always(0),
      'postel_database_up{app="worker",instance="b"}': always(0),
    },
    at: 1,
    labels: {},
    says: 'No worker has reached Postgres for a minute: nothing is accepted.',
    quiet: {
      'one worker has a network of its own': {
        'postel_database_up{app="worker",instance="a"}': always(0),
        'postel_database_up{app="worker",instance="b"}': always(1),
      },
    },
  },
  PostelCollectorFails: {
    series: {
      'postel_database_collector_up{app="worker",collector="queue"}': always(0),
      'postel_database_up{app="worker"}': always(1),
    },
    at: 15,
    labels: { collector: 'queue' },
    says: 'Collector queue has failed for 15 minutes: alerts on its metrics cannot fire.',
    quiet: {
      'the database is away': {
        'postel_database_collector_up{app="worker",collector="queue"}': always(0),
        'postel_database_up{app="worker"}': always(0),
      },
    },
  },
  PostelNotifyQueueFills: {
    series: { 'postel_notification_queue_usage_ratio{app="worker"}': always(0.2) },
    at: 5,
    labels: {},
    says: 'It is 20% full. When it is full, every commit that notifies fails.',
    quiet: { empty: { 'postel_notification_queue_usage_ratio{app="worker"}': always(0) } },
  },
  PostelNotifyQueueFull: {
    series: { 'postel_notification_queue_usage_ratio{app="worker"}': always(0.8) },
    at: 1,
    labels: {},
    says: 'It is 80% full. When it is full, every commit that notifies fails.',
    quiet: { 'a fifth': { 'postel_notification_queue_usage_ratio{app="worker"}': always(0.2) } },
  },
  PostelListenerDeaf: {
    series: { 'postel_bus_listener_silent_seconds{app="outbound",instance="10.0.0.1:9464"}': always(90) },
    at: 1,
    labels: { app: 'outbound', instance: '10.0.0.1:9464' },
    says: 'The subscription of outbound at 10.0.0.1:9464 was last seen to work 1m 30s ago; its mail waits for polls.',
    quiet: { 'between two looks': { 'postel_bus_listener_silent_seconds{app="outbound"}': always(12) } },
  },
  PostelLongTransaction: {
    series: { 'postel_database_oldest_transaction_seconds{app="worker"}': always(3600) },
    at: 5,
    labels: {},
    says: 'The oldest one began 1h 0m 0s ago. Vacuum can clean nothing that ended since.',
    quiet: { 'a short one': { 'postel_database_oldest_transaction_seconds{app="worker"}': always(30) } },
  },
  PostelOldXmin: {
    series: { 'postel_database_oldest_xmin_age_transactions{app="worker"}': always(8e6) },
    at: 15,
    labels: {},
    says: 'The oldest snapshot, slot or prepared transaction is 8M transactions old.',
    quiet: { young: { 'postel_database_oldest_xmin_age_transactions{app="worker"}': always(2000) } },
  },
  PostelTransactionIds: {
    series: { 'postel_database_xid_age_transactions{app="worker"}': always(1.2e9) },
    at: 15,
    labels: {},
    says: 'The oldest row is 1.2G transactions old; at 2.1 G Postgres takes no more writes.',
    quiet: {
      'before vacuum freezes': { 'postel_database_xid_age_transactions{app="worker"}': always(2.1e8) },
    },
  },
  PostelDeadRows: {
    series: {
      'postel_table_dead_rows_estimate{app="worker",table="queue"}': always(900_000),
      'postel_table_live_rows_estimate{app="worker",table="queue"}': always(1000),
    },
    at: 30,
    labels: { table: 'queue' },
    says: 'Table queue has 900k dead rows, more than twice the live ones, for half an hour.',
    quiet: {
      'a large queue': {
        'postel_table_dead_rows_estimate{app="worker",table="queue"}': always(900_000),
        'postel_table_live_rows_estimate{app="worker",table="queue"}': always(900_000),
      },
      'a table that may': {
        'postel_table_dead_rows_estimate{app="worker",table="events"}': always(900_000),
        'postel_table_live_rows_estimate{app="worker",table="events"}': always(1000),
      },
    },
  },
  PostelPoolExhausted: {
    series: {
      'postel_db_pool_statements_waiting{app="api",instance="10.0.0.2:9464",pool="postel-api"}': always(7),
    },
    at: 5,
    labels: { app: 'api', instance: '10.0.0.2:9464', pool: 'postel-api' },
    says: 'In pool postel-api of api at 10.0.0.2:9464 statements have waited for a connection without a break; now at least 7.',
    quiet: {
      'now and then': {
        'postel_db_pool_statements_waiting{app="api",pool="postel-api"}':
          '9 9 9 0 9 9 9 0 9 9 9 0 9 9 9 0 9 9 9 0 9',
      },
    },
  },
  PostelConnectionsNearLimit: {
    series: {
      'postel_database_connections{app="worker",instance="a",state="active"}': always(50),
      'postel_database_connections{app="worker",instance="b",state="active"}': always(50),
      'postel_database_connections{app="worker",instance="a",state="idle"}': always(40),
      'postel_database_connections_max{app="worker",instance="a"}': always(100),
    },
    at: 5,
    labels: {},
    says: '90% of max_connections are in use.',
    quiet: {
      'two workers see the same ones': {
        'postel_database_connections{app="worker",instance="a",state="active"}': always(50),
        'postel_database_connections{app="worker",instance="b",state="active"}': always(50),
        'postel_database_connections_max{app="worker",instance="a"}': always(100),
      },
    },
  },
  PostelPartitionsMissing: {
    series: {
      'postel_partitions_ahead{app="worker",table="messages"}': always(14),
      'postel_partitions_ahead{app="worker",table="events"}': always(1),
    },
    at: 15,
    labels: {},
    says: 'They reach 1 days ahead instead of 14. Without one for the day, nothing is accepted.',
    quiet: { 'a fortnight': { 'postel_partitions_ahead{app="worker",table="events"}': always(13) } },
  },
  PostelDatabaseGrows: {
    series: { 'postel_database_size_bytes{app="worker"}': '30000000000+10000000x2000' },
    at: 361,
    labels: {},
    says: 'At the pace of the last day it will have 125.2GiB in a week.',
    quiet: {
      'a slow one': { 'postel_database_size_bytes{app="worker"}': '30000000000+1000000x2000' },
      'a small one': { 'postel_database_size_bytes{app="worker"}': '100000000+1000000x2000' },
    },
  },
}
