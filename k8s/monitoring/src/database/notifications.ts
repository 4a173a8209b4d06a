/** NOTIFY and those who listen. */
import { type Row, scope } from '../dashboard.ts'
import { graph } from '../panel.ts'

export const notifications: Row = {
  title: 'Notifications',
  panels: [
    graph({
      title: 'Notification queue, share in use',
      about: 'It fills when a listener sits in an open transaction. `table postel.listeners_now`.',
      unit: 'percentunit',
      width: 6,
      limit: 0.1,
      queries: [{ expr: `max(postel_notification_queue_usage_ratio{${scope}})`, legend: 'in use' }],
    }),
    graph({
      title: 'Since listeners were last seen to work',
      about: 'Each asks every 10 s. Above a minute: PostelListenerDeaf; its mail waits for polls.',
      unit: 's',
      width: 6,
      limit: 60,
      queries: [
        {
          expr: `max by (app, instance) (postel_bus_listener_silent_seconds{${scope}})`,
          legend: '{{app}} {{instance}}',
        },
      ],
    }),
    graph({
      title: 'Notifications/s: sent, lost, heard',
      about: 'Each carries many hints, and each listener hears each. Lost ones cost a delay only.',
      unit: 'short',
      width: 6,
      queries: [
        {
          expr: `sum(rate(postel_bus_notifications_sent_total{${scope}}[$__rate_interval]))`,
          legend: 'sent',
        },
        {
          expr: `sum(rate(postel_bus_notifications_lost_total{${scope}}[$__rate_interval]))`,
          legend: 'lost',
        },
        {
          expr: `sum by (channel) (rate(postel_bus_notifications_received_total{${scope}}[$__rate_interval]))`,
          legend: 'heard: {{channel}}',
        },
      ],
    }),
    graph({
      title: 'Duration of a NOTIFY, and reconnects',
      about: 'Commits that notify take a lock of the whole server; a rise here shows before commits suffer.',
      unit: 's',
      width: 6,
      queries: [
        {
          expr: `histogram_quantile(0.99, sum by (le) (rate(postel_bus_flush_seconds_bucket{${scope}}[$__rate_interval])))`,
          legend: '99%',
        },
        {
          expr: `sum(increase(postel_bus_reconnects_total{${scope}}[$__rate_interval]))`,
          legend: 'reconnects (number)',
        },
      ],
    }),
  ],
}
