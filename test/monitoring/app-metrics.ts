/** The metrics that the apps make, as their source names them: starting all apps in all situations would find fewer. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRegistry } from '@postel/runtime/metrics'

const root = join(import.meta.dirname, '../..')

const sources = ['apps', 'db/src']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  )
  .filter((path) => path.endsWith('.ts') && !/node_modules|\.test\.ts$|\/testing\//.test(path))
  .map((path) => readFileSync(join(root, path), 'utf8'))
  .filter((text) => /'postel_\w+'/.test(text))

const processMetrics = createRegistry('test', { processMetrics: true })
const names = new Set(
  processMetrics
    .getMetricsAsArray()
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('postel_')),
)
processMetrics.clear()

const ofAll = ['app', 'job', 'instance', 'namespace']
const ofPrometheus: Record<string, readonly string[]> = {
  up: [],
  ALERTS: ['alertname', 'alertstate', 'severity', 'ip'],
}

/** What is wrong with a metric of this name and these labels; null: nothing. A label must stand where the metric is made. */
export function problemOf(series: string, labels: readonly string[]): string | null {
  const own = labels.filter((label) => !ofAll.includes(label))
  const given = ofPrometheus[series]
  if (given !== undefined) return unknown(series, own, (label) => given.includes(label))
  const candidates = [series, series.replace(/_(bucket|count|sum)$/, '')]
  if (candidates.some((name) => names.has(name))) return unknown(series, own, () => false)
  for (const name of candidates) {
    const making = sources.filter((text) => text.includes(`'${name}'`))
    if (making.length > 0)
      return unknown(
        series,
        own,
        (label) =>
          (label === 'le' && series.endsWith('_bucket')) ||
          making.some((text) => new RegExp(`\\b${label}\\b`).test(text)),
      )
  }
  return `no app makes ${series}`
}

function unknown(series: string, labels: readonly string[], has: (label: string) => boolean): string | null {
  const missing = labels.filter((label) => !has(label))
  return missing.length === 0 ? null : `${series} has no label ${missing.join(', ')}`
}
