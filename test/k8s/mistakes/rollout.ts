/** Mistakes that show when pods come and go. */
import { append, container, drop, type Mistake, pod, set, unset } from './change.ts'

export const rolloutMistakes: readonly Mistake[] = [
  [
    'too short a grace',
    set('Deployment/inbound', `${pod}.terminationGracePeriodSeconds`, 85),
    'is killed before it can have stopped, which may take 88 s',
  ],
  [
    'the default grace',
    unset('DaemonSet/outbound', `${pod}.terminationGracePeriodSeconds`),
    'DaemonSet postel-outbound/outbound: is killed before',
  ],
  [
    'no pause before the stop',
    unset('Deployment/inbound', `${container}.lifecycle`),
    'does not wait before it stops',
  ],
  [
    'an update that takes pods away',
    set('Deployment/api', 'spec.strategy.rollingUpdate.maxUnavailable', 1),
    'takes a pod away before',
  ],
  [
    'an update of all nodes',
    set('DaemonSet/outbound', 'spec.updateStrategy.rollingUpdate.maxUnavailable', '50%'),
    'on more than one node at a time',
  ],
  ['no budget', drop('PodDisruptionBudget/worker'), 'has no PodDisruptionBudget'],
  [
    'a budget that lets nothing go',
    set('PodDisruptionBudget/worker', 'spec', {
      minAvailable: 2,
      selector: { matchLabels: { 'app.kubernetes.io/name': 'worker' } },
    }),
    'does not let one pod go',
  ],
  [
    'all on one node',
    set('Deployment/api', `${pod}.topologySpreadConstraints`, []),
    'is not spread over kubernetes.io/hostname',
  ],
  [
    'no place on one node',
    set('Deployment/api', `${pod}.topologySpreadConstraints.1.whenUnsatisfiable`, 'DoNotSchedule'),
    'has no place where there is only one kubernetes.io/hostname',
  ],
  [
    "spread of another's pods",
    set('Deployment/api', `${pod}.topologySpreadConstraints.0.labelSelector.matchLabels`, { app: 'x' }),
    'it spreads pods of others',
  ],
  [
    'a Job of no version',
    set('Job/migrate-1.2.3', 'metadata.name', 'migrate'),
    'is not named after its version, 1.2.3',
  ],
  [
    'a Job that goes away',
    set('Job/migrate-1.2.3', 'spec.ttlSecondsAfterFinished', 600),
    'would be gone when an older version is applied again',
  ],
  [
    'a Job that changes with the configuration',
    append('Job/migrate-1.2.3', `${container}.envFrom`, { configMapRef: { name: 'postel-gdg2tg6m6t' } }),
    'whose name changes with the configuration',
  ],
  ['two versions', set('Deployment/api', `${container}.image`, 'postel:0.0.9'), 'are not of one version'],
]
