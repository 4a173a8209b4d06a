/** Pods come, go and are replaced without losing connections, mail or the means to apply the next version. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Rule } from '../lint.ts'
import { entryOf, ofKind, selects, titleOf, workloadsOf } from '../manifests.ts'
import { root } from '../render.ts'

type Selector = Parameters<typeof selects>[0]

/** How long a process may take to stop, from run-service.ts. */
const stopSeconds =
  Number(
    /stopDeadlineMs \?\? ([\d_]+)/
      .exec(readFileSync(join(root, 'apps/lib/runtime/src/run-service.ts'), 'utf8'))![1]!
      .replaceAll('_', ''),
  ) / 1000

const gracePeriods: Rule = (manifests) =>
  workloadsOf(manifests)
    .filter(({ isService, containers }) => isService && containers.some(entryOf))
    .flatMap(({ title, pod, containers }) => {
      const before = Math.max(...containers.map(({ lifecycle }) => lifecycle?.preStop?.sleep?.seconds ?? 0))
      const needed = before + stopSeconds
      return (pod.terminationGracePeriodSeconds ?? 30) > needed
        ? []
        : [`${title}: is killed before it can have stopped, which may take ${needed} s`]
    })

/** Endpoints go in the background: a pod that stops at once would refuse connections that are still sent to it. */
const preStops: Rule = (manifests) =>
  workloadsOf(manifests)
    .filter(({ containers }) => containers.some(entryOf))
    .filter(({ namespace, labels }) =>
      ofKind(manifests, 'Service').some(
        ({ metadata, spec }) =>
          metadata.namespace === namespace &&
          selects({ matchLabels: spec!.selector as Record<string, string> }, labels),
      ),
    )
    .filter(
      ({ containers }) =>
        !containers.every(({ lifecycle }) => (lifecycle?.preStop?.sleep?.seconds ?? 0) >= 5),
    )
    .map(({ title }) => `${title}: is behind a Service and does not wait before it stops`)

const updates: Rule = (manifests) => [
  ...ofKind(manifests, 'Deployment').flatMap((deployment) => {
    const { rollingUpdate } = (deployment.spec!.strategy ?? {}) as {
      rollingUpdate?: { maxUnavailable: unknown; maxSurge: unknown }
    }
    return rollingUpdate?.maxUnavailable === 0 && rollingUpdate.maxSurge === 1
      ? []
      : [`${titleOf(deployment)}: takes a pod away before its successor is ready`]
  }),
  ...ofKind(manifests, 'DaemonSet').flatMap((set) => {
    const { rollingUpdate } = (set.spec!.updateStrategy ?? {}) as {
      rollingUpdate?: { maxUnavailable: unknown }
    }
    return rollingUpdate?.maxUnavailable === 1
      ? []
      : [`${titleOf(set)}: stops on more than one node at a time`]
  }),
]

const budgets: Rule = (manifests) =>
  ofKind(manifests, 'Deployment').flatMap((deployment) => {
    const budget = ofKind(manifests, 'PodDisruptionBudget').find(
      ({ metadata, spec }) =>
        metadata.namespace === deployment.metadata.namespace &&
        selects(spec!.selector as Selector, labelsOf(deployment.spec!)),
    )
    if (!budget) return [`${titleOf(deployment)}: has no PodDisruptionBudget`]
    // minAvailable, as many as there are, would keep a node from ever being drained
    return budget.spec!.maxUnavailable === 1 ? [] : [`${titleOf(budget)}: does not let one pod go`]
  })

const labelsOf = (spec: Record<string, unknown>) =>
  (spec.template as { metadata: { labels: Record<string, string> } }).metadata.labels

/** Over zones and hosts; preferred only, because one node must be enough. */
const spread: Rule = (manifests) =>
  workloadsOf(manifests)
    .filter(({ manifest }) => manifest.kind === 'Deployment')
    .flatMap(({ title, pod, labels }) => {
      const constraints = pod.topologySpreadConstraints ?? []
      const missing = ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].filter(
        (key) => !constraints.some(({ topologyKey }) => topologyKey === key),
      )
      return [
        ...missing.map((key) => `${title}: is not spread over ${key}`),
        ...constraints
          .filter(({ labelSelector }) => !selects(labelSelector as Selector, labels))
          .map(({ topologyKey }) => `${title}: over ${topologyKey} it spreads pods of others`),
        ...constraints
          .filter(({ whenUnsatisfiable }) => whenUnsatisfiable !== 'ScheduleAnyway')
          .map(({ topologyKey }) => `${title}: has no place where there is only one ${topologyKey}`),
      ]
    })

/** A Job cannot be changed, so each version has its own, and nothing in it changes with the configuration. */
const migration: Rule = (manifests) =>
  ofKind(manifests, 'Job')
    .filter((job) => job.metadata.labels?.['app.kubernetes.io/name'] === 'migrate')
    .flatMap((job) => {
      const [container] = workloadsOf([job])[0]!.containers
      const tag = /:([^/:@]+)(@.*)?$/.exec(container!.image!)?.[1]
      const references = (container!.envFrom ?? []).map(({ configMapRef }) => configMapRef?.name ?? '')
      return [
        ...(job.metadata.name === `migrate-${tag}`
          ? []
          : [`${titleOf(job)}: is not named after its version, ${tag}`]),
        ...(job.spec!.ttlSecondsAfterFinished === undefined
          ? []
          : [`${titleOf(job)}: would be gone when an older version is applied again, and run once more`]),
        ...references
          .filter((name) => /-[a-z0-9]{10}$/.test(name))
          .map((name) => `${titleOf(job)}: refers to ${name}, whose name changes with the configuration`),
      ]
    })

/** Every process of Postel's own is of one version, and from one place. */
const oneVersion: Rule = (manifests) => {
  const images = workloadsOf(manifests).flatMap(({ containers }) =>
    containers
      .filter(entryOf)
      .map(({ image }) => image!.replace(/postel-(agent|backup):/, 'postel:').split('@')[0]!),
  )
  const found = [...new Set(images)]
  return found.length <= 1 ? [] : [`Images ${found.join(', ')}: are not of one version`]
}

export const rolloutRules: readonly Rule[] = [
  gracePeriods,
  preStops,
  updates,
  budgets,
  spread,
  migration,
  oneVersion,
]
