/** Mistakes in commands, variables, ports and probes. */
import { append, container, type Mistake, set, unset, variable } from './change.ts'

export const settingsMistakes: readonly Mistake[] = [
  [
    'a command to nowhere',
    set('Deployment/api', `${container}.command`, ['node', 'apps/apis/src/main.ts']),
    'starts apps/apis/src/main.ts, which is not there',
  ],
  ['no command', unset('Deployment/api', `${container}.command`), 'has no command'],
  [
    'an unknown shared variable',
    set('ConfigMap/postel/postel', 'data.LOG_LEVLE', 'info'),
    'LOG_LEVLE is no variable of .env.example',
  ],
  [
    'a shared variable with a bad value',
    set('ConfigMap/postel/postel', 'data.LOG_LEVEL', 'loud'),
    'LOG_LEVEL: must be one of',
  ],
  [
    'an unknown variable',
    append('Deployment/api', `${container}.env`, { name: 'API_PROT', value: '1' }),
    'API_PROT is no variable of .env.example',
  ],
  [
    'a secret that it does not read',
    append('Deployment/ip-manager', `${container}.env`, {
      name: 'POSTEL_SECRET',
      valueFrom: { secretKeyRef: { name: 'postel-secret', key: 'secret' } },
    }),
    'POSTEL_SECRET is not read by it',
  ],
  [
    'a variable twice',
    append('Deployment/api', `${container}.env`, { name: 'POSTEL_SECRET', value: 'x' }),
    'POSTEL_SECRET is given twice',
  ],
  [
    'a reference forward',
    set('DaemonSet/outbound', `${container}.env.0`, { name: 'NODE_NAME', value: '$(NODE_IP)' }),
    'NODE_NAME refers to NODE_IP, which does not stand before it',
  ],
  [
    'two dollars',
    set('Deployment/api', `${container}.args`, ['do $$ begin']),
    'Kubernetes makes one $ of two',
  ],
  [
    'a missing variable',
    variable('Deployment/api', 0, 'POSTEL_SECRET', undefined),
    'POSTEL_SECRET: must be set to 32 random bytes',
  ],
  [
    'a variable of a program without config.ts',
    set('CronJob/backup', 'spec.jobTemplate.spec.template.spec.containers.0.env', []),
    'BACKUP_AGE_RECIPIENTS must be set',
  ],
  [
    'a bad value',
    variable('DaemonSet/outbound', 0, 'METRICS_PORT', { value: 'metrics' }),
    'METRICS_PORT: must be a whole number',
  ],
  [
    'no name of this installation',
    unset('ConfigMap/postel/postel', 'data.POSTEL_PUBLIC_URL'),
    'POSTEL_PUBLIC_URL is not given',
  ],
  ['no startup probe', unset('Deployment/worker', `${container}.startupProbe`), 'has no startup probe'],
  [
    'liveness that asks the database',
    set('Deployment/api', `${container}.livenessProbe.httpGet.path`, '/readyz'),
    'its liveness probe asks /readyz',
  ],
  [
    'a probe of another port',
    set('Deployment/api', `${container}.readinessProbe.httpGet.port`, 'http'),
    'asks a port that does not answer health',
  ],
  [
    'an impatient probe',
    unset('Deployment/api', `${container}.readinessProbe.timeoutSeconds`),
    'gives up before /readyz does',
  ],
  [
    'a port that is not listened on',
    set('Deployment/inbound', `${container}.ports.0.containerPort`, 25),
    'its port mx is 25, and SMTP_MX_PORT 2525',
  ],
  [
    'a port without a meaning',
    append('Deployment/api', `${container}.ports`, { name: 'debug', containerPort: 9229 }),
    'nothing says what the port debug is for',
  ],
  [
    'a file that is not mounted',
    variable('Deployment/inbound', 0, 'SMTP_TLS_KEY_FILE', { value: '/tls/tls.key' }),
    'is /tls/tls.key, where nothing is mounted',
  ],
  [
    'two configurations',
    set('ConfigMap/postel-outbound/postel', 'data.DELIVERY_MODE', 'sandbox'),
    'differs from the one in postel-outbound',
  ],
]
