/** What a smarthost's URL is like sealed, and what opens it. */
import { randomBytes } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { openSmarthost, sealedPassword, sealSmarthost } from './sealed-smarthost.ts'
import { createSecretBox } from './secret-box.ts'

const newBox = () => createSecretBox(randomBytes(32).toString('base64'))
const box = newBox()

test.each([
  ['a port', 'smtp://us:secret@relay.test:587'],
  ['percent signs', 'smtps://us%40a.test:p%40%2F%3A%25%C3%A4@relay.test'],
  ['a percent sign that encodes nothing', 'smtp://us:p%zz@relay.test'],
  ['an IPv6 address', 'smtp://us:secret@[2001:db8::1]:25'],
  ['no user', 'smtp://:secret@relay.test'],
  ['the mark in its password, encoded', 'smtp://us:%73ealed.really@relay.test'],
])('a URL with %s is opened as it was sealed', (_, smarthost) => {
  const sealed = sealSmarthost(smarthost, box)
  const [before, after] = smarthost.split(/:[^:@/]+@/)
  expect(sealed).toMatch(/:sealed\.[\w-]+@/)
  expect(sealed.split(/:sealed\.[\w-]+@/)).toEqual([before, after])
  expect(openSmarthost(sealed, box)).toBe(smarthost)
})

test.each(['smtp://relay.test', 'smtp://us@relay.test', 'smtp://us:secret@relay.test:99999', 'relay.test'])(
  'nothing is to be sealed in %s',
  (smarthost) => {
    expect(sealSmarthost(smarthost, box)).toBe(smarthost)
    expect(openSmarthost(smarthost, box)).toBe(smarthost)
    expect(sealedPassword(smarthost)).toBeUndefined()
  },
)

test('what is sealed is not sealed again, and a plain password is opened as it is', () => {
  const plain = 'smtp://us:secret@relay.test'
  const sealed = sealSmarthost(plain, box)
  expect(sealSmarthost(sealed, box)).toBe(sealed)
  expect(openSmarthost(plain, box)).toBe(plain)
})

test('another port, or the host in other letters, opens it', () => {
  const sealed = sealSmarthost('smtp://us:secret@relay.test:25', box)
  const changed = sealed.replace('relay.test:25', 'Relay.test:587')
  expect(openSmarthost(changed, box)).toBe('smtp://us:secret@Relay.test:587')
})

test.each([
  ['another host', (sealed: string) => sealed.replace('relay.test', 'evil.test'), box],
  ['another user', (sealed: string) => sealed.replace('us:', 'them:'), box],
  ['another POSTEL_SECRET', (sealed: string) => sealed, newBox()],
  ['a password cut short', (sealed: string) => sealed.replace(/sealed\..*@/, 'sealed.AgAA@'), box],
  ['nothing behind the mark', (sealed: string) => sealed.replace(/sealed\..*@/, 'sealed.@'), box],
])('nothing is opened for %s', (_, change, opener) => {
  const sealed = change(sealSmarthost('smtp://us:secret@relay.test', box))
  expect(() => openSmarthost(sealed, opener)).toThrow('its password cannot be opened')
})
