/** What is wrong just now, in one line. */
import { type Row, scope } from '../dashboard.ts'
import { stat } from '../panel.ts'

export const now: Row = {
  title: 'Now',
  panels: [
    stat({
      title: 'Database',
      about: 'Whether a worker reaches Postgres. Without it nothing is accepted.',
      unit: 'none',
      none: 'no worker',
      steps: [
        ['red', null],
        ['green', 1],
      ],
      values: { 0: 'down', 1: 'up' },
      query: `max(postel_database_up{${scope}})`,
    }),
    stat({
      title: 'Connections in use',
      about: 'Of max_connections. Above 85%: PostelConnectionsNearLimit.',
      unit: 'percentunit',
      decimals: 0,
      steps: [
        ['green', null],
        ['yellow', 0.7],
        ['red', 0.85],
      ],
      query: `sum(max by (state) (postel_database_connections{${scope}})) / max(postel_database_connections_max{${scope}})`,
    }),
    stat({
      title: 'Oldest transaction now',
      about:
        'Vacuum can clean nothing that ended since it began. A backup may take a while; see PostelLongTransaction.',
      unit: 's',
      none: '0 s',
      steps: [
        ['green', null],
        ['yellow', 600],
        ['red', 1800],
      ],
      query: `max(postel_database_oldest_transaction_seconds{${scope}})`,
    }),
    stat({
      title: 'Notification queue',
      about: 'How full it is. Full, every commit that notifies fails; see PostelNotifyQueueFills.',
      unit: 'percentunit',
      decimals: 2,
      steps: [
        ['green', null],
        ['yellow', 0.05],
        ['red', 0.1],
      ],
      query: `max(postel_notification_queue_usage_ratio{${scope}})`,
    }),
    stat({
      title: 'Partitions ahead, days',
      about: 'The least of all tables. The worker makes 14 days; below 3: PostelPartitionsMissing.',
      unit: 'none',
      steps: [
        ['red', null],
        ['yellow', 3],
        ['green', 7],
      ],
      query: `min(postel_partitions_ahead{${scope}})`,
    }),
    stat({
      title: 'Last good backup',
      about: 'When it ended. The alarm comes after 26 hours.',
      unit: 's',
      none: 'never',
      steps: [
        ['green', null],
        ['red', 26 * 3600],
      ],
      query: `time() - max(postel_backup_last_success_timestamp_seconds{${scope}})`,
    }),
  ],
}
