/** When each alert of the group processes fires, and when it does not. */
import { type AlertCase, always, everyApp, outbound, without } from './series.ts'

export const processes: Record<string, AlertCase> = {
  PostelTargetDown: {
    series: { 'up{job="postel/api",instance="10.0.0.2:9464"}': always(0) },
    at: 3,
    labels: { job: 'postel/api', instance: '10.0.0.2:9464' },
    says: '10.0.0.2:9464 of job postel/api has not answered for 3 minutes.',
    quiet: {
      'it answers': { 'up{job="postel/api",instance="10.0.0.2:9464"}': always(1) },
      'one of something else': { 'up{job="node",instance="10.0.0.2:9100"}': always(0) },
    },
  },
  PostelAppAbsent: {
    series: without('inbound'),
    at: 3,
    labels: { app: 'inbound' },
    says: 'Prometheus sees no process of inbound at all.',
    quiet: { 'all run, and ip-manager never did': everyApp },
  },
  PostelNotReady: {
    series: { 'postel_ready{app="api",instance="10.0.0.2:9464"}': always(0) },
    at: 5,
    labels: { app: 'api', instance: '10.0.0.2:9464' },
    says: 'api at 10.0.0.2:9464 runs and has not been ready for 5 minutes.',
    quiet: { 'it is ready again': { 'postel_ready{app="api"}': '0x3 1x60' } },
  },
  PostelRestarting: {
    series: {
      [`process_start_time_seconds{${outbound}}`]: '0+100x60',
      [`postel_build_info{${outbound},version="1.0.0"}`]: always(1),
    },
    at: 4,
    labels: { app: 'outbound', job: 'postel-outbound/outbound', instance: '10.0.0.1:9464' },
    says: 'outbound at 10.0.0.1:9464 has started 4 times in 30 minutes.',
    quiet: {
      'an update': {
        [`process_start_time_seconds{${outbound}}`]: '100x5 400x60',
        [`postel_build_info{${outbound},version="1.0.0"}`]: always(1),
      },
      'a program of somebody else': { 'process_start_time_seconds{job="node",instance="a:1"}': '0+100x60' },
    },
  },
  PostelEventLoopBlocked: {
    series: {
      [`nodejs_eventloop_lag_p99_seconds{${outbound}}`]: always(1.5),
      [`postel_build_info{${outbound},version="1.0.0"}`]: always(1),
    },
    at: 10,
    labels: { app: 'outbound', job: 'postel-outbound/outbound', instance: '10.0.0.1:9464' },
    says: 'outbound at 10.0.0.1:9464 answers 1.5s late (99th percentile).',
    quiet: {
      'a short peak': {
        [`nodejs_eventloop_lag_p99_seconds{${outbound}}`]: '1.5x5 0.02x60',
        [`postel_build_info{${outbound},version="1.0.0"}`]: always(1),
      },
    },
  },
  PostelVersionsMixed: {
    series: {
      'postel_build_info{app="api",version="1.0.0"}': always(1),
      'postel_build_info{app="api",version="1.1.0"}': always(1),
    },
    at: 60,
    labels: {},
    says: '2 versions of Postel have run side by side for an hour.',
    quiet: {
      'a rollout of ten minutes': {
        'postel_build_info{app="api",version="1.0.0"}': '1x10',
        'postel_build_info{app="api",version="1.1.0"}': always(1),
      },
    },
  },
}
