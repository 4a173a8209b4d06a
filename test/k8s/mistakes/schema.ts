/** Mistakes that Kubernetes' schema shows. */
import { container, type Mistake, set, unset } from './change.ts'

export const schemaMistakes: readonly Mistake[] = [
  ['an unknown field', set('Deployment/api', `${container}.livenesProbe`, {}), 'livenesProbe: unknown field'],
  [
    'a field in the wrong place',
    set('Deployment/api', 'spec.hostNetwork', true),
    'hostNetwork: unknown field',
  ],
  ['a missing field', unset('Deployment/api', 'spec.selector'), 'missingProperty":"selector'],
  [
    'a wrong type',
    set('Deployment/api', `${container}.ports.0.containerPort`, '3000'),
    'type {"type":"integer"}',
  ],
  [
    'a value that is none',
    set('Deployment/api', `${container}.imagePullPolicy`, 'Sometimes'),
    'imagePullPolicy: enum',
  ],
  [
    'a bad quantity',
    set('Deployment/api', `${container}.resources.limits.memory`, '1GB?'),
    'format {"format":"quantity"}',
  ],
  ['a kind that is none', set('Deployment/api', 'kind', 'Deploymnt'), 'there is no Deploymnt in apps/v1'],
]
