/** Tasks of the worker and webhooks. */
import { type Row, scope } from '../dashboard.ts'
import { graph } from '../panel.ts'

export const background: Row = {
  title: 'Worker and webhooks',
  panels: [
    graph({
      title: 'Tasks that fail/s',
      about: 'Single failures are tried again by themselves; see PostelTasksFail.',
      unit: 'short',
      width: 6,
      queries: [
        {
          expr: `sum by (task) (rate(postel_tasks_total{${scope},result="failed"}[$__rate_interval])) > 0`,
          legend: '{{task}}',
        },
      ],
    }),
    graph({
      title: 'Duration of tasks, 95th percentile',
      about: 'A task that gets slower week by week works on history instead of on what is due.',
      unit: 's',
      width: 6,
      log: true,
      queries: [
        {
          expr: `histogram_quantile(0.95, sum by (task, le) (rate(postel_task_seconds_bucket{${scope}}[$__rate_interval])))`,
          legend: '{{task}}',
        },
      ],
    }),
    graph({
      title: 'Webhooks: attempts/s by result',
      about:
        'taken: 2xx. refused: another status. unanswered: no reply; nearly all of them at once is our own way out.',
      unit: 'short',
      width: 6,
      stacked: true,
      queries: [
        {
          expr: `sum by (result) (rate(postel_webhook_attempts_total{${scope}}[$__rate_interval]))`,
          legend: '{{result}}',
        },
      ],
    }),
    graph({
      title: 'Webhooks: how late',
      about:
        'reader: how far behind the events. overdue: what should have been tried. first attempt: 95th percentile.',
      unit: 's',
      width: 6,
      queries: [
        { expr: `max(postel_webhook_cursor_lag_seconds{${scope}})`, legend: 'reader' },
        { expr: `max(postel_webhooks_pending_oldest_seconds{${scope}})`, legend: 'overdue' },
        {
          expr: `histogram_quantile(0.95, sum by (le) (rate(postel_webhook_lag_seconds_bucket{${scope}}[$__rate_interval])))`,
          legend: 'first attempt',
        },
      ],
    }),
  ],
}
