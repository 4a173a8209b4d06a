/** What a cluster gets: the alerts as a PrometheusRule, the dashboards as ConfigMaps, in the namespace of the apps. */
import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { renderers, renderOverlay } from '../k8s/render.ts'
import { dashboards } from './dashboard-file.ts'
import { rulesFile } from './rule-file.ts'

const withRenderer = renderers.length > 0 ? test : test.skip

withRenderer('the components carry the rules and every dashboard [needs kubectl or kustomize]', () => {
  const rendered = renderOverlay(`
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
components: [../../components/alerts, ../../components/dashboards]
`) as unknown as Record<string, unknown>[]
  const [rule, ...others] = rendered.filter(({ kind }) => kind === 'PrometheusRule')
  expect(others).toEqual([])
  expect(rule!.spec).toEqual(parse(readFileSync(rulesFile, 'utf8')))
  const maps = rendered.filter(({ kind }) => kind === 'ConfigMap')
  expect(maps.flatMap(({ data }) => Object.keys(data as object)).sort()).toEqual(
    dashboards.map(({ uid }) => `${uid}.json`).sort(),
  )
  for (const { metadata } of rendered) expect(metadata).toMatchObject({ namespace: 'postel' })
  for (const { metadata } of maps) expect(metadata).toMatchObject({ labels: { grafana_dashboard: '1' } })
})
