/** What leaves, and how it ends. */
import { type Row, scope, shareOf } from '../dashboard.ts'
import { graph } from '../panel.ts'

export const delivering: Row = {
  title: 'Delivering',
  panels: [
    graph({
      title: 'Tried, recipients/s by outcome',
      about: 'delivered: the remote took it. deferred: it is tried again. bounced: for good.',
      unit: 'short',
      stacked: true,
      queries: [
        {
          expr: `sum by (outcome) (rate(postel_deliveries_total{${scope}}[$__rate_interval]))`,
          legend: '{{outcome}}',
        },
      ],
    }),
    graph({
      title: 'Deferred and bounced, share of the tries',
      about: 'Deferrals above 30% or bounces above 5% want a look at dashboards Providers and IPs.',
      unit: 'percentunit',
      max: 1,
      queries: ['deferred', 'bounced'].map((outcome) => ({
        expr: shareOf('postel_deliveries_total', { of: scope, part: `outcome="${outcome}"` }),
        legend: outcome,
      })),
    }),
    graph({
      title: 'Not delivered, recipients/s by category',
      about:
        'Why. reputation and spam concern the IP; rate and greylisting pass by themselves; invalid_recipient is a sender’s bad list.',
      unit: 'short',
      stacked: true,
      queries: [
        {
          expr: `sum by (outcome, category) (rate(postel_deliveries_total{${scope},outcome!="delivered"}[$__rate_interval]))`,
          legend: '{{outcome}}: {{category}}',
        },
      ],
    }),
    graph({
      title: 'Duration of a try',
      about:
        'From taking a message up to its last reply, connecting included. It is mostly the remote’s time.',
      unit: 's',
      log: true,
      queries: [0.5, 0.95, 0.99].map((q) => ({
        expr: `histogram_quantile(${q}, sum by (le) (rate(postel_delivery_seconds_bucket{${scope}}[$__rate_interval])))`,
        legend: `${q * 100}%`,
      })),
    }),
    graph({
      title: 'Delivered, recipients/s by number of the try',
      about:
        'Most should be delivered at the first. Many at later ones: greylisting, or a provider that limits us.',
      unit: 'short',
      stacked: true,
      queries: [
        {
          expr: `sum by (attempt) (rate(postel_delivery_tries_total{${scope},outcome="delivered"}[$__rate_interval]))`,
          legend: 'try {{attempt}}',
        },
      ],
    }),
    graph({
      title: 'outbound: in memory and in flight, by process',
      about:
        'Unrecorded outcomes should be near 0: what is not written down goes out again after a crash (PostelOutcomesUnrecorded).',
      unit: 'short',
      queries: [
        {
          expr: `sum by (instance) (postel_outbound_lane_rows{${scope}})`,
          legend: 'waiting {{instance}}',
        },
        {
          expr: `sum by (instance) (postel_outbound_in_flight{${scope}})`,
          legend: 'in flight {{instance}}',
        },
        {
          expr: `sum by (instance) (postel_outbound_unrecorded{${scope}})`,
          legend: 'unrecorded {{instance}}',
        },
      ],
    }),
    graph({
      title: 'Open SMTP connections',
      about: 'In: clients that submit. Out: to recipients’ servers.',
      unit: 'none',
      queries: [
        { expr: `sum(postel_smtp_connections{${scope}})`, legend: 'in' },
        { expr: `sum(postel_outbound_connections{${scope}})`, legend: 'out' },
      ],
    }),
    graph({
      title: 'In doubt, messages/s',
      about:
        'The final dot was sent and no reply came: the recipient may get it twice. A firewall that cuts connections shows here.',
      unit: 'short',
      queries: [
        {
          expr: `sum(rate(postel_deliveries_in_doubt_total{${scope}}[$__rate_interval]))`,
          legend: 'in doubt',
        },
      ],
    }),
    graph({
      title: 'What came back, mails/s by kind and result',
      about:
        'Bounces, complaints and others at the MX port. Complaints above 0.1% of what is delivered: PostelComplaintsHigh.',
      unit: 'short',
      stacked: true,
      queries: [
        {
          expr: `sum by (kind, result) (rate(postel_incoming_total{${scope}}[$__rate_interval]))`,
          legend: '{{kind}}: {{result}}',
        },
      ],
    }),
    graph({
      title: 'Delivery reports and suppressions/s',
      about:
        'Reports to senders by kind; failed ones could not be made. Suppressed: addresses that bounced for good or complained.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (kind) (rate(postel_reports_total{${scope}}[$__rate_interval]))`,
          legend: 'report: {{kind}}',
        },
        {
          expr: `sum(rate(postel_suppressed_total{${scope}}[$__rate_interval]))`,
          legend: 'suppressed',
        },
      ],
    }),
  ],
}
