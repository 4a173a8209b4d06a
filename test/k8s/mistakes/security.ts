/** Mistakes that let a pod do more than it needs. */
import { add, append, container, type Mistake, pod, set, unset, variable } from './change.ts'

export const securityMistakes: readonly Mistake[] = [
  ['root', set('Deployment/api', `${pod}.securityContext.runAsNonRoot`, false), 'may run as root'],
  [
    'the image’s user',
    unset('Deployment/api', `${pod}.securityContext.runAsUser`),
    'names no user by number',
  ],
  ['privileged', set('Deployment/api', `${container}.securityContext.privileged`, true), 'is privileged'],
  [
    'escalation',
    unset('Deployment/api', `${container}.securityContext.allowPrivilegeEscalation`),
    'may gain privileges',
  ],
  [
    'a writable root',
    set(
      'CronJob/backup',
      'spec.jobTemplate.spec.template.spec.containers.0.securityContext.readOnlyRootFilesystem',
      false,
    ),
    'may write to its image',
  ],
  [
    'capabilities kept',
    set('Deployment/api', `${container}.securityContext.capabilities.drop`, ['NET_RAW']),
    'keeps capabilities',
  ],
  [
    'capabilities added',
    set('DaemonSet/outbound', `${container}.securityContext.capabilities.add`, ['NET_ADMIN']),
    'adds the capabilities NET_ADMIN',
  ],
  [
    'more capabilities for the agent',
    append('DaemonSet/outbound', `${pod}.containers.1.securityContext.capabilities.add`, 'SYS_ADMIN'),
    'adds the capabilities NET_ADMIN, SYS_ADMIN',
  ],
  [
    'no seccomp',
    unset('Deployment/api', `${pod}.securityContext.seccompProfile`),
    'has not the seccomp profile',
  ],
  ['no request', unset('Deployment/api', `${container}.resources.requests.cpu`), 'requests no cpu'],
  ['no limit', unset('DaemonSet/outbound', `${container}.resources.limits.memory`), 'has no limit of memory'],
  [
    'an image without a version',
    set('Deployment/api', `${container}.image`, 'registry.example.com:5000/postel'),
    'which names no version',
  ],
  [
    'the latest image',
    set('Deployment/api', `${container}.image`, 'postel:latest'),
    'which names no version',
  ],
  [
    'a port of the host',
    set('Deployment/api', `${container}.ports.0.hostPort`, 80),
    'takes a port of the host',
  ],
  [
    'a token',
    unset('Deployment/api', `${pod}.automountServiceAccountToken`),
    "has the Kubernetes API's token",
  ],
  [
    'an account with a token',
    set('ServiceAccount/outbound', 'automountServiceAccountToken', true),
    'gives out tokens',
  ],
  [
    'variables of Services',
    unset('Deployment/worker', `${pod}.enableServiceLinks`),
    'has variables made from Services',
  ],
  ['the host’s processes', set('DaemonSet/outbound', `${pod}.hostPID`, true), "sees the host's processes"],
  ['the host’s memory', set('DaemonSet/outbound', `${pod}.hostIPC`, true), "shares the host's memory"],
  [
    'the host’s files',
    append('DaemonSet/outbound', `${pod}.volumes`, { name: 'host', hostPath: { path: '/' } }),
    'has the volume host, of another kind',
  ],
  [
    'an account of two',
    set('Deployment/worker', `${pod}.serviceAccountName`, 'api'),
    'ServiceAccount postel/api: is that of more than one',
  ],
  [
    'rights',
    add({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'all', namespace: 'postel' },
    }),
    'gives rights that nothing needs',
  ],
  [
    'the host’s network where it must not be',
    set('Deployment/api', `${pod}.hostNetwork`, true),
    'has Pod Security restricted, not privileged',
  ],
  [
    'a lax namespace',
    set('Namespace/postel', 'metadata.labels.[pod-security.kubernetes.io/enforce]', 'baseline'),
    'has Pod Security baseline',
  ],
  ['the host’s resolver', unset('DaemonSet/outbound', `${pod}.dnsPolicy`), "resolves the host's names only"],
  [
    'one port twice',
    variable('DaemonSet/outbound', 1, 'HEALTH_PORT', { value: '9465' }),
    'two of its listeners have one port',
  ],
  [
    'open metrics',
    variable('DaemonSet/outbound', 0, 'METRICS_TOKEN', undefined),
    'shows its metrics to everybody',
  ],
  [
    'metrics on all addresses',
    variable('DaemonSet/outbound', 0, 'METRICS_HOST', { value: '0.0.0.0' }),
    'on more than one address',
  ],
  [
    'health on all addresses',
    variable('DaemonSet/outbound', 1, 'HEALTH_HOST', { value: '0.0.0.0' }),
    'answers health to others',
  ],
  [
    'another port on the host’s network',
    append('DaemonSet/outbound', `${container}.ports`, { name: 'http', containerPort: 3000 }),
    'has ports besides its metrics',
  ],
  [
    'probes through the network',
    unset('DaemonSet/outbound', `${container}.livenessProbe.httpGet.host`),
    'is probed from outside',
  ],
  [
    'a Secret’s value',
    add({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'postel-tls', namespace: 'postel' },
      data: { 'tls.crt': 'eA==', 'tls.key': 'eA==' },
    }),
    'its value stands in the manifests',
  ],
]
