/** Pod Security "restricted" for every container, and more; what outbound needs beyond it, and no more than that. */
import type { IContainer, IVolume } from 'kubernetes-models/v1'
import type { Rule } from '../lint.ts'
import { find, type Manifest, ofKind, titleOf, type Workload, workloadsOf } from '../manifests.ts'

/** Adds and removes addresses on the node's interface: needs one capability, which only root gets from Kubernetes. */
const isAddressAgent = ({ namespace }: Workload, { name }: IContainer) =>
  namespace === 'postel-outbound' && name === 'ip-agent'

const perContainer = (check: (container: IContainer, workload: Workload) => (string | false)[]): Rule => {
  return (manifests) =>
    workloadsOf(manifests).flatMap((workload) =>
      workload.containers.flatMap((container) =>
        check(container, workload)
          .filter((problem) => problem !== false)
          .map((problem) => `${workload.title}, container ${container.name}: ${problem}`),
      ),
    )
}

const perPod = (check: (workload: Workload, manifests: readonly Manifest[]) => (string | false)[]): Rule => {
  return (manifests) =>
    workloadsOf(manifests).flatMap((workload) =>
      check(workload, manifests)
        .filter((problem) => problem !== false)
        .map((problem) => `${workload.title}: ${problem}`),
    )
}

const users = perContainer((container, workload) => {
  if (isAddressAgent(workload, container)) return []
  const own = container.securityContext ?? {}
  const shared = workload.pod.securityContext ?? {}
  return [
    (own.runAsNonRoot ?? shared.runAsNonRoot) !== true && 'may run as root',
    !((own.runAsUser ?? shared.runAsUser ?? 0) > 0) && 'names no user by number',
  ]
})

const privileges = perContainer((container, workload) => {
  const { securityContext: own = {} } = container
  const allowed = isAddressAgent(workload, container) ? ['NET_ADMIN'] : []
  const added = own.capabilities?.add ?? []
  return [
    own.privileged === true && 'is privileged',
    own.allowPrivilegeEscalation !== false && 'may gain privileges',
    own.readOnlyRootFilesystem !== true && 'may write to its image',
    !own.capabilities?.drop?.includes('ALL') && 'keeps capabilities',
    added.some((each) => !allowed.includes(each)) && `adds the capabilities ${added.join(', ')}`,
    (own.seccompProfile ?? workload.pod.securityContext?.seccompProfile)?.type !== 'RuntimeDefault' &&
      'has not the seccomp profile RuntimeDefault',
  ]
})

const resources = perContainer(({ resources: { requests = {}, limits = {} } = {} }) =>
  ['cpu', 'memory'].flatMap((name) => [
    !requests[name] && `requests no ${name}`,
    !limits[name] && `has no limit of ${name}`,
  ]),
)

const images = perContainer(({ image = '', imagePullPolicy }) => {
  const tag = /:([^/:@]+)(@sha256:[0-9a-f]{64})?$/.exec(image)?.[1]
  return [
    (tag === undefined || tag === 'latest') && `has the image ${image}, which names no version`,
    imagePullPolicy !== 'IfNotPresent' && 'does not say when to pull its image',
  ]
})

const hostPorts = perContainer(({ ports = [] }) => [
  ports.some(({ hostPort }) => hostPort !== undefined) && 'takes a port of the host',
])

const pods = perPod((workload, manifests) => {
  const { pod, namespace } = workload
  const account = find(manifests, 'ServiceAccount', pod.serviceAccountName ?? '', namespace)
  return [
    pod.automountServiceAccountToken !== false && "has the Kubernetes API's token",
    account?.automountServiceAccountToken !== false && 'its ServiceAccount gives out tokens',
    // A Service named api would set API_PORT in it
    pod.enableServiceLinks !== false && 'has variables made from Services',
    pod.hostPID === true && "sees the host's processes",
    pod.hostIPC === true && "shares the host's memory",
    ...(pod.volumes ?? []).map(
      (volume) => !isHarmless(volume) && `has the volume ${volume.name}, of another kind`,
    ),
  ]
})

const harmless = ['configMap', 'downwardAPI', 'emptyDir', 'projected', 'secret']
const isHarmless = (volume: IVolume) =>
  Object.keys(volume).every((field) => field === 'name' || harmless.includes(field))

/** No two workloads share one, so that each can be given rights alone. */
const ownAccounts: Rule = (manifests) => {
  const accounts = workloadsOf(manifests).map(
    ({ namespace, pod }) => `${namespace}/${pod.serviceAccountName}`,
  )
  return [...new Set(accounts.filter((name, index) => accounts.indexOf(name) !== index))].map(
    (name) => `ServiceAccount ${name}: is that of more than one workload`,
  )
}

/** Nothing asks the Kubernetes API, so nothing is given rights there. */
const noRights: Rule = (manifests) =>
  manifests
    .filter(({ apiVersion }) => apiVersion.startsWith('rbac.authorization.k8s.io/'))
    .map((manifest) => `${titleOf(manifest)}: gives rights that nothing needs`)

const podSecurity: Rule = (manifests) =>
  ofKind(manifests, 'Namespace').flatMap((namespace) => {
    const level = namespace.metadata.labels?.['pod-security.kubernetes.io/enforce']
    const wanted = workloadsOf(manifests).some(
      ({ namespace: name, pod }) => name === namespace.metadata.name && pod.hostNetwork,
    )
      ? 'privileged'
      : 'restricted'
    return level === wanted ? [] : [`${titleOf(namespace)}: has Pod Security ${level}, not ${wanted}`]
  })

/** On the host's network a container's listeners are the node's. */
const hostNetwork = perPod(({ pod, containers }) => {
  if (!pod.hostNetwork) return []
  const ports = containers.flatMap((container) => {
    const values = new Map((container.env ?? []).map(({ name, value }) => [name, value]))
    return [values.get('METRICS_PORT'), values.get('HEALTH_PORT')]
  })
  return [
    pod.dnsPolicy !== 'ClusterFirstWithHostNet' && "resolves the host's names only",
    new Set(ports).size !== ports.length && 'two of its listeners have one port',
    ...containers.flatMap((container) => {
      const env = container.env ?? []
      const setTo = (name: string) => env.find((each) => each.name === name)?.value
      const token = env.find(({ name }) => name === 'METRICS_TOKEN')?.valueFrom?.secretKeyRef
      const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe]
      const open = (container.ports ?? []).filter(
        ({ containerPort }) => String(containerPort) !== setTo('METRICS_PORT'),
      )
      return [
        (!token || token.optional === true) && `${container.name} shows its metrics to everybody`,
        setTo('METRICS_HOST') !== '$(NODE_IP)' &&
          `${container.name} has its metrics on more than one address`,
        setTo('HEALTH_HOST') !== '127.0.0.1' && `${container.name} answers health to others than its node`,
        open.length > 0 && `${container.name} has ports besides its metrics`,
        probes.some((probe) => probe?.httpGet?.host !== '127.0.0.1') &&
          `${container.name} is probed from outside`,
      ]
    }),
  ]
})

/** Their values would be in the repository. */
const noSecrets: Rule = (manifests) =>
  ofKind(manifests, 'Secret').map((secret) => `${titleOf(secret)}: its value stands in the manifests`)

export const securityRules: readonly Rule[] = [
  users,
  privileges,
  resources,
  images,
  hostPorts,
  pods,
  ownAccounts,
  noRights,
  podSecurity,
  hostNetwork,
  noSecrets,
]
