/** A line for each source IP. */
import type { Row } from '../dashboard.ts'
import { table } from '../panel.ts'
import { chosen, share } from './chosen.ts'

export const eachIp: Row = {
  title: 'Source IPs',
  panels: [
    table({
      title: 'Each source IP, the last hour',
      about:
        'Red bounces or refusals: `select postel.pause_ip(…)` takes an IP out, its mail leaves from the others of its pool. `table postel.ips_now` shows the reasons and the sites that limit it.',
      by: { ip: 'IP', pool: 'Pool', state: 'State', node: 'Node' },
      sort: 'Recipients/s',
      height: 10,
      columns: [
        {
          title: 'In state',
          expr: `max by (ip, pool, state) (postel_ip_state{${chosen}}) == 1`,
          unit: 'none',
          values: { 1: 'yes' },
        },
        {
          title: 'Held',
          expr: `max by (ip, node) (postel_ip_held{${chosen}})`,
          unit: 'none',
          steps: [
            ['red', null],
            ['green', 1],
          ],
          values: { 0: 'nobody', 1: 'yes' },
        },
        {
          title: 'Queued, rows',
          expr: `max by (ip) (postel_queue_rows{${chosen},state="queued"})`,
          unit: 'short',
        },
        {
          title: 'Longest wait',
          expr: `max by (ip) (postel_queue_wait_oldest_seconds{${chosen}})`,
          unit: 's',
          steps: [
            ['text', null],
            ['red', 1800],
          ],
        },
        {
          title: 'Recipients/s',
          expr: `sum by (ip) (rate(postel_deliveries_by_ip_total{${chosen}}[1h]))`,
          unit: 'short',
        },
        {
          title: 'Deferred',
          expr: share('outcome="deferred"', '1h'),
          unit: 'percentunit',
          steps: [
            ['text', null],
            ['red', 0.3],
          ],
        },
        {
          title: 'Bounced',
          expr: share('outcome="bounced"', '1h'),
          unit: 'percentunit',
          steps: [
            ['text', null],
            ['yellow', 0.03],
            ['red', 0.05],
          ],
        },
        {
          title: 'Refused for reputation',
          expr: share('category=~"reputation|spam"', '1h'),
          unit: 'percentunit',
          steps: [
            ['text', null],
            ['red', 0.05],
          ],
        },
        {
          title: 'Sites that limit it',
          expr: `sum by (ip) (max by (ip, state) (postel_sites_limited{${chosen}}))`,
          unit: 'none',
        },
        {
          title: 'DNS as it should be',
          expr: `min by (ip) (max by (ip, check) (postel_ip_dns_ok{${chosen}}))`,
          unit: 'none',
          steps: [
            ['red', null],
            ['green', 1],
          ],
          values: { 0: 'no', 1: 'yes' },
        },
      ],
    }),
  ],
}
