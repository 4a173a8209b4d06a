/** Sizes, partitions, jobs, backups. */
import { type Row, scope } from '../dashboard.ts'
import { graph, table } from '../panel.ts'

export const upkeep: Row = {
  title: 'Size and upkeep',
  panels: [
    graph({
      title: 'Database, bytes',
      about:
        'It levels off once retention drops as much as comes in. Compare with the disk, or with what the provider grants.',
      unit: 'bytes',
      queries: [{ expr: `max(postel_database_size_bytes{${scope}})`, legend: 'database' }],
    }),
    graph({
      title: 'Tables with indexes, bytes',
      about:
        'Partitions added up; the largest eight. message_bodies should lead: a shorter retention of bodies is the first lever.',
      unit: 'bytes',
      stacked: true,
      queries: [
        {
          expr: `topk(8, max by (table) (postel_table_size_bytes{${scope}}))`,
          legend: '{{table}}',
        },
      ],
    }),
    graph({
      title: 'Partitions ahead, days by table',
      about: 'The worker makes 14 days, every hour. A line that falls by one each day: see task partitions.',
      unit: 'none',
      queries: [{ expr: `min by (table) (postel_partitions_ahead{${scope}})`, legend: '{{table}}' }],
    }),
    graph({
      title: 'Jobs of the worker by state',
      about:
        'ready ones that pile up: no worker, or a slow task. failed: out of attempts (PostelJobsGivenUp).',
      unit: 'none',
      queries: [{ expr: `max by (state) (postel_jobs{${scope}})`, legend: '{{state}}' }],
    }),
    graph({
      title: 'How long the oldest ready job waits',
      about: 'Seconds when healthy. See PostelJobsWait.',
      unit: 's',
      limit: 600,
      queries: [{ expr: `max(postel_jobs_oldest_ready_seconds{${scope}})`, legend: 'waits' }],
    }),
    graph({
      title: 'Last good backup, bytes',
      about: 'A sudden fall is a backup of something else, or with bodies left out.',
      unit: 'bytes',
      queries: [{ expr: `max(postel_backup_last_size_bytes{${scope}})`, legend: 'backup' }],
    }),
    table({
      title: 'Looks at the database',
      about:
        'What the worker reads for these dashboards, whether it can, and how long it takes. One that fails leaves its graphs empty (PostelCollectorFails).',
      by: { collector: 'Collector' },
      sort: 'Took',
      width: 12,
      height: 8,
      columns: [
        {
          title: 'Works',
          expr: `max by (collector) (postel_database_collector_up{${scope}})`,
          unit: 'none',
          steps: [
            ['red', null],
            ['green', 1],
          ],
          values: { 0: 'no', 1: 'yes' },
        },
        {
          title: 'Took',
          expr: `max by (collector) (postel_database_collect_seconds{${scope}})`,
          unit: 's',
        },
      ],
    }),
    graph({
      title: 'Sender domains and organizations by status',
      about:
        'Domains that fail lose the right to send: their owners should hear of it. Organizations that are stopped: see moderation.',
      unit: 'none',
      width: 12,
      queries: [
        { expr: `max by (status) (postel_domains{${scope}})`, legend: 'domains: {{status}}' },
        {
          expr: `max by (status) (postel_organizations{${scope}})`,
          legend: 'organizations: {{status}}',
        },
      ],
    }),
  ],
}
