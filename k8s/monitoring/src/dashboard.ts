/** The JSON of a Grafana dashboard (11 and 12; schema version 39) from a short description: rows of panels, packed by width. */
import { type Panel, source } from './panel.ts'

export type Row = { title: string; panels: Panel[]; collapsed?: boolean }

/** A variable whose values Prometheus knows. */
export type Choice = {
  name: string
  label: string
  /** e.g. `label_values(postel_ip_held, ip)` */
  query: string
  /** Several values, or all; else exactly one. */
  many: boolean
}

export type Dashboard = {
  uid: string
  title: string
  description: string
  /** How far back it looks, e.g. `now-6h`. */
  from: string
  choices?: Choice[]
  rows: Row[]
}

/** The label matchers that every query begins with: which installation is looked at. */
export const scope = 'namespace=~"$namespace",job=~"$job"'

/**
 * How much of a counter's growth has the matcher `part`, 0 to 1, by labels or in all. 0, not nothing, where the rest grows and that part has
 * never been.
 */
export function shareOf(
  counter: string,
  options: { of: string; part: string; by?: string; window?: string },
): string {
  const { of, part, by, window = '$__rate_interval' } = options
  const sum = by === undefined ? 'sum' : `sum by (${by})`
  const all = `${sum} (rate(${counter}{${of}}[${window}]))`
  return `(${sum} (rate(${counter}{${of},${part}}[${window}])) or 0 * ${all}) / ${all}`
}

/** What Grafana reads from a file. Panels are numbered from 1 in their order, so that a change shows as a small difference. */
export function renderDashboard(dashboard: Dashboard): Record<string, unknown> {
  return {
    uid: dashboard.uid,
    title: dashboard.title,
    description: dashboard.description,
    tags: ['postel'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    timezone: 'browser',
    refresh: '30s',
    time: { from: dashboard.from, to: 'now' },
    templating: { list: [dataSource, ...[...installation, ...(dashboard.choices ?? [])].map(variable)] },
    annotations: { list: [firingAlerts] },
    links: [otherDashboards],
    panels: place(dashboard.rows),
  }
}

const dataSource = {
  name: 'datasource',
  label: 'Prometheus',
  type: 'datasource',
  query: 'prometheus',
  current: {},
  hide: 0,
  includeAll: false,
  multi: false,
  options: [],
  refresh: 1,
  regex: '',
}

const installation: Choice[] = [
  {
    name: 'namespace',
    label: 'Namespace',
    query: 'label_values(postel_build_info, namespace)',
    many: true,
  },
  {
    name: 'job',
    label: 'Job',
    query: 'label_values(postel_build_info{namespace=~"$namespace"}, job)',
    many: true,
  },
]

function variable({ name, label, query, many }: Choice) {
  return {
    name,
    label,
    type: 'query',
    datasource: source,
    definition: query,
    // 1: by label_values
    query: { qryType: 1, query, refId: 'PrometheusVariableQueryEditor-VariableQuery' },
    refresh: 2,
    regex: '',
    sort: 1,
    hide: 0,
    multi: many,
    includeAll: many,
    // also what has no such label: a plain Prometheus sets no namespace
    ...(many && { allValue: '.*', current: { selected: true, text: ['All'], value: ['$__all'] } }),
    ...(!many && { current: {} }),
    options: [],
  }
}

const firingAlerts = {
  name: 'Critical alerts',
  datasource: source,
  enable: true,
  iconColor: 'red',
  expr: 'ALERTS{alertname=~"Postel.*",alertstate="firing",severity="critical"}',
  step: '60s',
  titleFormat: '{{alertname}}',
  textFormat: '{{ip}} {{instance}}',
}

const otherDashboards = {
  title: 'Postel',
  type: 'dashboards',
  tags: ['postel'],
  asDropdown: true,
  includeVars: true,
  keepTime: true,
  targetBlank: false,
  icon: 'external link',
  tooltip: '',
  url: '',
}

const columns = 24

function place(rows: Row[]): Record<string, unknown>[] {
  const placed: Record<string, unknown>[] = []
  let id = 0
  let y = 0
  for (const row of rows) {
    const header = {
      id: ++id,
      type: 'row',
      title: row.title,
      collapsed: row.collapsed ?? false,
      gridPos: { x: 0, y: y++, w: columns, h: 1 },
    }
    const inside: Record<string, unknown>[] = []
    let x = 0
    let height = 0
    for (const panel of row.panels) {
      if (x + panel.width > columns) {
        y += height
        x = 0
        height = 0
      }
      inside.push({
        id: ++id,
        ...panel.json,
        datasource: source,
        gridPos: { x, y, w: panel.width, h: panel.height },
      })
      x += panel.width
      height = Math.max(height, panel.height)
    }
    y += height
    // Grafana keeps the panels of a closed row inside it
    if (row.collapsed) placed.push({ ...header, panels: inside })
    else placed.push({ ...header, panels: [] }, ...inside)
  }
  return placed
}
