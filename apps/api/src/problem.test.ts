/** Which fault becomes which status. */
import { describe, expect, test } from '@jest/globals'
import { NoAnswerError } from '@postel/db/errors'
import { SubmitError } from '@postel/db/submitter'
import { Problem, toProblem } from './problem.ts'

const postgres = (code: string) => Object.assign(new Error('secret detail'), { code, severity: 'ERROR' })
const system = (code: string) => Object.assign(new Error('secret detail'), { code })

describe('a fault', () => {
  test.each<[string, unknown, number, string]>([
    ['a refusal of ours', new Problem('not_found', 'x'), 404, 'not_found'],
    ['a message that cannot be stored', new SubmitError('data', 'secret'), 422, 'validation_error'],
    ['a full database', new SubmitError('full', 'secret'), 503, 'service_unavailable'],
    ['an absent database', new SubmitError('unavailable', 'secret'), 503, 'service_unavailable'],
    ['too much in memory', new SubmitError('overloaded', 'secret'), 503, 'service_unavailable'],
    ['a database that does not answer', new NoAnswerError(), 503, 'service_unavailable'],
    ['a statement that was cancelled', postgres('57014'), 503, 'service_unavailable'],
    ['a disk that is full', postgres('53100'), 503, 'service_unavailable'],
    ['a standby', postgres('25006'), 503, 'service_unavailable'],
    ['a refused connection', system('ECONNREFUSED'), 503, 'service_unavailable'],
    ['a host that is not found', system('ENOTFOUND'), 503, 'service_unavailable'],
    ['a connection that was closed', system('CONNECTION_CLOSED'), 503, 'service_unavailable'],
    ['a statement that is wrong', postgres('22P02'), 500, 'internal_server_error'],
    ['a bug', new TypeError('secret'), 500, 'internal_server_error'],
    ['something that is no error', 'secret', 500, 'internal_server_error'],
    ['a file that is missing', system('ENOENT'), 500, 'internal_server_error'],
    [
      'a body that cannot be read',
      Object.assign(new Error('secret'), { status: 400 }),
      400,
      'validation_error',
    ],
    [
      'a body that was cut off',
      Object.assign(system('ECONNABORTED'), { status: 400 }),
      400,
      'validation_error',
    ],
  ])('%s', (_, error, statusCode, name) => {
    const body = toProblem(error).body()
    expect(body).toMatchObject({ statusCode, name })
    expect(body.message).not.toContain('secret')
  })

  test('a database that fell silent may have stored it: nobody is told that it is not there', () => {
    const said = (fault: SubmitError['fault']) => toProblem(new SubmitError(fault, '')).body().message
    expect(said('unavailable')).toMatch(/did not confirm.* same Idempotency-Key/)
    expect(said('overloaded')).toMatch(/was not stored/)
  })

  test.each(['full', 'unavailable', 'overloaded'] as const)('%s says when to come again', (fault) => {
    expect(toProblem(new SubmitError(fault, '')).headers).toEqual({ 'retry-after': '5' })
  })
})
