/** Kubernetes' objects as the rules look at them. */
import type { IContainer, IEnvVar, IPodSpec } from 'kubernetes-models/v1'

export type Manifest = {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  spec?: Record<string, unknown>
  data?: Record<string, string>
  automountServiceAccountToken?: boolean
  value?: number
}

/** Anything that makes pods. */
export type Workload = {
  manifest: Manifest
  /** "Deployment postel/api" */
  title: string
  namespace: string
  labels: Record<string, string>
  pod: IPodSpec
  containers: IContainer[]
  /** Runs until it is told to stop. */
  isService: boolean
}

type Template = { metadata?: { labels?: Record<string, string> }; spec: IPodSpec }

export const titleOf = ({ kind, metadata }: Manifest) =>
  `${kind} ${metadata.namespace ? `${metadata.namespace}/` : ''}${metadata.name}`

export function ofKind(manifests: readonly Manifest[], kind: string): Manifest[] {
  return manifests.filter((manifest) => manifest.kind === kind)
}

export function find(
  manifests: readonly Manifest[],
  kind: string,
  name: string,
  namespace?: string,
): Manifest | undefined {
  return manifests.find(
    ({ kind: ofKind, metadata }) =>
      ofKind === kind &&
      metadata.name === name &&
      (namespace === undefined || metadata.namespace === namespace),
  )
}

export function workloadsOf(manifests: readonly Manifest[]): Workload[] {
  return manifests.flatMap((manifest) => {
    const template = templateOf(manifest)
    if (!template) return []
    const { spec: pod } = template
    return {
      manifest,
      title: titleOf(manifest),
      namespace: manifest.metadata.namespace ?? 'default',
      labels: template.metadata?.labels ?? {},
      pod,
      containers: [...(pod.initContainers ?? []), ...pod.containers],
      isService: ['Deployment', 'DaemonSet', 'StatefulSet'].includes(manifest.kind),
    }
  })
}

function templateOf({ kind, spec }: Manifest): Template | undefined {
  if (['Deployment', 'DaemonSet', 'StatefulSet', 'Job'].includes(kind)) return spec!.template as Template
  if (kind === 'CronJob') return (spec!.jobTemplate as { spec: { template: Template } }).spec.template
  return undefined
}

/** Postel's own process that the container runs: "apps/api/src/main.ts"; undefined for other programs. */
export function entryOf({ command = [] }: IContainer): string | undefined {
  return command[0] === 'node' ? command[1] : undefined
}

/** The container's variables, with those of its ConfigMaps, as they would be told to the process. */
export function variablesOf(
  container: IContainer,
  namespace: string,
  manifests: readonly Manifest[],
): IEnvVar[] {
  const shared = (container.envFrom ?? []).flatMap(({ configMapRef }) =>
    Object.entries(find(manifests, 'ConfigMap', configMapRef?.name ?? '', namespace)?.data ?? {}),
  )
  return [...shared.map(([name, value]) => ({ name, value })), ...(container.env ?? [])]
}

type Selector = {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}

/** Whether Kubernetes' label selector takes these labels. An empty one takes all. */
export function selects(
  { matchLabels = {}, matchExpressions = [] }: Selector,
  labels: Record<string, string>,
): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const has = key in labels
      if (operator === 'Exists') return has
      if (operator === 'DoesNotExist') return !has
      const listed = has && values.includes(labels[key]!)
      return operator === 'In' ? listed : !listed
    })
  )
}
