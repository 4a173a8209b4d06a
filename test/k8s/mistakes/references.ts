/** Mistakes in what one object says about another. */
import { append, container, drop, type Mistake, objectOf, pod, set, unset, variable } from './change.ts'

export const referencesMistakes: readonly Mistake[] = [
  [
    'an object twice',
    (all) => all.push(structuredClone(objectOf(all, 'Service/api'))),
    'Service postel/api: is there twice',
  ],
  ['another namespace', set('Service/api', 'metadata.namespace', 'default'), 'is in no namespace of these'],
  [
    'a selector that misses',
    set('Deployment/api', 'spec.selector.matchLabels', { app: 'api' }),
    'selects not its own pods',
  ],
  [
    'a selector that takes more',
    set('Deployment/api', 'spec.selector.matchLabels', { 'app.kubernetes.io/part-of': 'postel' }),
    'selects the pods of Deployment postel/inbound',
  ],
  [
    'a Service without pods',
    set('Service/api', 'spec.selector', { app: 'api' }),
    'selects the pods of 0 workloads',
  ],
  [
    'a Service to nowhere',
    set('Service/inbound', 'spec.ports.0.targetPort', 'smtp'),
    'port mx leads to smtp',
  ],
  [
    'an Ingress to nowhere',
    set('Ingress/api', 'spec.rules.0.http.paths.0.backend.service.port.name', 'https'),
    'no Service api with a port https',
  ],
  [
    'a PodMonitor of a port that is none',
    set('PodMonitor/outbound', 'spec.podMetricsEndpoints.0.port', 'prom'),
    'has no port prom',
  ],
  [
    'a PodMonitor of nothing',
    set('PodMonitor/outbound', 'spec.selector.matchLabels', { app: 'x' }),
    'selects no pods',
  ],
  [
    'an autoscaler of nothing',
    set('HorizontalPodAutoscaler/api', 'spec.scaleTargetRef.name', 'apis'),
    'there is no Deployment apis',
  ],
  [
    'replicas against the autoscaler',
    set('Deployment/api', 'spec.replicas', 3),
    'which each apply would set',
  ],
  [
    'a budget of nothing',
    set('PodDisruptionBudget/api', 'spec.selector.matchLabels', { app: 'x' }),
    'is not for the pods of one',
  ],
  [
    'a mount of no volume',
    append('Deployment/api', `${container}.volumeMounts`, { name: 'tmp', mountPath: '/tmp' }),
    'mounts the volume tmp',
  ],
  [
    'a volume that nothing mounts',
    append('Deployment/api', `${pod}.volumes`, { name: 'tmp', emptyDir: {} }),
    'mounts it nowhere',
  ],
  ['a missing account', drop('ServiceAccount/worker'), 'there is no ServiceAccount worker'],
  ['a missing priority', drop('PriorityClass/postel-outbound'), 'there is no PriorityClass'],
  ['a missing ConfigMap', drop('ConfigMap/postel/postel'), 'there is no ConfigMap postel-'],
  [
    'a ConfigMap that may be missing',
    unset('Deployment/api', `${pod}.volumes.0.configMap.optional`),
    'the ConfigMap postel-database-ca may be missing',
  ],
  [
    'an unknown Secret',
    variable('Deployment/api', 0, 'POSTEL_SECRET', {
      valueFrom: { secretKeyRef: { name: 'postel', key: 'secret' } },
    }),
    'the Secret postel is not one of those',
  ],
  [
    'an unknown key',
    variable('Deployment/api', 0, 'POSTEL_SECRET', {
      valueFrom: { secretKeyRef: { name: 'postel-secret', key: 'key' } },
    }),
    'the Secret postel-secret has no key "key"',
  ],
  [
    'a key that may be missing',
    variable('Deployment/api', 0, 'POSTEL_SECRET_PREVIOUS', {
      valueFrom: { secretKeyRef: { name: 'postel-secret', key: 'previous' } },
    }),
    'is no optional reference',
  ],
  [
    'a key that must not be missing',
    variable('Deployment/api', 0, 'POSTEL_SECRET', {
      valueFrom: { secretKeyRef: { name: 'postel-secret', key: 'secret', optional: true } },
    }),
    'is an optional reference',
  ],
  [
    'a Secret as a whole',
    append('Deployment/api', `${container}.envFrom`, { secretRef: { name: 'postel-secret' } }),
    'takes all keys',
  ],
  [
    "another namespace's Secret",
    set('DaemonSet/outbound', `${container}.env`, [
      { name: 'DATABASE_URL', valueFrom: { secretKeyRef: { name: 'postel-database', key: 'url' } } },
    ]),
    'the Secret postel-database is not one of those',
  ],
]
