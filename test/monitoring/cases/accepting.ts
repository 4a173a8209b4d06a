/** When each alert of the group accepting fires, and when it does not. */
import { type AlertCase, always, apiRequests, fast, growing, slow } from './series.ts'

export const accepting: Record<string, AlertCase> = {
  PostelApiErrors: {
    series: { ...apiRequests(200, 54), ...apiRequests(503, 6) },
    at: 6,
    labels: {},
    says: '10% of the requests of the last 5 minutes ended with 5xx.',
    quiet: {
      '2%': { ...apiRequests(200, 98), ...apiRequests(503, 2) },
      'mistakes of clients': { ...apiRequests(200, 30), ...apiRequests(422, 30) },
      'one request in the night': apiRequests(500, 1),
    },
  },
  PostelApiErrorsLasting: {
    series: { ...apiRequests(200, 98), ...apiRequests(500, 2) },
    at: 17,
    labels: {},
    says: '2% of the requests of the last hour ended with 5xx.',
    quiet: { '0.5%': { ...apiRequests(200, 199), ...apiRequests(500, 1) } },
  },
  PostelApiSlow: {
    series: slow('postel_api_request_seconds', 'app="api",method="POST",route="/emails/batch",status="200"'),
    at: 11,
    labels: {},
    says: 'One request in a hundred that submits mail takes more than 4.96s.',
    quiet: {
      'fast ones': fast('postel_api_request_seconds', 'app="api",method="POST",route="/emails",status="200"'),
      'a slow list': slow(
        'postel_api_request_seconds',
        'app="api",method="GET",route="/emails",status="200"',
      ),
    },
  },
  PostelSmtpStoreFailures: {
    series: {
      'postel_smtp_step_seconds_count{app="inbound",step="data",status="2xx"}': growing(90),
      'postel_smtp_step_seconds_count{app="inbound",step="data",status="4xx"}': growing(10),
    },
    at: 6,
    labels: {},
    says: '10% of the messages of the last 5 minutes were answered with 4xx after the final dot.',
    quiet: {
      'refused for good': {
        'postel_smtp_step_seconds_count{app="inbound",step="data",status="2xx"}': growing(50),
        'postel_smtp_step_seconds_count{app="inbound",step="data",status="5xx"}': growing(50),
      },
      'at other steps': {
        'postel_smtp_step_seconds_count{app="inbound",step="data",status="2xx"}': growing(50),
        'postel_smtp_step_seconds_count{app="inbound",step="auth",status="4xx"}': growing(50),
      },
    },
  },
  PostelSmtpStoreSlow: {
    series: slow('postel_smtp_store_seconds', 'app="inbound"'),
    at: 11,
    labels: {},
    says: 'One message in a hundred takes more than 4.96s from the final dot to the commit.',
    quiet: { 'fast ones': fast('postel_smtp_store_seconds', 'app="inbound"') },
  },
  PostelAuthFailures: {
    series: { 'postel_smtp_auth_total{app="inbound",result="failed"}': '0x200 0+120x200' },
    at: 214,
    labels: { app: 'inbound' },
    says: 'inbound refuses 2.0 credentials a second, more than five times what it did in the day before.',
    quiet: {
      'as many as ever': { 'postel_smtp_auth_total{app="inbound",result="failed"}': growing(120) },
      'good ones': { 'postel_smtp_auth_total{app="inbound",result="ok"}': '0x200 0+120x200' },
      'a few': { 'postel_api_auth_failures_total{app="api",reason="invalid"}': '0x200 0+10x200' },
    },
  },
  PostelCertificateExpiring: {
    series: { 'postel_smtp_certificate_expiry_timestamp_seconds{app="inbound"}': always(10 * 86_400) },
    at: 10,
    labels: {},
    says: 'It ends in 9d 23h 50m 0s, and nobody has renewed it.',
    quiet: {
      'a month to go': {
        'postel_smtp_certificate_expiry_timestamp_seconds{app="inbound"}': always(30 * 86_400),
      },
    },
  },
  PostelCertificateExpired: {
    series: { 'postel_smtp_certificate_expiry_timestamp_seconds{app="inbound"}': always(300) },
    at: 10,
    labels: {},
    says: 'It ends in -5m 0s (negative: it has ended). Then clients refuse to submit.',
    quiet: {
      'ten days to go': {
        'postel_smtp_certificate_expiry_timestamp_seconds{app="inbound"}': always(10 * 86_400),
      },
    },
  },
}
