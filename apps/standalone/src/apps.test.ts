/** The environment of the apps: what the operator set stays, the rest fits the run. */
import { expect, test } from '@jest/globals'
import { appEnvironment } from './apps.ts'
import { readConfig } from './config.ts'

function environmentOf(given: NodeJS.ProcessEnv) {
  return appEnvironment('outbound', {
    config: readConfig(given),
    ports: {
      api: 3001,
      submission: 2587,
      submissions: 2465,
      mx: 2525,
      metrics: { inbound: 9464, api: 9465, outbound: 9466, worker: 9467 },
    },
    databaseUrl: 'postgres://own',
    databaseDirectUrl: 'postgres://own-direct',
    secret: 'c2VjcmV0',
    addresses: ['127.0.0.1', '127.0.0.2'],
  })
}

test('with nothing set, the sandbox', () => {
  const { NODE_NAME, ...environment } = environmentOf({})
  expect(NODE_NAME).not.toBe('')
  expect(environment).toEqual({
    DATABASE_URL: 'postgres://own',
    DATABASE_DIRECT_URL: 'postgres://own-direct',
    POSTEL_SECRET: 'c2VjcmV0',
    POSTEL_PUBLIC_URL: 'http://localhost:3001',
    DELIVERY_MODE: 'sandbox',
    BOOTSTRAP_DOMAINS_VERIFIED: 'true',
    WEBHOOKS_ALLOW_PRIVATE: 'true',
    SYSTEM_MAIL_FROM: 'Postel <postel@example.test>',
    OUTBOUND_ADDRESSES: '127.0.0.1,127.0.0.2',
    API_PORT: '3001',
    SMTP_SUBMISSION_PORT: '2587',
    SMTP_SUBMISSIONS_PORT: '2465',
    SMTP_MX_PORT: '2525',
    METRICS_PORT: '9466',
  })
})

test.each([
  {
    name: 'what is set stays',
    given: { WEBHOOKS_ALLOW_PRIVATE: 'false' },
    seen: { WEBHOOKS_ALLOW_PRIVATE: 'false' },
  },
  { name: 'empty is unset', given: { WEBHOOKS_ALLOW_PRIVATE: '' }, seen: { WEBHOOKS_ALLOW_PRIVATE: 'true' } },
  {
    name: 'direct delivery proves domains',
    given: { DELIVERY_MODE: 'direct' },
    seen: { BOOTSTRAP_DOMAINS_VERIFIED: 'false' },
  },
  {
    name: 'variables of unknown purpose pass',
    given: { NODE_OPTIONS: '--x' },
    seen: { NODE_OPTIONS: '--x' },
  },
  {
    name: 'the first key is no app’s business',
    given: { BOOTSTRAP_API_KEY: 'k'.repeat(20) },
    seen: { BOOTSTRAP_API_KEY: undefined },
  },
  {
    name: 'health has a port of its own nowhere',
    given: { HEALTH_PORT: '9465' },
    seen: { HEALTH_PORT: undefined, METRICS_PORT: '9466' },
  },
  {
    name: 'libpq’s variables do not reach the embedded server',
    given: { PGSSLMODE: 'require' },
    seen: { PGSSLMODE: undefined },
  },
  {
    name: 'but they reach a server of the operator’s',
    given: { PGSSLMODE: 'require', DATABASE_URL: 'postgres://theirs' },
    seen: { PGSSLMODE: 'require' },
  },
])('$name', ({ given, seen }) => {
  const environment: NodeJS.ProcessEnv = environmentOf(given)
  for (const [variable, value] of Object.entries(seen)) expect(environment[variable]).toBe(value)
})
