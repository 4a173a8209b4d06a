/** When each alert of the group delivery fires, and when it does not. */
import { type AlertCase, always, atProvider, deliveries, growing } from './series.ts'

export const delivery: Record<string, AlertCase> = {
  PostelQueueOld: {
    series: {
      'postel_queue_wait_oldest_seconds{app="worker",instance="a",ip="192.0.2.1"}': always(2700),
      'postel_queue_wait_oldest_seconds{app="worker",instance="b",ip="192.0.2.1"}': always(2690),
    },
    at: 5,
    labels: { ip: '192.0.2.1' },
    says: 'The first row of 192.0.2.1 could have been sent 45m 0s ago.',
    quiet: {
      'ten minutes': { 'postel_queue_wait_oldest_seconds{app="worker",ip="192.0.2.1"}': always(600) },
    },
  },
  PostelQueueStuck: {
    series: {
      'postel_queue_wait_oldest_seconds{app="worker",ip="192.0.2.1"}': always(1200),
      'postel_suspensions{app="worker",kind="domain"}': always(0),
      ...deliveries('delivered', 0),
    },
    at: 5,
    labels: {},
    says: 'A row could have been sent 20m 0s ago, and not one recipient was tried in 10 minutes.',
    quiet: {
      'other mail leaves': {
        'postel_queue_wait_oldest_seconds{app="worker",ip="192.0.2.1"}': always(1200),
        ...deliveries('deferred', 1),
      },
      'it is suspended by a person': {
        'postel_queue_wait_oldest_seconds{app="worker",ip="192.0.2.1"}': always(1200),
        'postel_suspensions{app="worker",kind="domain"}': always(1),
      },
      'nothing to send': { 'postel_queue_wait_oldest_seconds{app="worker",ip="192.0.2.1"}': always(0) },
    },
  },
  PostelReleaseLate: {
    series: { 'postel_waiting_overdue_seconds{app="worker"}': always(400) },
    at: 5,
    labels: {},
    says: 'A row should have gone back to the queue 6m 40s ago.',
    quiet: { 'the minute of the sweep': { 'postel_waiting_overdue_seconds{app="worker"}': always(70) } },
  },
  PostelDeferralsHigh: {
    series: { ...deliveries('delivered', 30), ...deliveries('deferred', 30) },
    at: 17,
    labels: {},
    says: '50% of the recipients tried in the last 30 minutes were deferred.',
    quiet: {
      'a tenth': { ...deliveries('delivered', 90), ...deliveries('deferred', 10) },
      'two recipients in the night': deliveries('deferred', 0.1),
    },
  },
  PostelProviderDefers: {
    series: { ...atProvider('google', 'delivered', 10), ...atProvider('google', 'deferred', 30) },
    at: 33,
    labels: { provider: 'google' },
    says: 'google deferred 75% of the recipients tried there in the last 30 minutes.',
    quiet: {
      'the others together': { ...atProvider('other', 'deferred', 40) },
      'a third': { ...atProvider('google', 'delivered', 20), ...atProvider('google', 'deferred', 10) },
    },
  },
  PostelInDoubt: {
    series: {
      'postel_deliveries_in_doubt_total{app="outbound"}': growing(1),
      'postel_delivery_seconds_count{app="outbound"}': growing(50),
    },
    at: 15,
    labels: {},
    says: 'For 2% of the messages the reply to the final dot was not seen; recipients may get them twice.',
    quiet: {
      'one in a thousand': {
        'postel_deliveries_in_doubt_total{app="outbound"}': growing(1),
        'postel_delivery_seconds_count{app="outbound"}': growing(1000),
      },
    },
  },
  PostelOutcomesUnrecorded: {
    series: { 'postel_outbound_unrecorded{app="outbound",instance="10.0.0.1:9464"}': always(5000) },
    at: 3,
    labels: { app: 'outbound', instance: '10.0.0.1:9464' },
    says: '10.0.0.1:9464 cannot record what it has sent (5000 outcomes or failed batches). If it dies now, this mail goes out again.',
    quiet: {
      'a batch under way': { 'postel_outbound_unrecorded{app="outbound"}': always(200) },
      'one failure': { 'postel_outcome_record_failures_total{app="outbound"}': '0x5 1x100' },
    },
  },
}
