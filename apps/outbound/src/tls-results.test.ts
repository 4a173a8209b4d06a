import { afterEach, expect, jest, test } from '@jest/globals'
import type { TlsResultCount } from '@postel/db/queries/tls'
import type { TlsSessionResult } from './connect.ts'
import { TlsResults } from './tls-results.ts'

const session: TlsSessionResult = {
  policyDomain: 'dest.test',
  policyType: 'sts',
  mxHost: 'mx.dest.test',
  ipId: 1,
  result: 'success',
}

afterEach(() => {
  jest.useRealTimers()
})

/** Written counts as `dest.test success 2`, and a switch that makes writing fail. */
function collector() {
  const written: string[] = []
  const errors: unknown[] = []
  const state = { away: false }
  const results = new TlsResults({
    add: async (counts: readonly TlsResultCount[]) => {
      if (state.away) throw new Error('away')
      for (const { day, policyDomain, result, sessions } of counts)
        written.push(`${day} ${policyDomain} ${result} ${sessions}`)
    },
    onError: (error) => errors.push(error),
  })
  return { written, errors, state, results }
}

test('sessions that went alike are one count; others, and other days (UTC), are their own', async () => {
  const { written, results } = collector()
  jest.useFakeTimers({ now: Date.parse('2026-11-21T23:59:59Z') })
  results.count(session)
  results.count(session)
  results.count({ ...session, result: 'certificate-expired' })
  jest.setSystemTime(Date.parse('2026-11-22T00:00:01Z'))
  results.count(session)
  await results.stop()
  expect(written).toEqual([
    '2026-11-21 dest.test success 2',
    '2026-11-21 dest.test certificate-expired 1',
    '2026-11-22 dest.test success 1',
  ])
})

test('what could not be written is kept and written with what came since', async () => {
  const { written, errors, state, results } = collector()
  // The clock stands: else the day could end in between
  jest.useFakeTimers({ now: Date.parse('2026-11-21T12:00:00Z') })
  results.count(session)
  state.away = true
  await results.flush()
  expect([written.length, errors.length]).toEqual([0, 1])
  results.count(session)
  state.away = false
  await results.flush()
  await results.flush()
  expect(written.map((text) => text.slice(11))).toEqual(['dest.test success 2'])
})
