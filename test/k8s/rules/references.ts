/** Whatever one object says about another is true. */
import type { IVolume } from 'kubernetes-models/v1'
import { givenConfigMaps, givenSecrets } from '../given-secrets.ts'
import type { Rule } from '../lint.ts'
import { find, type Manifest, ofKind, selects, titleOf, type Workload, workloadsOf } from '../manifests.ts'

type Selector = Parameters<typeof selects>[0]

/** Two objects of one name would be one. */
const unique: Rule = (manifests) => {
  const titles = manifests.map((manifest) => `${manifest.apiVersion} ${titleOf(manifest)}`)
  return titles
    .filter((title, index) => titles.indexOf(title) !== index)
    .map((title) => `${title}: is there twice`)
}

const clusterScoped = new Set(['Namespace', 'PriorityClass'])

const namespaces: Rule = (manifests) =>
  manifests
    .filter(({ kind }) => !clusterScoped.has(kind))
    .filter(({ metadata }) => !find(manifests, 'Namespace', metadata.namespace ?? ''))
    .map((manifest) => `${titleOf(manifest)}: is in no namespace of these`)

/** A Deployment that does not select its own pods is refused; one that selects another's would fight with it. */
const selectorsOfWorkloads: Rule = (manifests) =>
  workloadsOf(manifests)
    .filter(({ isService }) => isService)
    .flatMap(({ manifest, title, labels }) => {
      const selector = manifest.spec!.selector as Selector
      const others = workloadsOf(manifests).filter(
        (other) => other.title !== title && other.namespace === manifest.metadata.namespace,
      )
      return [
        ...(selects(selector, labels) ? [] : [`${title}: selects not its own pods`]),
        ...others
          .filter((other) => selects(selector, other.labels))
          .map((other) => `${title}: selects the pods of ${other.title}`),
      ]
    })

const services: Rule = (manifests) =>
  ofKind(manifests, 'Service').flatMap((service) => {
    const { selector, ports } = service.spec as {
      selector: Record<string, string>
      ports: { name: string; targetPort: string | number }[]
    }
    const found = podsOf(manifests, service.metadata.namespace, { matchLabels: selector })
    if (found.length !== 1)
      return [`${titleOf(service)}: selects the pods of ${found.length} workloads, not of one`]
    return ports
      .filter(({ targetPort }) => !portsOf(found[0]!).has(targetPort))
      .map(
        ({ name, targetPort }) =>
          `${titleOf(service)}: port ${name} leads to ${targetPort}, which no container has`,
      )
  })

const ingresses: Rule = (manifests) =>
  ofKind(manifests, 'Ingress').flatMap((ingress) => {
    const { rules } = ingress.spec as {
      rules: { http: { paths: { backend: { service: { name: string; port: { name: string } } } }[] } }[]
    }
    return rules
      .flatMap(({ http }) => http.paths.map(({ backend }) => backend.service))
      .filter(({ name, port }) => {
        const service = find(manifests, 'Service', name, ingress.metadata.namespace)
        const ports = (service?.spec?.ports ?? []) as { name: string }[]
        return !ports.some((each) => each.name === port.name)
      })
      .map(({ name, port }) => `${titleOf(ingress)}: there is no Service ${name} with a port ${port.name}`)
  })

const podMonitors: Rule = (manifests) =>
  ofKind(manifests, 'PodMonitor').flatMap((monitor) => {
    const title = titleOf(monitor)
    const { selector, podMetricsEndpoints } = monitor.spec as {
      selector: Selector
      podMetricsEndpoints: {
        port: string
        authorization?: { credentials: { name: string; key: string } }
      }[]
    }
    const found = podsOf(manifests, monitor.metadata.namespace, selector)
    if (found.length === 0) return [`${title}: selects no pods`]
    return podMetricsEndpoints.flatMap(({ port, authorization }) => [
      ...found
        .filter((workload) => !portsOf(workload).has(port))
        .map((workload) => `${title}: ${workload.title} has no port ${port}`),
      ...(authorization
        ? secretProblems(manifests, title, monitor.metadata.namespace!, authorization.credentials)
        : []),
    ])
  })

/** What a HorizontalPodAutoscaler or a PodDisruptionBudget is for. */
const targets: Rule = (manifests) => [
  ...ofKind(manifests, 'HorizontalPodAutoscaler').flatMap((scaler) => {
    const { kind, name } = scaler.spec!.scaleTargetRef as { kind: string; name: string }
    const target = find(manifests, kind, name, scaler.metadata.namespace)
    if (!target) return [`${titleOf(scaler)}: there is no ${kind} ${name}`]
    return target.spec!.replicas === undefined
      ? []
      : [`${titleOf(target)}: has replicas, which each apply would set against ${titleOf(scaler)}`]
  }),
  ...ofKind(manifests, 'PodDisruptionBudget').flatMap((budget) =>
    podsOf(manifests, budget.metadata.namespace, budget.spec!.selector as Selector).length === 1
      ? []
      : [`${titleOf(budget)}: is not for the pods of one workload`],
  ),
]

const volumes: Rule = (manifests) =>
  workloadsOf(manifests).flatMap(({ title, pod, containers, manifest }) => {
    const claims = (manifest.spec!.volumeClaimTemplates ?? []) as { metadata: { name: string } }[]
    const declared = [...(pod.volumes ?? []), ...claims.map(({ metadata }) => metadata)].map(
      ({ name }) => name,
    )
    const mounted = containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name))
    return [
      ...mounted
        .filter((name) => !declared.includes(name))
        .map((name) => `${title}: mounts the volume ${name}, which is not declared`),
      ...declared
        .filter((name) => !mounted.includes(name))
        .map((name) => `${title}: declares the volume ${name} and mounts it nowhere`),
    ]
  })

const serviceAccounts: Rule = (manifests) =>
  workloadsOf(manifests)
    .filter(
      ({ pod, namespace }) => !find(manifests, 'ServiceAccount', pod.serviceAccountName ?? '', namespace),
    )
    .map(({ title, pod }) => `${title}: there is no ServiceAccount ${pod.serviceAccountName}`)

const priorityClasses: Rule = (manifests) =>
  workloadsOf(manifests)
    .filter(({ pod }) => pod.priorityClassName && !find(manifests, 'PriorityClass', pod.priorityClassName))
    .map(({ title, pod }) => `${title}: there is no PriorityClass ${pod.priorityClassName}`)

const secretsAndConfigMaps: Rule = (manifests) =>
  workloadsOf(manifests).flatMap(({ title, namespace, pod, containers }) => [
    ...containers.flatMap(({ env = [], envFrom = [] }) => [
      ...env.flatMap(({ valueFrom }) => [
        ...(valueFrom?.secretKeyRef
          ? secretProblems(manifests, title, namespace, valueFrom.secretKeyRef)
          : []),
        ...(valueFrom?.configMapKeyRef
          ? configMapProblems(manifests, title, namespace, valueFrom.configMapKeyRef)
          : []),
      ]),
      ...envFrom.flatMap(({ configMapRef, secretRef }) => [
        ...(configMapRef ? configMapProblems(manifests, title, namespace, configMapRef) : []),
        // All keys of a Secret, whatever they are for
        ...(secretRef ? [`${title}: takes all keys of the Secret ${secretRef.name}`] : []),
      ]),
    ]),
    ...(pod.volumes ?? []).flatMap((volume) => volumeProblems(manifests, title, namespace, volume)),
  ])

function volumeProblems(
  manifests: readonly Manifest[],
  title: string,
  namespace: string,
  { secret, configMap }: IVolume,
): string[] {
  const keys = secret?.items?.map(({ key }) => key) ?? Object.keys(given(namespace, secret?.secretName) ?? {})
  if (secret && keys.length === 0) keys.push('')
  return [
    ...(secret
      ? keys.flatMap((key) =>
          secretProblems(manifests, title, namespace, { name: secret.secretName ?? '', key }),
        )
      : []),
    ...(configMap ? configMapProblems(manifests, title, namespace, configMap) : []),
  ]
}

const given = (namespace: string, name = '') => givenSecrets[`${namespace}/${name}`]

/** A Secret is one of these manifests, or one that whoever installs has made. */
function secretProblems(
  manifests: readonly Manifest[],
  title: string,
  namespace: string,
  { name = '', key, optional }: { name?: string; key: string; optional?: boolean },
): string[] {
  const made = find(manifests, 'Secret', name, namespace)?.data
  const known = given(namespace, name)
  if (!known) return [`${title}: the Secret ${name} is not one of those that k8s/README.md names`]
  if (!known[key]) return [`${title}: the Secret ${name} has no key "${key}"`]
  if (known[key].optional && !optional)
    return [`${title}: ${name}/${key} may be missing, and is no optional reference`]
  if (!known[key].optional && optional)
    return [`${title}: ${name}/${key} is always there, and is an optional reference`]
  return made && !optional && !(key in made) ? [`${title}: the Secret ${name} here has no key ${key}`] : []
}

function configMapProblems(
  manifests: readonly Manifest[],
  title: string,
  namespace: string,
  { name = '', key, optional }: { name?: string; key?: string; optional?: boolean },
): string[] {
  const known = givenConfigMaps[name]
  if (known && (key === undefined || known.includes(key)))
    return optional ? [] : [`${title}: the ConfigMap ${name} may be missing, and is no optional reference`]
  const data = find(manifests, 'ConfigMap', name, namespace)?.data
  if (!data) return [`${title}: there is no ConfigMap ${name} in ${namespace}`]
  return key === undefined || key in data ? [] : [`${title}: the ConfigMap ${name} has no key ${key}`]
}

function podsOf(
  manifests: readonly Manifest[],
  namespace: string | undefined,
  selector: Selector,
): Workload[] {
  return workloadsOf(manifests).filter(
    (workload) => workload.namespace === namespace && selects(selector, workload.labels),
  )
}

function portsOf({ containers }: Workload): Set<string | number> {
  return new Set(
    containers.flatMap(({ ports = [] }) =>
      ports.flatMap(({ name, containerPort }) => [name ?? '', containerPort]),
    ),
  )
}

export const referenceRules: readonly Rule[] = [
  unique,
  namespaces,
  selectorsOfWorkloads,
  services,
  ingresses,
  podMonitors,
  targets,
  volumes,
  serviceAccounts,
  priorityClasses,
  secretsAndConfigMaps,
]
