/** Prometheus metrics of a process: one registry per service, so that several can live in one process in tests. */
import { readFileSync } from 'node:fs'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export { Counter, Gauge, Histogram, Registry }

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}

/** A registry labelled with the app's name, with Node's own process metrics when asked for. */
export function createRegistry(app: string, options: { processMetrics?: boolean } = {}): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ app })
  new Gauge({
    name: 'postel_build_info',
    help: 'The version that runs; always 1',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1)
  if (options.processMetrics) collectDefaultMetrics({ register: registry })
  return registry
}
