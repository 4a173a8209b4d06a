/** What a site has taught us, in whole minutes of a clock that the test turns. */
import { describe, expect, test } from '@jest/globals'
import { type Limits, Throttle } from './throttle.ts'

const limits: Limits = {
  connectionsMax: 10,
  messagesPerConnection: 100,
  messagesPerMinute: 600,
  recipientsPerTransaction: 50,
}
const unlimited: Limits = { ...limits, messagesPerMinute: undefined }
const minute = 60_000

function refuse(throttle: Throttle, points: 1 | 2, times: number, now: number): void {
  for (let time = 0; time < times; time++) throttle.refused(points, '550 refused', now)
}

function slow(throttle: Throttle, times: number, now: number): void {
  for (let time = 0; time < times; time++) throttle.slowDown('421 slow down', undefined, now)
}

describe('the rate of a rule', () => {
  test('allows a second’s worth at once and then the rate', () => {
    const throttle = new Throttle(limits, 0)
    expect(throttle.allowance(0)).toBe(10)
    for (let sent = 0; sent < 10; sent++) throttle.begin(0)
    expect([throttle.allowance(0), throttle.waitMs(0)]).toEqual([0, 100])
    expect(throttle.allowance(500)).toBe(5)
    expect(throttle.allowance(minute)).toBe(10)
  })

  test('counts a message that was not tried after all as not begun', () => {
    const throttle = new Throttle({ ...limits, messagesPerMinute: 1 }, 0)
    throttle.begin(0)
    throttle.giveBack()
    expect(throttle.allowance(0)).toBe(1)
  })

  test('where there is none nothing is counted', () => {
    const throttle = new Throttle(unlimited, 0)
    for (let sent = 0; sent < 1_000; sent++) throttle.begin(0)
    expect([throttle.allowance(0), throttle.waitMs(0)]).toEqual([Number.POSITIVE_INFINITY, 0])
  })
})

describe('a request to slow down', () => {
  test('halves rate and connections after a pause, and they come back step by step', () => {
    const throttle = new Throttle(limits, 0)
    throttle.slowDown('421 4.7.28 slow down', undefined, 0)
    expect(throttle.record(0)).toEqual({
      state: 'slowed',
      factor: 0.5,
      waitMs: 5_000,
      reason: '421 4.7.28 slow down',
      refusals: 0,
    })
    expect([throttle.allowance(0), throttle.connectionsMax(0)]).toEqual([0, 5])
    const seen = [6_000, minute, 2 * minute, 3 * minute].map((now) => throttle.connectionsMax(now))
    expect(seen).toEqual([5, 8, 10, 10])
    expect(throttle.record(3 * minute)).toMatchObject({ state: 'open', factor: 1, reason: null })
  })

  test('from several sessions at once is one request', () => {
    const throttle = new Throttle(limits, 0)
    slow(throttle, 20, 0)
    expect(throttle.record(0).factor).toBe(0.5)
    slow(throttle, 20, 11_000)
    expect(throttle.record(11_000).factor).toBe(0.25)
  })

  test('limits a site without a rate to half of what it was sent', () => {
    const throttle = new Throttle(unlimited, 0)
    for (let sent = 0; sent < 120; sent++) throttle.delivered(30_000)
    slow(throttle, 1, 31_000)
    expect(throttle.messagesPerMinute(31_000)).toBe(60)
  })

  test('never stops a site for good', () => {
    const throttle = new Throttle(limits, 0)
    for (let time = 0; time < 100; time++) slow(throttle, 1, time * 11_000)
    expect(throttle.messagesPerMinute(1_100_000)).toBeGreaterThanOrEqual(6)
    expect(throttle.connectionsMax(1_100_000)).toBe(1)
  })

  test('waits as long as the remote asks for, up to five minutes', () => {
    const throttle = new Throttle(limits, 0)
    throttle.slowDown('try in 2 minutes', 120_000, 0)
    expect(throttle.waitMs(0)).toBe(120_000)
    throttle.slowDown('try in a day', 86_400_000, 20_000)
    expect(throttle.waitMs(20_000)).toBe(300_000)
  })
})

describe('a site that cannot be reached', () => {
  test('is left alone from the third failure on, longer each time, until it answers', () => {
    const throttle = new Throttle(limits, 0)
    const waits = [0, 0, 0, 10_000, 30_000, 70_000].map((now) => {
      throttle.unreachable('connection refused', now)
      return throttle.record(now).waitMs
    })
    expect(waits).toEqual([0, 0, 10_000, 20_000, 40_000, 80_000])
    expect(throttle.record(70_000)).toMatchObject({ state: 'backing_off', reason: 'connection refused' })
    throttle.connected()
    expect(throttle.record(70_000)).toMatchObject({ state: 'open', waitMs: 0, reason: null })
  })
})

describe('refusals', () => {
  test.each([
    ['of the IP', 2, 5],
    ['of its mail', 1, 10],
  ] as const)(
    '%s: so many of them without a delivery between suspend the IP at the site',
    (_what, points, times) => {
      const throttle = new Throttle(unlimited, 0)
      refuse(throttle, points, times - 1, 0)
      expect(throttle.record(0).state).toBe('open')
      refuse(throttle, points, 1, 0)
      expect(throttle.record(0)).toMatchObject({ state: 'suspended', waitMs: 15 * minute })
    },
  )

  test('are forgiven by a delivery', () => {
    const throttle = new Throttle(unlimited, 0)
    refuse(throttle, 2, 4, 0)
    throttle.delivered(0)
    refuse(throttle, 2, 4, 0)
    expect(throttle.record(0).state).toBe('open')
  })

  test('suspend again at the first one after a suspension, for twice as long', () => {
    const throttle = new Throttle(unlimited, 0)
    refuse(throttle, 2, 5, 0)
    refuse(throttle, 2, 1, 16 * minute)
    expect(throttle.record(16 * minute)).toMatchObject({ state: 'suspended', waitMs: 30 * minute })
  })
})

test('a successor takes up what was learned', () => {
  const first = new Throttle(unlimited, 0)
  refuse(first, 2, 5, 0)
  const second = new Throttle(unlimited, 500)
  second.restore(first.record(0), 500)
  expect(second.record(500)).toEqual(first.record(0))
})
