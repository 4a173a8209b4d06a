/** What is wrong just now, in one line. */
import { type Row, scope } from '../dashboard.ts'
import { stat } from '../panel.ts'

export const now: Row = {
  title: 'Now',
  panels: [
    stat({
      title: 'Alerts firing',
      about: 'Alerts of Postel that fire now. Each has a section in k8s/monitoring/runbook.md.',
      unit: 'none',
      width: 3,
      steps: [
        ['green', null],
        ['red', 1],
      ],
      query: 'count(ALERTS{alertname=~"Postel.*",alertstate="firing"}) or vector(0)',
    }),
    stat({
      title: 'Database',
      about: 'Whether a worker reaches Postgres. Without it nothing is accepted; see PostelDatabaseDown.',
      unit: 'none',
      width: 3,
      steps: [
        ['red', null],
        ['green', 1],
      ],
      values: { 0: 'down', 1: 'up' },
      none: 'no worker',
      query: `max(postel_database_up{${scope}})`,
    }),
    stat({
      title: 'Accepted now, messages/s',
      about: 'Messages that were stored and acknowledged by SMTP and REST in the last 5 minutes.',
      unit: 'short',
      width: 3,
      decimals: 2,
      query: `(sum(rate(postel_smtp_messages_total{${scope}}[5m])) or vector(0)) + (sum(rate(postel_api_emails_total{${scope}}[5m])) or vector(0))`,
    }),
    stat({
      title: 'Delivered now, recipients/s',
      about: 'Recipients whose server took the mail, in the last 5 minutes.',
      unit: 'short',
      width: 3,
      decimals: 2,
      query: `sum(rate(postel_deliveries_total{${scope},outcome="delivered"}[5m]))`,
    }),
    stat({
      title: 'Queued, rows',
      about:
        'Rows (a message to one recipient domain) that can be sent now. `table postel.queue_now` says more.',
      unit: 'short',
      width: 3,
      none: '0',
      query: `sum(max by (ip) (postel_queue_rows{${scope},state="queued"}))`,
    }),
    stat({
      title: 'Longest wait',
      about: 'How long the first row of any source IP could have been sent. See PostelQueueOld.',
      unit: 's',
      width: 3,
      none: '0 s',
      steps: [
        ['green', null],
        ['yellow', 600],
        ['red', 1800],
      ],
      query: `max(postel_queue_wait_oldest_seconds{${scope}})`,
    }),
    stat({
      title: 'Source IPs not held',
      about: 'IPs in use that no node holds. See PostelIpUnheld and dashboard IPs.',
      unit: 'none',
      width: 3,
      steps: [
        ['green', null],
        ['red', 1],
      ],
      query: `count(max by (ip) (postel_ip_held{${scope}}) == 0 and on (ip) max by (ip) (postel_ip_state{${scope},state=~"active|warming|draining"}) == 1) or vector(0)`,
    }),
    stat({
      title: 'Last good backup',
      about: 'When the last good backup ended. The alarm comes after 26 hours; see PostelBackupTooOld.',
      unit: 's',
      width: 3,
      none: 'never',
      steps: [
        ['green', null],
        ['red', 26 * 3600],
      ],
      query: `time() - max(postel_backup_last_success_timestamp_seconds{${scope}})`,
    }),
  ],
}
