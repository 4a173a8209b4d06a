import { expect, test } from '@jest/globals'
import { isNetwork, isWithin, Networks } from './networks.ts'

test.each([
  ['10.0.0.0/8', true],
  ['192.0.2.1', true],
  ['0.0.0.0/0', true],
  ['2001:db8::/32', true],
  ['::1/128', true],
  ['::1', true],
  ['10.0.0.0/33', false],
  ['::/129', false],
  ['10.0.0.0/08', false],
  ['10.0.0.0/', false],
  ['10.0.0.0/8/8', false],
  ['10.0.0/8', false],
  ['fe80::1%eth0', false],
  ['localhost', false],
  ['', false],
])('%s is a network: %s', (text, expected) => {
  expect(isNetwork(text)).toBe(expected)
})

test.each([
  ['10.1.2.3', true],
  ['::ffff:10.1.2.3', true],
  ['::FFFF:10.1.2.3', true],
  ['11.0.0.1', false],
  ['192.0.2.7', true],
  ['192.0.2.8', false],
  ['2001:db8:1::1', true],
  ['2001:db9::1', false],
  ['nonsense', false],
  ['', false],
])('%s lies in one of the networks: %s', (address, expected) => {
  expect(new Networks(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32']).includes(address)).toBe(expected)
})

test.each([
  ['10.1.0.0/16', true],
  ['10.0.0.0/8', true],
  ['10.0.0.1', true],
  ['10.0.0.0/7', false],
  ['0.0.0.0/0', false],
  ['11.0.0.0/16', false],
  ['2001:db8::/48', true],
  ['::/0', false],
])('%s lies within the others: %s', (network, expected) => {
  expect(isWithin(network, ['10.0.0.0/8', '2001:db8::/32'])).toBe(expected)
})
