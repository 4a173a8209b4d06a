/** Mistakes in who may reach what. */
import { drop, type Mistake, set, unset } from './change.ts'

export const networkMistakes: readonly Mistake[] = [
  [
    'no default',
    drop('NetworkPolicy/postel/default-deny'),
    'Namespace postel: lets through what no policy names',
  ],
  [
    'a default for one direction',
    set('NetworkPolicy/postel-outbound/default-deny', 'spec.policyTypes', ['Ingress']),
    'Namespace postel-outbound: lets through',
  ],
  [
    'a policy for nobody',
    set('NetworkPolicy/mail-in', 'spec.podSelector.matchLabels', { app: 'inbound' }),
    'is for no pods',
  ],
  [
    'a mistyped name',
    set('NetworkPolicy/metrics-in', 'spec.podSelector.matchExpressions.0.values.0', 'inbuond'),
    'names inbuond, and there are no such pods',
  ],
  [
    'a port that is none',
    set('NetworkPolicy/api-in', 'spec.ingress.0.ports.0.port', 'https'),
    'has no port https',
  ],
  [
    'no way to the database',
    unset('NetworkPolicy/database', 'spec.podSelector.matchExpressions.0.values.0'),
    'Deployment postel/inbound: may not reach the database',
  ],
  [
    'webhooks to everywhere',
    unset('NetworkPolicy/webhooks-out', 'spec.egress.0.to'),
    'NetworkPolicy postel/webhooks-out: leads everywhere',
  ],
  [
    'webhooks to the metadata',
    unset('NetworkPolicy/webhooks-out', 'spec.egress.0.to.0.ipBlock.except.4'),
    'leads into 169.254.0.0/16',
  ],
]
