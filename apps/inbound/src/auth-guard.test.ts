import { expect, test } from '@jest/globals'
import { AuthGuard } from './auth-guard.ts'

const at = (guard: AuthGuard, times: number, user: (index: number) => string, address = '192.0.2.1') => {
  for (let index = 0; index < times; index++) guard.failed(user(index), address)
}

test('each wrong password of a user from an address is answered later than the one before, up to 5 s', () => {
  const guard = new AuthGuard()
  const delays = Array.from({ length: 9 }, () => guard.failed('ann', '192.0.2.1'))
  expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000])
  expect(guard.failed('bob', '192.0.2.1')).toBe(100)
})

test('ten wrong passwords lock the user out from that address, and from no other', () => {
  const guard = new AuthGuard()
  at(guard, 9, () => 'ann')
  expect(guard.locked('ann', '192.0.2.1')).toBe(false)
  at(guard, 1, () => 'ANN')
  expect(guard.locked('ann', '192.0.2.1')).toBe(true)
  expect(guard.locked('bob', '192.0.2.1')).toBe(false)
  expect(guard.locked('ann', '192.0.2.2')).toBe(false)
})

test('a right password starts anew', () => {
  const guard = new AuthGuard()
  at(guard, 9, () => 'ann')
  guard.succeeded('ann', '192.0.2.1')
  expect(guard.failed('ann', '192.0.2.1')).toBe(100)
})

test('a lock ends after a minute without another try', () => {
  let now = 0
  const guard = new AuthGuard(() => now)
  at(guard, 10, () => 'ann')
  now = 59_999
  expect(guard.locked('ann', '192.0.2.1')).toBe(true)
  now = 60_000
  expect(guard.locked('ann', '192.0.2.1')).toBe(false)
})

test('one address that tries many users locks its network out, but for addresses that are known', () => {
  const guard = new AuthGuard()
  guard.succeeded('ann', '192.0.2.9')
  at(guard, 100, (index) => `user${index}`)
  expect(guard.locked('another', '192.0.2.1')).toBe(true)
  expect(guard.locked('another', '192.0.2.200')).toBe(true)
  expect(guard.locked('ann', '192.0.2.9')).toBe(false)
  expect(guard.locked('another', '192.0.3.1')).toBe(false)
})

test('one user tried from many networks is locked out from none of them', () => {
  const guard = new AuthGuard()
  for (let index = 0; index < 1000; index++) guard.failed('ann', `10.${index % 250}.${index >> 2}.1`)
  expect(guard.locked('ann', '192.0.2.1')).toBe(false)
})

test.each([
  ['2001:db8::1', '2001:db8::ffff', true],
  ['2001:db8:0:0:1::1', '2001:db8::2', true],
  ['2001:db8:0:1::1', '2001:db8:0:2::1', false],
  ['::1', '::2', true],
  ['::ffff:192.0.2.1', '192.0.2.1', true],
])('%s and %s are one network: %s', (one, other, same) => {
  const guard = new AuthGuard()
  at(guard, 100, (index) => `user${index}`, one)
  expect(guard.locked('ann', other)).toBe(same)
})

test('memory is bounded: the oldest failures are forgotten', () => {
  const guard = new AuthGuard()
  at(guard, 10, () => 'ann')
  at(guard, 20_000, (index) => `user${index}`, '203.0.113.1')
  expect(guard.locked('ann', '192.0.2.1')).toBe(false)
})
