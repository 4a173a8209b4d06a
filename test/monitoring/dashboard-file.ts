/** The dashboards as Grafana reads them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export type Placed = { x: number; y: number; w: number; h: number }

export type PanelJson = {
  id: number
  type: string
  title: string
  description?: string
  gridPos: Placed
  targets?: { refId: string; expr: string }[]
  fieldConfig?: { defaults: { unit?: string } }
  datasource?: { type: string; uid: string }
  panels?: PanelJson[]
}

export type DashboardJson = {
  uid: string
  title: string
  schemaVersion: number
  panels: PanelJson[]
  templating: { list: { name: string; type: string; query: string | { query: string } }[] }
  annotations: { list: { expr: string }[] }
}

export const folder = join(import.meta.dirname, '../../k8s/monitoring/dashboards')

export const dashboards: readonly DashboardJson[] = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))

/** Panels of closed rows too; without the rows. */
export function panelsOf({ panels }: DashboardJson): PanelJson[] {
  return panels.flatMap((panel) => (panel.type === 'row' ? (panel.panels ?? []) : [panel]))
}

export function expressionsOf(json: DashboardJson): string[] {
  return [
    ...panelsOf(json).flatMap(({ targets }) => (targets ?? []).map(({ expr }) => expr)),
    ...json.annotations.list.map(({ expr }) => expr),
  ]
}

/** What Grafana would ask: its variables by values. */
export function withValues(text: string): string {
  return text
    .replaceAll('$__rate_interval', '5m')
    .replaceAll(/\$(namespace|job|ip|provider)\b/g, '.*')
    .replaceAll('$project', '00000000-0000-7000-8000-000000000000')
}

/** The metric and the label that each variable takes its values from. */
export function queriesOf(json: DashboardJson): { metric: string; label: string }[] {
  return json.templating.list.flatMap(({ type, query }) => {
    if (type !== 'query' || typeof query === 'string') return []
    const [, metric, label] = query.query.match(/^label_values\((\w+)(?:\{[^}]*\})?, (\w+)\)$/) ?? []
    if (metric === undefined || label === undefined) throw new Error(`not understood: ${query.query}`)
    return [{ metric, label }]
  })
}
