/** What waits, for how long. */
import { type Row, scope } from '../dashboard.ts'
import { graph } from '../panel.ts'

export const queue: Row = {
  title: 'Queue',
  panels: [
    graph({
      title: 'Outstanding, rows by state',
      about:
        'queued: can be sent now. deferred: waits for its next try. scheduled: for its time. held: for a person. Beyond 30,000 rows it is an estimate.',
      unit: 'short',
      stacked: true,
      queries: [
        {
          expr: `sum by (state) (max by (ip, state) (postel_queue_rows{${scope}}))`,
          legend: '{{state}}',
        },
      ],
    }),
    graph({
      title: 'Longest wait by source IP',
      about:
        'How long the first row of each IP could have been sent. One IP: it is limited, paused or not held. All: outbound or the database.',
      unit: 's',
      limit: 1800,
      queries: [{ expr: `max by (ip) (postel_queue_wait_oldest_seconds{${scope}})`, legend: '{{ip}}' }],
    }),
    graph({
      title: 'Age of the oldest message by state',
      about:
        'Since it was accepted. Deferred mail grows old up to the project’s limit (days), queued mail should not.',
      unit: 's',
      queries: [{ expr: `max by (state) (postel_queue_oldest_seconds{${scope}})`, legend: '{{state}}' }],
    }),
    graph({
      title: 'Released for their next try, rows/s',
      about: 'What the worker puts back into the queue. Zero with overdue mail beside it: PostelReleaseLate.',
      unit: 'short',
      queries: [
        {
          expr: `sum(rate(postel_released_total{${scope}}[$__rate_interval]))`,
          legend: 'released',
        },
      ],
    }),
    graph({
      title: 'Most overdue release',
      about:
        'How long deferred or scheduled mail should have been back in the queue. Healthy: under a minute.',
      unit: 's',
      limit: 300,
      queries: [{ expr: `max(postel_waiting_overdue_seconds{${scope}})`, legend: 'overdue' }],
    }),
    graph({
      title: 'Suspensions and bulk changes',
      about:
        'What people have suspended (`table postel.suspensions_now`) and asked for (`table postel.operations_now`).',
      unit: 'none',
      queries: [
        { expr: `max by (kind) (postel_suspensions{${scope}})`, legend: 'suspended: {{kind}}' },
        { expr: `max(postel_operations_unfinished{${scope}})`, legend: 'bulk changes' },
      ],
    }),
  ],
}
