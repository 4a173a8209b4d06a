/** Prometheus metrics of a process: one registry per service, so that several can live in one process in tests. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export { Counter, Gauge, Histogram, Registry }

/** A registry labelled with the app's name, with Node's own process metrics when asked for. */
export function createRegistry(app: string, options: { processMetrics?: boolean } = {}): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ app })
  if (options.processMetrics) collectDefaultMetrics({ register: registry })
  return registry
}
