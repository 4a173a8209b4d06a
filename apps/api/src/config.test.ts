/** The configuration's defaults and refusals. */
import { expect, test } from '@jest/globals'
import { readConfig } from './config.ts'

const needed = { DATABASE_URL: 'postgres://x/y', POSTEL_SECRET: Buffer.alloc(32, 1).toString('base64') }

test('everything but the database and the secret has a default', () => {
  expect(readConfig(needed)).toMatchObject({
    API_PORT: 3000,
    METRICS_PORT: 9464,
    POSTEL_PUBLIC_URL: 'http://localhost:3000',
    MAX_MESSAGE_BYTES: 41_943_040,
    SMTP_MAX_RECIPIENTS: 1000,
    DELIVERY_MODE: 'direct',
    AUTH_SIGNUP: 'invitation',
    POSTEL_UNSAFE_DATABASE: false,
  })
})

test('the public URL has no slash at its end', () => {
  const { POSTEL_PUBLIC_URL } = readConfig({ ...needed, POSTEL_PUBLIC_URL: 'https://api.example.test/' })
  expect(POSTEL_PUBLIC_URL).toBe('https://api.example.test')
})

test.each([
  ['API_PORT', '70000'],
  ['POSTEL_PUBLIC_URL', 'ftp://x.test'],
  ['POSTEL_PUBLIC_URL', 'here'],
  ['POSTEL_SECRET', 'short'],
  ['AUTH_SIGNUP', 'maybe'],
  ['SYSTEM_MAIL_FROM', 'a@x.test, b@x.test'],
  ['SYSTEM_MAIL_PROJECT', 'first'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => readConfig({ ...needed, [name]: value })).toThrow(name)
})

test('what is of no use alone is refused by the name of what is missing', () => {
  expect(() => readConfig({ ...needed, AUTH_GITHUB_CLIENT_ID: 'x' })).toThrow(
    'AUTH_GITHUB_CLIENT_SECRET: must be set with AUTH_GITHUB_CLIENT_ID',
  )
  expect(() => readConfig({ ...needed, AUTH_OIDC_ISSUER: 'https://id.test' })).toThrow(
    /AUTH_OIDC_CLIENT_ID: .*\n.*AUTH_OIDC_CLIENT_SECRET: /,
  )
})
