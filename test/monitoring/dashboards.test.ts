/** The dashboards are up to date, and are what Grafana 11 and 12 can show: nothing overlaps, every panel says what to do. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import {
  type DashboardJson,
  dashboards,
  folder,
  type PanelJson,
  panelsOf,
  withValues,
} from './dashboard-file.ts'

// biome-ignore lint/suspicious/noTemplateCurlyInString: as Grafana writes its variables
const chosenSource = '${datasource}'
const main = join(import.meta.dirname, '../../k8s/monitoring/src/main.ts')

test('the dashboards and the PrometheusRule are what `npm run monitoring` makes', () => {
  expect(() => execFileSync(process.execPath, [main, '--check'], { stdio: 'pipe' })).not.toThrow()
})

test('every dashboard is deployed, under the name of its uid', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  expect(files.length).toBeGreaterThan(4)
  expect(dashboards.map(({ uid }) => `${uid}.json`)).toEqual(files)
  const kustomization = readFileSync(join(folder, 'kustomization.yaml'), 'utf8')
  const deployed = [...kustomization.matchAll(/files: \[(.+?)\]/g)].map(([, name]) => name)
  expect(deployed.sort()).toEqual(files.sort())
})

/** kubectl apply keeps the whole object in an annotation, and all annotations together may have 256 KiB. */
test('each fits into a ConfigMap that `kubectl apply` can hold', () => {
  for (const { uid } of dashboards) {
    const text = readFileSync(join(folder, `${uid}.json`), 'utf8')
    expect(Buffer.byteLength(JSON.stringify({ data: text }))).toBeLessThan(200_000)
  }
})

describe.each(dashboards.map((dashboard) => [dashboard.title, dashboard] as const))('%s', (_, json) => {
  const panels = panelsOf(json)

  test('has a number for each panel', () => {
    const ids = json.panels.flatMap((panel) => [panel.id, ...(panel.panels ?? []).map(({ id }) => id)])
    expect(new Set(ids).size).toBe(ids.length)
    expect(json.schemaVersion).toBe(39)
  })

  test('has panels beside each other, inside 24 columns', () => {
    expect(overlapping(json)).toEqual([])
  })

  test('says in each panel what it shows, in which unit, and what to do', () => {
    const silent = panels.filter(
      ({ type, title, description, fieldConfig }) =>
        title === '' ||
        (type !== 'text' && (description ?? '').length < 25) ||
        (['stat', 'timeseries'].includes(type) && fieldConfig?.defaults.unit === undefined),
    )
    expect(silent.map(({ title }) => title)).toEqual([])
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
  })

  test('asks the data source that was chosen, of the installation that was chosen', () => {
    const asking = panels.filter(({ targets }) => targets !== undefined)
    expect(asking.filter(({ datasource }) => datasource?.uid !== chosenSource)).toEqual([])
    const unscoped = asking
      .flatMap(({ targets }) => targets ?? [])
      .filter(({ expr }) => !expr.includes('ALERTS'))
      .filter(
        ({ expr }) =>
          count(expr, /\bpostel_\w+|\bprocess_\w+|\bnodejs_\w+/g) !== count(expr, /job=~"\$job"/g),
      )
    expect(unscoped).toEqual([])
  })

  test('has only variables that it defines', () => {
    const defined = new Set(json.templating.list.map(({ name }) => name))
    const used = [...JSON.stringify(panels).matchAll(/\$\{?([a-z]\w*)/g)].map(([, name]) => name!)
    expect(used.filter((name) => !defined.has(name))).toEqual([])
    for (const { targets } of panels)
      for (const { expr } of targets ?? []) expect(withValues(expr)).not.toContain('$')
  })
})

const count = (text: string, what: RegExp) => [...text.matchAll(what)].length

function overlapping(json: DashboardJson): string[] {
  const all = json.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])
  const problems = all
    .filter(({ gridPos: { x, w, h } }) => x < 0 || w < 1 || h < 1 || x + w > 24)
    .map(({ title }) => `${title} does not fit`)
  const inside = (a: PanelJson, b: PanelJson) =>
    a.gridPos.x < b.gridPos.x + b.gridPos.w &&
    b.gridPos.x < a.gridPos.x + a.gridPos.w &&
    a.gridPos.y < b.gridPos.y + b.gridPos.h &&
    b.gridPos.y < a.gridPos.y + a.gridPos.h
  all.forEach((a, i) => {
    for (const b of all.slice(i + 1)) if (inside(a, b)) problems.push(`${a.title} lies over ${b.title}`)
  })
  return problems
}
