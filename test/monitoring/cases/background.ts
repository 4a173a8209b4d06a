/** When each alert of the group background fires, and when it does not. */
import { type AlertCase, always, growing } from './series.ts'

export const background: Record<string, AlertCase> = {
  PostelTasksFail: {
    series: { 'postel_tasks_total{app="worker",task="sweep",result="failed"}': growing(1) },
    at: 8,
    labels: { task: 'sweep' },
    says: 'Task sweep has failed 8 times in 30 minutes.',
    quiet: {
      'one failure': { 'postel_tasks_total{app="worker",task="sweep",result="failed"}': '0x5 1x100' },
      'work done': { 'postel_tasks_total{app="worker",task="sweep",result="done"}': growing(1) },
    },
  },
  PostelJobsWait: {
    series: { 'postel_jobs_oldest_ready_seconds{app="worker"}': always(900) },
    at: 5,
    labels: {},
    says: 'A job has been ready for 15m 0s, and no worker takes it.',
    quiet: { 'some seconds': { 'postel_jobs_oldest_ready_seconds{app="worker"}': always(4) } },
  },
  PostelJobsGivenUp: {
    series: { 'postel_jobs{app="worker",state="failed"}': always(2) },
    at: 15,
    labels: {},
    says: '2 jobs have failed for good and will not be tried again.',
    quiet: { 'jobs that are ready': { 'postel_jobs{app="worker",state="ready"}': always(2) } },
  },
  PostelWebhookReaderBehind: {
    series: { 'postel_webhook_cursor_lag_seconds{app="worker"}': always(600) },
    at: 5,
    labels: {},
    says: 'The reader of events is 10m 0s behind.',
    quiet: { 'some seconds': { 'postel_webhook_cursor_lag_seconds{app="worker"}': always(6) } },
  },
  PostelWebhooksOverdue: {
    series: { 'postel_webhooks_pending_oldest_seconds{app="worker"}': always(1200) },
    at: 10,
    labels: {},
    says: 'A delivery to a webhook has been due for 20m 0s and was not tried.',
    quiet: { 'none is': { 'postel_webhooks_pending_oldest_seconds{app="worker"}': always(0) } },
  },
  PostelWebhooksUnanswered: {
    series: {
      'postel_webhook_attempts_total{app="worker",result="unanswered"}': growing(9),
      'postel_webhook_attempts_total{app="worker",result="taken"}': growing(1),
    },
    at: 25,
    labels: {},
    says: '90% of the attempts of the last 30 minutes got no answer: look at our own way out first.',
    quiet: {
      'some endpoints are down': {
        'postel_webhook_attempts_total{app="worker",result="unanswered"}': growing(5),
        'postel_webhook_attempts_total{app="worker",result="taken"}': growing(5),
      },
    },
  },
}
