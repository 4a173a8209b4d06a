/** The configuration's defaults and refusals. */
import { expect, test } from '@jest/globals'
import { readConfig } from './config.ts'

const needed = { DATABASE_URL: 'postgres://x/y' }

test('everything but the database has a default', () => {
  expect(readConfig(needed)).toMatchObject({
    API_PORT: 3000,
    METRICS_PORT: 9464,
    POSTEL_PUBLIC_URL: 'http://localhost:3000',
    MAX_MESSAGE_BYTES: 41_943_040,
    SMTP_MAX_RECIPIENTS: 1000,
    DELIVERY_MODE: 'direct',
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
])('%s=%s is refused by name', (name, value) => {
  expect(() => readConfig({ ...needed, [name]: value })).toThrow(name)
})
