import { describe, expect, test } from '@jest/globals'
import { z } from 'zod'
import { ConfigError, databaseUrl, flag, list, port, readEnv, wholeNumber } from './env.ts'
import { databaseSettings, processSettings, secretSetting } from './settings.ts'

function problemsOf(work: () => unknown): string[] {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as Error).message.split('\n').slice(1)
  }
  return []
}

test('all problems are reported at once, each with its variable', () => {
  const schema = z.object({ ...databaseSettings, ...processSettings, ...secretSetting })
  const env = { DATABASE_URL: 'mysql://x', LOG_LEVEL: 'loud', METRICS_PORT: '99999', POSTEL_SECRET: 'short' }
  expect(problemsOf(() => readEnv(schema, env))).toEqual([
    '  DATABASE_URL: must be a postgres:// URL',
    '  LOG_LEVEL: must be one of fatal, error, warn, info, debug, trace, silent',
    '  METRICS_PORT: must be at most 65535',
    '  POSTEL_SECRET: must be 32 bytes in base64 (openssl rand -base64 32)',
  ])
  expect(problemsOf(() => readEnv(schema, {}))).toEqual([
    '  DATABASE_URL: must be set to a postgres:// URL',
    '  POSTEL_SECRET: must be set to 32 random bytes in base64 (openssl rand -base64 32)',
  ])
})

test('a secret is not shown in the report', () => {
  const schema = z.object(secretSetting)
  expect(problemsOf(() => readEnv(schema, { POSTEL_SECRET: 'hunter2' })).join()).not.toContain('hunter2')
})

test('what is read is frozen, and holds nothing but the schema', () => {
  const config = readEnv(z.object({ METRICS_PORT: port(9464) }), { METRICS_PORT: '0', HOME: '/root' })
  expect(config).toEqual({ METRICS_PORT: 0 })
  expect(Object.isFrozen(config)).toBe(true)
})

test('an empty variable counts as unset', () => {
  const schema = z.object({ PORT: port(25), URL: databaseUrl().optional() })
  expect(readEnv(schema, { PORT: '', URL: '' })).toEqual({ PORT: 25 })
})

describe('flag', () => {
  test.each([
    ['true', true],
    ['false', false],
    [undefined, true],
  ])('%p reads as %p', (text, expected) => {
    expect(readEnv(z.object({ FLAG: flag(true) }), { FLAG: text })).toEqual({ FLAG: expected })
  })

  test.each(['1', 'yes', 'TRUE', ' true'])('%p is not guessed', (text) => {
    expect(problemsOf(() => readEnv(z.object({ FLAG: flag(false) }), { FLAG: text }))).toEqual([
      '  FLAG: must be true or false',
    ])
  })
})

describe('wholeNumber', () => {
  test.each([
    ['1', 1],
    ['10', 10],
    [undefined, 5],
  ])('%p reads as %p', (text, expected) => {
    expect(readEnv(z.object({ N: wholeNumber(5, 1, 10) }), { N: text })).toEqual({ N: expected })
  })

  test.each(['0', '11', '1.5', 'five', '-1', '1e9', 'NaN', 'Infinity'])('%p is refused', (text) => {
    expect(
      problemsOf(() => readEnv(z.object({ N: wholeNumber(5, 1, 10) }), { N: text })).length,
    ).toBeGreaterThan(0)
  })
})

test.each([
  ['', []],
  ['a', ['a']],
  [' a , b,,c ,', ['a', 'b', 'c']],
])('list reads %p', (text, expected) => {
  expect(readEnv(z.object({ LIST: list() }), { LIST: text })).toEqual({ LIST: expected })
})

test.each(['postgres://u:p@h/db', 'postgresql://h'])('%s is a database', (url) => {
  expect(readEnv(z.object({ URL: databaseUrl() }), { URL: url })).toEqual({ URL: url })
})
