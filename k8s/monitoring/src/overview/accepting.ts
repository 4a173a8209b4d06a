/** How mail comes in, by SMTP and REST. */
import { type Row, scope } from '../dashboard.ts'
import { graph } from '../panel.ts'

const accepted = `sum(rate(postel_smtp_messages_total{${scope}}[$__rate_interval]))`
const submitted = `sum(rate(postel_api_emails_total{${scope}}[$__rate_interval]))`

export const accepting: Row = {
  title: 'Accepting mail',
  panels: [
    graph({
      title: 'Accepted, messages/s',
      about:
        'Stored and acknowledged. A sudden fall with no errors beside it is a client that stopped sending.',
      unit: 'short',
      stacked: true,
      queries: [
        { expr: accepted, legend: 'SMTP' },
        { expr: submitted, legend: 'REST' },
      ],
    }),
    graph({
      title: 'REST: requests/s by status',
      about: '5xx are faults of ours or of the database (PostelApiErrors); 429 and 4xx are the clients’.',
      unit: 'reqps',
      stacked: true,
      queries: [
        {
          expr: `sum by (status) (rate(postel_api_request_seconds_count{${scope}}[$__rate_interval]))`,
          legend: '{{status}}',
        },
      ],
    }),
    graph({
      title: 'SMTP: refusals/s by step and code',
      about:
        '4xx at data: messages could not be stored, or a quota is reached (PostelSmtpStoreFailures). 5xx at mail and rcpt: senders that may not.',
      unit: 'reqps',
      stacked: true,
      queries: [
        {
          expr: `sum by (step, code) (rate(postel_smtp_refused_total{${scope}}[$__rate_interval]))`,
          legend: '{{step}} {{code}}',
        },
      ],
    }),
    graph({
      title: 'SMTP: from the final dot to the commit',
      about: 'What clients wait for. It is Postgres’s commit; look at dashboard Database when it rises.',
      unit: 's',
      log: true,
      queries: [0.5, 0.95, 0.99].map((q) => ({
        expr: `histogram_quantile(${q}, sum by (le) (rate(postel_smtp_store_seconds_bucket{${scope}}[$__rate_interval])))`,
        legend: `${q * 100}%`,
      })),
    }),
    graph({
      title: 'REST: duration of requests, 99th percentile',
      about:
        'The slowest ten routes. Lists and searches may take long; POST /emails should not (PostelApiSlow).',
      unit: 's',
      log: true,
      queries: [
        {
          expr: `topk(10, histogram_quantile(0.99, sum by (method, route, le) (rate(postel_api_request_seconds_bucket{${scope}}[$__rate_interval]))))`,
          legend: '{{method}} {{route}}',
        },
      ],
    }),
    graph({
      title: 'Wrong passwords and keys/s',
      about: 'A spike is somebody guessing, or a client with an old key. See PostelAuthFailures.',
      unit: 'reqps',
      queries: [
        {
          expr: `sum(rate(postel_smtp_auth_total{${scope},result="failed"}[$__rate_interval]))`,
          legend: 'SMTP',
        },
        {
          expr: `sum by (reason) (rate(postel_api_auth_failures_total{${scope}}[$__rate_interval]))`,
          legend: 'REST {{reason}}',
        },
      ],
    }),
  ],
}
