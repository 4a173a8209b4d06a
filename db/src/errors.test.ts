import { expect, test } from '@jest/globals'
import { databaseFault, sqlState } from './errors.ts'

const fromPostgres = (code: string, more: object = {}) =>
  Object.assign(new Error('text'), { code, severity: 'ERROR', ...more })

test.each([
  ['a text that cannot be stored', fromPostgres('22P05'), 'data'],
  ['a value that is too big', fromPostgres('22003'), 'data'],
  ['a project of somebody else', fromPostgres('23503'), 'data'],
  ['a raised exception', fromPostgres('P0001'), 'data'],
  [
    'a broken check, from postgres.js',
    fromPostgres('23514', { constraint_name: 'messages_source_valid' }),
    'data',
  ],
  ['a broken check, from pg', fromPostgres('23514', { constraint: 'messages_source_valid' }), 'data'],
  ['no partition for the day', fromPostgres('23514'), 'unavailable'],
  ['a full disk', fromPostgres('53100'), 'full'],
  ['no memory', fromPostgres('53200'), 'full'],
  ['too many connections', fromPostgres('53300'), 'unavailable'],
  ['a statement that took too long', fromPostgres('57014'), 'unavailable'],
  ['a lock that was not to be had', fromPostgres('55P03'), 'unavailable'],
  ['a shutdown', fromPostgres('57P01'), 'unavailable'],
  ['a start-up', fromPostgres('57P03'), 'unavailable'],
  ['a standby', fromPostgres('25006'), 'unavailable'],
  ['a deadlock', fromPostgres('40P01'), 'unavailable'],
  ['a serialization failure', fromPostgres('40001'), 'unavailable'],
  ['a function that a migration has not made yet', fromPostgres('42883'), 'unavailable'],
  ['a refused connection', Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }), 'unavailable'],
  ['a fault of the driver', Object.assign(new Error('closed'), { code: 'CONNECTION_CLOSED' }), 'unavailable'],
  ['anything else', 'text', 'unavailable'],
])('%s', (_, error, fault) => {
  expect(databaseFault(error)).toBe(fault)
})

test('only errors of Postgres itself have a SQLSTATE', () => {
  expect(sqlState(fromPostgres('22P05'))).toBe('22P05')
  expect(sqlState(Object.assign(new Error('pipe'), { code: 'EPIPE' }))).toBeUndefined()
  expect(sqlState(null)).toBeUndefined()
})
