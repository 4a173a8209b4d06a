/** Passwords: kept as costly hashes; weak ones refused with a sentence. */
import { expect, test } from '@jest/globals'
import { hashPassword, passwordProblem, verifyPassword } from './passwords.ts'

test('a hash has its parameters and a salt of its own, and fits its password alone', async () => {
  const password = 'violet harbour 73'
  const [one, two] = await Promise.all([hashPassword(password), hashPassword(password)])
  expect(one).toMatch(/^scrypt\$16384\$8\$5\$[\w-]{22}\$[\w-]{43}$/)
  expect(one).not.toBe(two)
  expect(await verifyPassword({ hash: one, password })).toBe(true)
  expect(await verifyPassword({ hash: one, password: 'violet harbour 74' })).toBe(false)
  expect(await verifyPassword({ hash: 'plain', password: 'plain' })).toBe(false)
})

test('one password may be typed in more than one way', async () => {
  const hash = await hashPassword('caf\u00e9 harbour staircase')
  expect(await verifyPassword({ hash, password: 'cafe\u0301 harbour staircase' })).toBe(true)
})

test.each([
  ['short', 'violet 73 st'.slice(0, 11)],
  ['long', 'violet harbour '.repeat(20)],
  ['few characters', 'aaaaaaaaaaaaaaaa'],
  ['digits in a row', '123456789012345'],
  ['well-known', 'Password1234!'],
  ['well-known parts', 'qwertyuiop1234'],
  ['well-known with a year', 'Welcome-2026-admin'],
  ['keys in a row', '1q2w3e4r5t6y'],
  ['the address', 'ann.example@people.test'],
  ['the name in the address', 'ann.example2026'],
])('refused: %s', (_name, password) => {
  expect(passwordProblem(password, 'ann.example@people.test')).toMatch(/^The password /)
})

test.each([
  'violet harbour 73 staircase',
  'Xk7-pQ2z-Lm9r',
  'пароль из слов 7',
  '正確馬電池主食正確馬電池主食と釘',
])('taken: %s', (password) => {
  expect(passwordProblem(password, 'ann@people.test')).toBeUndefined()
})
