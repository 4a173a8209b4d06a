import { createCipheriv, randomBytes } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { createSecretBox } from './secret-box.ts'

const key = () => randomBytes(32).toString('base64')
const plain = Buffer.from('-----BEGIN PRIVATE KEY-----')

test.each([
  ['a text', plain],
  ['nothing', Buffer.alloc(0)],
  ['every byte value', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
])('what was sealed is opened again: %s', (_, secret) => {
  const box = createSecretBox(key())
  expect(box.open(box.seal(secret, 'example.test'), 'example.test')).toEqual(secret)
})

test('a sealed secret does not show itself, and is another each time', () => {
  const box = createSecretBox(key())
  const [one, two] = [box.seal(plain, 'example.test'), box.seal(plain, 'example.test')]
  expect(one.includes('PRIVATE')).toBe(false)
  expect(one.equals(two)).toBe(false)
})

test('another process with the same key opens it', () => {
  const secret = key()
  expect(createSecretBox(secret).open(createSecretBox(secret).seal(plain, 'a'), 'a')).toEqual(plain)
})

describe('nothing opens', () => {
  const box = createSecretBox(key())
  const sealed = box.seal(plain, 'example.test')

  test('with another key', () => {
    expect(() => createSecretBox(key()).open(sealed, 'example.test')).toThrow()
  })

  test('for another owner', () => {
    expect(() => box.open(sealed, 'evil.test')).toThrow()
    expect(() => box.open(sealed, '')).toThrow()
  })

  test('when any byte was changed', () => {
    for (let position = 0; position < sealed.length; position++) {
      const changed = Buffer.from(sealed)
      changed[position]! ^= 1
      expect(() => box.open(changed, 'example.test')).toThrow()
    }
  })

  test('when it was cut short', () => {
    for (let length = 0; length < sealed.length; length++)
      expect(() => box.open(sealed.subarray(0, length), 'example.test')).toThrow()
  })

  test('of a format that is not known', () => {
    expect(() => box.open(Buffer.concat([Buffer.of(3), sealed.subarray(1)]), 'example.test')).toThrow(
      'unknown format of an encrypted secret: 3',
    )
  })
})

describe('while the secret is being replaced', () => {
  const [old, now] = [key(), key()]
  const [before, both, after] = [createSecretBox(old), createSecretBox(now, old), createSecretBox(now)]

  test('what either sealed is opened, and new seals are under the new one', () => {
    expect(both.open(before.seal(plain, 'a'), 'a')).toEqual(plain)
    expect(both.open(after.seal(plain, 'a'), 'a')).toEqual(plain)
    expect(after.open(both.seal(plain, 'a'), 'a')).toEqual(plain)
    expect(() => before.open(both.seal(plain, 'a'), 'a')).toThrow('encrypted under another POSTEL_SECRET')
  })

  test('what is to be sealed anew can be told', () => {
    expect(both.isCurrent(before.seal(plain, 'a'))).toBe(false)
    expect(both.isCurrent(both.seal(plain, 'a'))).toBe(true)
    expect(after.isCurrent(both.seal(plain, 'a'))).toBe(true)
  })

  test('the owner still counts', () => {
    expect(() => both.open(before.seal(plain, 'a'), 'b')).toThrow()
  })
})

test('what was sealed before seals had the id of their key is opened by either secret', () => {
  const [secret, other] = [key(), key()]
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(secret, 'base64'), iv).setAAD(Buffer.from('a'))
  const body = Buffer.concat([cipher.update(plain), cipher.final()])
  const sealed = Buffer.concat([Buffer.of(1), iv, cipher.getAuthTag(), body])
  for (const box of [
    createSecretBox(secret),
    createSecretBox(secret, other),
    createSecretBox(other, secret),
  ]) {
    expect(box.open(sealed, 'a')).toEqual(plain)
    expect(box.isCurrent(sealed)).toBe(false)
    expect(() => box.open(sealed, 'b')).toThrow()
  }
  expect(() => createSecretBox(other).open(sealed, 'a')).toThrow()
})

test.each([
  ['empty', ''],
  ['too short', randomBytes(31).toString('base64')],
  ['too long', randomBytes(33).toString('base64')],
  ['not base64', '!'.repeat(44)],
])('a key that is %s is refused', (_, secret) => {
  expect(() => createSecretBox(secret)).toThrow('POSTEL_SECRET must be 32 bytes in base64')
})
