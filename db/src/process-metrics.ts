/** What every process shows of its own dealings with Postgres: its pools, and the bus. */
import type { Registry } from '@postel/runtime/metrics'
import { ReadMetric, TallyHistogram } from '@postel/runtime/tally'
import type { Listener } from './bus/listener.ts'
import type { Publisher } from './bus/publisher.ts'
import { type PoolState, poolStates } from './pool-usage.ts'

export type ProcessMetricsOptions = {
  /** What the names of its connections begin with: `postel-api`. */
  app: string
  publisher?: Publisher
  listener?: Listener
}

const flushBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]

/** Registers them; call it once, when the process has been put together. */
export function addProcessMetrics(
  registry: Registry,
  { app, publisher, listener }: ProcessMetricsOptions,
): void {
  const registers = [registry]
  const pools = (type: 'gauge' | 'counter', name: string, help: string, of: (state: PoolState) => number) =>
    new ReadMetric({
      type,
      name,
      help,
      registers,
      read: () => poolStates(app).map((state) => ({ labels: { pool: state.name }, value: of(state) })),
    })
  pools('gauge', 'postel_db_pool_connections_max', 'Most connections of the pool', ({ max }) => max)
  pools(
    'gauge',
    'postel_db_pool_connections_busy',
    'Connections with a statement in progress',
    ({ busy }) => busy,
  )
  pools(
    'gauge',
    'postel_db_pool_statements_waiting',
    'Statements that wait for a free connection',
    ({ waiting }) => waiting,
  )
  pools(
    'counter',
    'postel_db_statement_failures_total',
    'Statements that ended with an error',
    ({ failures }) => failures,
  )
  if (publisher) addPublisher(registers, publisher)
  if (listener) addListener(registers, listener)
}

function addPublisher(registers: Registry[], publisher: Publisher): void {
  new ReadMetric({
    type: 'counter',
    name: 'postel_bus_notifications_sent_total',
    help: 'Notifications sent, each with many hints',
    registers,
    read: () => [{ labels: {}, value: publisher.sent }],
  })
  new ReadMetric({
    type: 'counter',
    name: 'postel_bus_notifications_lost_total',
    help: 'Notifications that could not be sent; polls make up for them',
    registers,
    read: () => [{ labels: {}, value: publisher.lost }],
  })
  const flushes = new TallyHistogram({
    name: 'postel_bus_flush_seconds',
    help: 'How long it took to send gathered notifications',
    registers,
    buckets: flushBuckets,
  }).series({})
  publisher.onFlushed = (seconds) => flushes.observe(seconds)
}

function addListener(registers: Registry[], listener: Listener): void {
  new ReadMetric({
    type: 'counter',
    name: 'postel_bus_notifications_received_total',
    help: 'Notifications heard, by channel',
    registers,
    read: () => Object.entries(listener.received).map(([channel, value]) => ({ labels: { channel }, value })),
  })
  new ReadMetric({
    type: 'counter',
    name: 'postel_bus_reconnects_total',
    help: 'Subscriptions that were built anew',
    registers,
    read: () => [{ labels: {}, value: listener.reconnects }],
  })
  new ReadMetric({
    type: 'gauge',
    name: 'postel_bus_listener_silent_seconds',
    help: 'Since the subscription was last seen to work',
    registers,
    read: () => [{ labels: {}, value: listener.silentMs / 1000 }],
  })
}
