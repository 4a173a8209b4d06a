/** One project, for those who answer its owner: what it submits and how its mail ends, beside what the platform does. */
import { type Dashboard, scope, shareOf } from './dashboard.ts'
import { graph, note, stat } from './panel.ts'

const chosen = `${scope},project="$project"`
const share = (outcome: string, window?: string) =>
  shareOf('postel_deliveries_by_project_total', {
    of: chosen,
    part: `outcome="${outcome}"`,
    ...(window && { window }),
  })
const platform = (outcome: string) =>
  shareOf('postel_deliveries_total', { of: scope, part: `outcome="${outcome}"` })

export const project: Dashboard = {
  uid: 'postel-project',
  title: 'Postel / Project',
  description:
    'One project: what it submits, how its mail ends, and whether it is the project or the platform.',
  from: 'now-24h',
  choices: [
    {
      name: 'project',
      label: 'Project',
      query: 'label_values(postel_messages_by_project_total{namespace=~"$namespace"}, project)',
      many: false,
    },
  ],
  rows: [
    {
      title: 'The project',
      panels: [
        stat({
          title: 'Submitted, messages in 24 h',
          about: 'Accepted by SMTP and REST. The exact count of a month stands in the API (usage).',
          unit: 'short',
          none: '0',
          query: `sum(increase(postel_messages_by_project_total{${chosen}}[24h]))`,
        }),
        stat({
          title: 'Delivered, recipients in 24 h',
          about: 'Recipients whose server took the mail.',
          unit: 'short',
          none: '0',
          query: `sum(increase(postel_deliveries_by_project_total{${chosen},outcome="delivered"}[24h]))`,
        }),
        stat({
          title: 'Delivered, share of the tries in 24 h',
          about:
            'Low with many deferrals: they are still under way. Low with many bounces: the list, or the content.',
          unit: 'percentunit',
          decimals: 1,
          steps: [
            ['red', null],
            ['yellow', 0.8],
            ['green', 0.9],
          ],
          query: share('delivered', '24h'),
        }),
        stat({
          title: 'Bounced, share of the tries in 24 h',
          about:
            'Above 5% the project endangers the IPs of its pool; the system stops organizations that go on.',
          unit: 'percentunit',
          decimals: 1,
          none: '0%',
          steps: [
            ['green', null],
            ['yellow', 0.03],
            ['red', 0.05],
          ],
          query: share('bounced', '24h'),
        }),
        stat({
          title: 'Deferred, share of the tries in 24 h',
          about:
            'They are tried again for days. Compare with the platform below: is it all mail, or only this project’s?',
          unit: 'percentunit',
          decimals: 1,
          none: '0%',
          steps: [
            ['green', null],
            ['yellow', 0.2],
            ['red', 0.5],
          ],
          query: share('deferred', '24h'),
        }),
        stat({
          title: 'Share of the platform’s messages in 24 h',
          about: 'How much of everything this project is.',
          unit: 'percentunit',
          decimals: 1,
          query: `sum(increase(postel_messages_by_project_total{${chosen}}[24h])) / sum(increase(postel_messages_by_project_total{${scope}}[24h]))`,
        }),
        graph({
          title: 'Submitted, messages/s',
          about:
            'By the way in. A step up that nobody announced may be a stolen key: `select postel.pause_project(…)` stops it at once.',
          unit: 'short',
          width: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (app) (rate(postel_messages_by_project_total{${chosen}}[$__rate_interval]))`,
              legend: '{{app}}',
            },
          ],
        }),
        graph({
          title: 'Tried, recipients/s by outcome',
          about: 'delivered, deferred (tried again), bounced (for good).',
          unit: 'short',
          width: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (outcome) (rate(postel_deliveries_by_project_total{${chosen}}[$__rate_interval]))`,
              legend: '{{outcome}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'The project or the platform?',
      panels: [
        graph({
          title: 'Bounced, share of the tries',
          about: 'Only this project high: its list or its content. Both: dashboards IPs and Providers.',
          unit: 'percentunit',
          queries: [
            { expr: share('bounced'), legend: 'project' },
            { expr: platform('bounced'), legend: 'platform' },
          ],
        }),
        graph({
          title: 'Deferred, share of the tries',
          about: 'Only this project high: receivers slow its mail down. Both: a provider, or our IPs.',
          unit: 'percentunit',
          queries: [
            { expr: share('deferred'), legend: 'project' },
            { expr: platform('deferred'), legend: 'platform' },
          ],
        }),
        graph({
          title: 'Platform: errors of the API, share of the requests',
          about: 'What its owner would see as failed submissions. Above 1% it is ours.',
          unit: 'percentunit',
          limit: 0.01,
          queries: [
            {
              expr: shareOf('postel_api_request_seconds_count', { of: scope, part: 'status=~"5.."' }),
              legend: '5xx',
            },
          ],
        }),
        graph({
          title: 'Platform: how long mail waits in the queue',
          about:
            'The longest of any source IP. Small here and old mail there: it is deferred, so ask `postel.explain(…)`.',
          unit: 's',
          queries: [{ expr: `max(postel_queue_wait_oldest_seconds{${scope}})`, legend: 'longest wait' }],
        }),
        graph({
          title: 'Platform: webhooks, how late',
          about:
            'From the making of a delivery to its first attempt, 95th percentile, and how far the reader of events is behind.',
          unit: 's',
          queries: [
            {
              expr: `histogram_quantile(0.95, sum by (le) (rate(postel_webhook_lag_seconds_bucket{${scope}}[$__rate_interval])))`,
              legend: 'first attempt',
            },
            { expr: `max(postel_webhook_cursor_lag_seconds{${scope}})`, legend: 'reader' },
          ],
        }),
        note({
          title: 'Which project is it',
          width: 8,
          height: 8,
          text: "Projects stand here by id: `GET /projects`, or as the owner of the database `select id, name from postel.projects`.\n\nEach process counts its 50 busiest projects under their own ids and the rest as `other`, so a quiet project may be missing. Exact counts, for any project and any day: `GET /emails/metrics` with a key of the project, or `postel.email_metrics`.\n\nOne mail: `select * from postel.explain('<message id>')`.",
        }),
      ],
    },
  ],
}
