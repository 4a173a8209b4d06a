/** What leaves from each source IP. */
import { type Row, scope } from '../dashboard.ts'
import { graph } from '../panel.ts'
import { chosen } from './chosen.ts'

const tries = `rate(postel_deliveries_by_ip_total{${chosen}}[$__rate_interval])`

export const leaving: Row = {
  title: 'What leaves',
  panels: [
    graph({
      title: 'Tried, recipients/s by IP',
      about:
        'By the weights of the pool. An IP at zero beside busy ones is paused, not held, or refused everywhere.',
      unit: 'short',
      width: 12,
      stacked: true,
      queries: [{ expr: `sum by (ip) (${tries})`, legend: '{{ip}}' }],
    }),
    graph({
      title: 'Outstanding, rows by IP',
      about: 'Queued and deferred. `none`: no IP has been chosen yet.',
      unit: 'short',
      width: 12,
      stacked: true,
      queries: [
        {
          expr: `sum by (ip) (max by (ip, state) (postel_queue_rows{${scope},ip=~"$ip|none",state=~"queued|deferred"}))`,
          legend: '{{ip}}',
        },
      ],
    }),
  ],
}
