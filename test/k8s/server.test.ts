/**
 * An API server accepts the overlays, with its defaults, its admission and Pod Security: kubectl apply --dry-run=server, in two
 * namespaces of their own, which are made for it and deleted.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { stringify } from 'yaml'
import { type Manifest, ofKind } from './manifests.ts'
import { folder, render, renderOverlay } from './render.ts'

const hasCluster =
  Boolean(process.env.KUBECONFIG) && spawnSync('kubectl', ['version', '--client']).status === 0
const describeServer = hasCluster ? describe : describe.skip
const own = `postel-test-${randomBytes(4).toString('hex')}`

function kubectl(args: readonly string[], manifests: readonly Manifest[] = []) {
  const { status, stdout, stderr } = spawnSync('kubectl', [...args, '--request-timeout=30s'], {
    encoding: 'utf8',
    input: manifests.map((manifest) => stringify(manifest)).join('---\n'),
    maxBuffer: 64 * 1024 * 1024,
  })
  return { status, stdout, stderr }
}

/** The same in the test's namespaces. */
function moved(manifests: readonly Manifest[]): Manifest[] {
  return manifests.map((manifest) => {
    const { metadata, kind } = manifest
    const { namespace, name } = metadata
    return {
      ...manifest,
      metadata: {
        ...metadata,
        ...(namespace && { namespace: namespace.replace('postel', own) }),
        ...(kind === 'Namespace' && { name: name.replace('postel', own) }),
      },
    }
  })
}

describeServer("a cluster's API server [needs KUBECONFIG and kubectl]", () => {
  beforeAll(() => {
    const namespaces = ofKind(moved(render(join(folder, 'overlays/production'))), 'Namespace')
    const { status, stderr } = kubectl(['apply', '-f', '-'], namespaces)
    if (status !== 0) throw new Error(stderr)
  })
  afterAll(() => {
    kubectl(['delete', 'namespace', own, `${own}-outbound`, '--ignore-not-found', '--wait=false'])
  })

  test.each([
    ['production', () => render(join(folder, 'overlays/production'))],
    ['dev', () => render(join(folder, 'overlays/dev'))],
    [
      'production with what needs no custom resources',
      () =>
        renderOverlay(`
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../production]
components:
  - ../../components/tls
  - ../../components/ingress
  - ../../components/proxy-protocol
  - ../../components/outbound-nodes
  - ../../components/ip-agent
  - ../../components/admin
transformers: [../../transformers/version]
`),
    ],
  ])('accepts %s, and finds nothing against Pod Security', (_name, read) => {
    const { status, stderr } = kubectl(
      ['apply', '--dry-run=server', '--validate=strict', '-f', '-'],
      moved(read()),
    )
    expect({
      status,
      stderr: stderr.split('\n').filter((line) => /error|PodSecurity|unknown/i.test(line)),
    }).toEqual({
      status: 0,
      stderr: [],
    })
  })
})
