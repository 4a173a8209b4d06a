/** What receivers think of each source IP. */
import type { Row } from '../dashboard.ts'
import { graph } from '../panel.ts'
import { chosen, share } from './chosen.ts'

export const reputation: Row = {
  title: 'Reputation',
  panels: [
    graph({
      title: 'Bounced, share of the tries',
      about:
        'Providers act at 5 to 10%. Find the sender: `table postel.recent_failures`, dashboard Project. See PostelBouncesHigh.',
      unit: 'percentunit',
      limit: 0.05,
      queries: [{ expr: share('outcome="bounced"'), legend: '{{ip}}' }],
    }),
    graph({
      title: 'Refused as spam or for reputation, share of the tries',
      about:
        'An IP that stands out is listed somewhere: look it up, take it out, ask for delisting. See PostelReputationRefusals.',
      unit: 'percentunit',
      limit: 0.05,
      queries: [{ expr: share('category=~"reputation|spam"'), legend: '{{ip}}' }],
    }),
    graph({
      title: 'Deferred, share of the tries',
      about: 'All IPs together: a provider’s weather or too much at once. One alone: its reputation.',
      unit: 'percentunit',
      limit: 0.3,
      queries: [{ expr: share('outcome="deferred"'), legend: '{{ip}}' }],
    }),
    graph({
      title: 'Not delivered, recipients/s by category',
      about:
        'Why mail of the chosen IPs is not taken. rate: we are too fast. policy: read the reply in `postel.recent_failures`.',
      unit: 'short',
      stacked: true,
      queries: [
        {
          expr: `sum by (category) (rate(postel_deliveries_by_ip_total{${chosen},outcome!="delivered"}[$__rate_interval]))`,
          legend: '{{category}}',
        },
      ],
    }),
    graph({
      title: 'Sites that limit or refuse, number',
      about:
        'slowed: asked to send less. backing_off: cannot be reached. suspended: refuses this IP. They recover by themselves.',
      unit: 'none',
      queries: [
        {
          expr: `max by (ip, state) (postel_sites_limited{${chosen}}) > 0`,
          legend: '{{ip}} {{state}}',
        },
      ],
    }),
    graph({
      title: 'DNS checks that fail, number by IP',
      about:
        'PTR, its forward confirmation, and the EHLO name. Mend them where the address was rented. See PostelIpDnsWrong.',
      unit: 'none',
      queries: [
        {
          expr: `count by (ip, check) (max by (ip, check) (postel_ip_dns_ok{${chosen}}) == 0)`,
          legend: '{{ip}} {{check}}',
        },
      ],
    }),
  ],
}
