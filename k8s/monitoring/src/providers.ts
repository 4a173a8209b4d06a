/** Recipients' providers: how each takes our mail. */
import { type Dashboard, scope, shareOf } from './dashboard.ts'
import { graph, note, table } from './panel.ts'

const chosen = `${scope},provider=~"$provider"`
const share = (outcome: string, window?: string) =>
  shareOf('postel_deliveries_by_provider_total', {
    of: chosen,
    part: `outcome="${outcome}"`,
    by: 'provider',
    ...(window && { window }),
  })

export const providers: Dashboard = {
  uid: 'postel-providers',
  title: 'Postel / Providers',
  description:
    'How the recipients’ providers take our mail: Google, Microsoft, Yahoo and the busiest others.',
  from: 'now-24h',
  choices: [
    {
      name: 'provider',
      label: 'Provider',
      query: 'label_values(postel_deliveries_by_provider_total{namespace=~"$namespace"}, provider)',
      many: true,
    },
  ],
  rows: [
    {
      title: 'Providers',
      panels: [
        table({
          title: 'Each provider, the last hour',
          about:
            'Red: read what it says in `table postel.recent_failures`, and what limits are in force in `table postel.ips_now`.',
          by: { provider: 'Provider' },
          sort: 'Recipients/s',
          height: 10,
          columns: [
            {
              title: 'Recipients/s',
              expr: `sum by (provider) (rate(postel_deliveries_by_provider_total{${chosen}}[1h]))`,
              unit: 'short',
            },
            { title: 'Delivered', expr: share('delivered', '1h'), unit: 'percentunit' },
            {
              title: 'Deferred',
              expr: share('deferred', '1h'),
              unit: 'percentunit',
              steps: [
                ['text', null],
                ['yellow', 0.2],
                ['red', 0.5],
              ],
            },
            {
              title: 'Bounced',
              expr: share('bounced', '1h'),
              unit: 'percentunit',
              steps: [
                ['text', null],
                ['yellow', 0.03],
                ['red', 0.05],
              ],
            },
          ],
        }),
        note({
          title: 'What a provider is',
          text: 'The name of a rule in `postel.destination_rules` (google, microsoft, …), else the first mail exchanger of the recipient’s domain. Each process counts its 30 busiest under their own names and the rest as `other`; the sums are always complete.',
        }),
      ],
    },
    {
      title: 'Over time',
      panels: [
        graph({
          title: 'Tried, recipients/s by provider',
          about: 'Where our mail goes. A provider that vanishes is suspended, or refuses the connections.',
          unit: 'short',
          width: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (provider) (rate(postel_deliveries_by_provider_total{${chosen}}[$__rate_interval]))`,
              legend: '{{provider}}',
            },
          ],
        }),
        graph({
          title: 'Deferred, share of the tries',
          about:
            'Postel slows down by itself and goes faster again while mail is taken. Above 50% for half an hour: PostelProviderDefers.',
          unit: 'percentunit',
          width: 12,
          limit: 0.5,
          queries: [{ expr: share('deferred'), legend: '{{provider}}' }],
        }),
        graph({
          title: 'Bounced, share of the tries',
          about:
            'A rise at one provider: it refuses us (reputation, policy). At all: a bad list of a sender.',
          unit: 'percentunit',
          width: 12,
          limit: 0.05,
          queries: [{ expr: share('bounced'), legend: '{{provider}}' }],
        }),
        graph({
          title: 'Delivered, recipients/s by provider',
          about:
            'What was taken. To send less to one for good, write a rule (db/README.md, Set-up); for hours, `select postel.suspend(…)`.',
          unit: 'short',
          width: 12,
          queries: [
            {
              expr: `sum by (provider) (rate(postel_deliveries_by_provider_total{${chosen},outcome="delivered"}[$__rate_interval]))`,
              legend: '{{provider}}',
            },
          ],
        }),
        graph({
          title: 'Why not, recipients/s by category (all providers)',
          about:
            'rate and greylisting pass by themselves. reputation and spam: dashboard IPs. tls, dns, connect: the remote’s or our network.',
          unit: 'short',
          width: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (outcome, category) (rate(postel_deliveries_total{${scope},outcome!="delivered"}[$__rate_interval]))`,
              legend: '{{outcome}}: {{category}}',
            },
          ],
        }),
        graph({
          title: 'Sites that limit us, number by state',
          about:
            'Counted per source IP and added up. slowed: asked to send less. backing_off: not reached. suspended: refuses an IP.',
          unit: 'none',
          width: 12,
          queries: [
            {
              expr: `sum by (state) (max by (ip, state) (postel_sites_limited{${scope}}))`,
              legend: '{{state}}',
            },
          ],
        }),
      ],
    },
  ],
}
