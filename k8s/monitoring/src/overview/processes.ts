/** The processes themselves. */
import { type Row, scope } from '../dashboard.ts'
import { graph, table } from '../panel.ts'

export const processes: Row = {
  title: 'Processes',
  panels: [
    graph({
      title: 'CPU, cores',
      about:
        'A process of Postel uses little more than one core. At one, add replicas (outbound: IPs on more nodes).',
      unit: 'none',
      width: 6,
      queries: [
        {
          expr: `sum by (app, instance) (rate(process_cpu_seconds_total{${scope}}[$__rate_interval]) and on (job, instance) postel_build_info{${scope}})`,
          legend: '{{app}} {{instance}}',
        },
      ],
    }),
    graph({
      title: 'Resident memory',
      about:
        'Bounded by design. A line that only rises for days is a leak: keep a heap snapshot before you restart it.',
      unit: 'bytes',
      width: 6,
      queries: [
        {
          expr: `process_resident_memory_bytes{${scope}} and on (job, instance) postel_build_info{${scope}}`,
          legend: '{{app}} {{instance}}',
        },
      ],
    }),
    graph({
      title: 'Lag of the event loop, 99th percentile',
      about:
        'How late a process answers. Above half a second it has more work than one CPU (PostelEventLoopBlocked).',
      unit: 's',
      width: 6,
      limit: 0.5,
      queries: [
        {
          expr: `nodejs_eventloop_lag_p99_seconds{${scope}} and on (job, instance) postel_build_info{${scope}}`,
          legend: '{{app}} {{instance}}',
        },
      ],
    }),
    table({
      title: 'Processes',
      about:
        'What runs, which version, whether it is ready. Two versions for more than an hour: a rollout hangs (PostelVersionsMixed).',
      width: 6,
      height: 8,
      by: { app: 'App', instance: 'Instance', version: 'Version' },
      sort: 'App',
      columns: [
        {
          title: 'Runs',
          expr: `max by (app, instance, version) (postel_build_info{${scope}})`,
          unit: 'none',
          values: { 1: 'yes' },
        },
        {
          title: 'Ready',
          expr: `max by (app, instance) (postel_ready{${scope}})`,
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
