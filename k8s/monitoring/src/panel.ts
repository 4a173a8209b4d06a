/** The kinds of panels that the dashboards use, with defaults that need no second thought. */

export type Panel = { width: number; height: number; json: Record<string, unknown> }

/** The data source that the person has chosen. */
export const source = { type: 'prometheus', uid: `\${datasource}` }

export type Query = { expr: string; legend?: string }

/** Grafana's name of a unit. */
export type Unit =
  | 'short'
  | 'percentunit'
  | 's'
  | 'bytes'
  | 'Bps'
  | 'ops'
  | 'reqps'
  | 'none'
  | 'd'
  | 'dateTimeFromNow'
  | 'bool_yes_no'

/** From which value on a colour holds; the first is for all below. */
export type Steps = [colour: 'green' | 'yellow' | 'red' | 'blue' | 'text', from: number | null][]

type Common = {
  /** What it shows, with the unit where the axis alone would not say it. */
  title: string
  /** What it means and what to do when it looks wrong. */
  about: string
  unit: Unit
  width?: number
  height?: number
  steps?: Steps
  decimals?: number
}

const plain: Steps = [['green', null]]

function shared({ title, about }: Common) {
  return { title, description: about }
}

function defaults({ unit, steps, decimals }: Common) {
  return {
    unit,
    ...(decimals !== undefined && { decimals }),
    color: { mode: steps === undefined ? 'palette-classic' : 'thresholds' },
    thresholds: {
      mode: 'absolute',
      steps: (steps ?? plain).map(([color, value]) => ({ color, value })),
    },
  }
}

function targets(queries: Query[], options: { instant?: boolean; table?: boolean } = {}) {
  return queries.map(({ expr, legend }, i) => ({
    refId: String.fromCharCode(65 + i),
    datasource: source,
    editorMode: 'code',
    expr: expr.replace(/\s+/g, ' ').trim(),
    legendFormat: legend ?? '__auto',
    range: !options.instant,
    instant: options.instant ?? false,
    ...(options.table && { format: 'table' }),
  }))
}

/** One number, as it is now. `none` is what it says when there is no series. */
export function stat(
  panel: Common & { query: string; legend?: string; none?: string; values?: Record<string, string> },
): Panel {
  const { query, legend, none, values } = panel
  const named = Object.entries(values ?? {}).map(([value, text], index) => [value, { text, index }])
  return {
    width: panel.width ?? 4,
    height: panel.height ?? 4,
    json: {
      type: 'stat',
      ...shared(panel),
      targets: targets([{ expr: query, ...(legend !== undefined && { legend }) }], { instant: true }),
      fieldConfig: {
        defaults: {
          ...defaults({ ...panel, steps: panel.steps ?? plain }),
          ...(none !== undefined && { noValue: none }),
          ...(named.length > 0 && {
            mappings: [{ type: 'value', options: Object.fromEntries(named) }],
          }),
        },
        overrides: [],
      },
      options: {
        colorMode: 'value',
        graphMode: 'none',
        justifyMode: 'auto',
        orientation: 'auto',
        textMode: legend === undefined ? 'value' : 'value_and_name',
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      },
    },
  }
}

/** Lines over time. `limit` draws a line where an alert begins. */
export function graph(
  panel: Common & { queries: Query[]; stacked?: boolean; max?: number; limit?: number; log?: boolean },
): Panel {
  const { queries, stacked = false, max, limit, log = false } = panel
  const { steps: _, ...rest } = panel
  return {
    width: panel.width ?? 8,
    height: panel.height ?? 8,
    json: {
      type: 'timeseries',
      ...shared(panel),
      targets: targets(queries),
      fieldConfig: {
        defaults: {
          ...defaults(rest),
          ...(limit !== undefined && {
            thresholds: {
              mode: 'absolute',
              steps: [
                { color: 'transparent', value: null },
                { color: 'red', value: limit },
              ],
            },
          }),
          min: log ? undefined : 0,
          max,
          custom: {
            drawStyle: 'line',
            lineInterpolation: 'linear',
            lineWidth: 1,
            fillOpacity: stacked ? 30 : 8,
            showPoints: 'never',
            spanNulls: false,
            stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
            thresholdsStyle: { mode: limit === undefined ? 'off' : 'dashed' },
            scaleDistribution: log ? { type: 'log', log: 10 } : { type: 'linear' },
          },
        },
        overrides: [],
      },
      options: {
        legend: {
          displayMode: 'table',
          placement: 'bottom',
          showLegend: true,
          calcs: ['lastNotNull', 'max'],
        },
        tooltip: { mode: 'multi', sort: 'desc' },
      },
    },
  }
}

export type Column = {
  title: string
  /** By the labels of the table; instant. */
  expr: string
  unit: Unit
  steps?: Steps
  values?: Record<string, string>
}

/** One line for each value of the labels `by`, a column for each query. A click on `link.label` opens another dashboard for it. */
export function table(
  panel: Omit<Common, 'unit' | 'steps'> & {
    by: Record<string, string>
    columns: Column[]
    sort: string
    link?: { label: string; uid: string; title: string }
  },
): Panel {
  const { by, columns, sort, link } = panel
  const ref = (i: number) => `Value #${String.fromCharCode(65 + i)}`
  return {
    width: panel.width ?? 24,
    height: panel.height ?? 9,
    json: {
      type: 'table',
      title: panel.title,
      description: panel.about,
      targets: targets(columns, { instant: true, table: true }),
      transformations: [
        { id: 'merge', options: {} },
        {
          id: 'organize',
          options: {
            excludeByName: { Time: true },
            indexByName: Object.fromEntries(
              [...Object.keys(by), ...columns.map((_, i) => ref(i))].map((name, i) => [name, i]),
            ),
            renameByName: {
              ...by,
              ...Object.fromEntries(columns.map(({ title }, i) => [ref(i), title])),
            },
          },
        },
      ],
      fieldConfig: {
        defaults: { custom: { align: 'auto', filterable: true } },
        overrides: [
          ...columns.map((column) => ({
            matcher: { id: 'byName', options: column.title },
            properties: [
              { id: 'unit', value: column.unit },
              ...(column.unit === 'percentunit' ? [{ id: 'decimals', value: 1 }] : []),
              ...(column.steps === undefined
                ? []
                : [
                    {
                      id: 'thresholds',
                      value: {
                        mode: 'absolute',
                        steps: column.steps.map(([color, value]) => ({ color, value })),
                      },
                    },
                    { id: 'custom.cellOptions', value: { type: 'color-text' } },
                  ]),
              ...(column.values === undefined
                ? []
                : [
                    {
                      id: 'mappings',
                      value: [
                        {
                          type: 'value',
                          options: Object.fromEntries(
                            Object.entries(column.values).map(([value, text], index) => [
                              value,
                              { text, index },
                            ]),
                          ),
                        },
                      ],
                    },
                  ]),
            ],
          })),
          ...(link === undefined
            ? []
            : [
                {
                  matcher: { id: 'byName', options: by[link.label] },
                  properties: [
                    {
                      id: 'links',
                      value: [
                        {
                          title: link.title,
                          url: `/d/${link.uid}?var-${link.label}=\${__value.raw}&\${datasource:queryparam}&\${namespace:queryparam}&\${job:queryparam}&\${__url_time_range}`,
                        },
                      ],
                    },
                  ],
                },
              ]),
        ],
      },
      options: { showHeader: true, cellHeight: 'sm', sortBy: [{ displayName: sort, desc: true }] },
    },
  }
}

/** Words on the dashboard itself. */
export function note(panel: { title: string; text: string; width?: number; height?: number }): Panel {
  return {
    width: panel.width ?? 24,
    height: panel.height ?? 4,
    json: {
      type: 'text',
      title: panel.title,
      description: '',
      options: { mode: 'markdown', content: panel.text },
    },
  }
}
