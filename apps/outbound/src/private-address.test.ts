import { expect, test } from '@jest/globals'
import { isPrivate } from './private-address.ts'

test.each([
  ['this network', '0.0.0.0'],
  ['private', '10.1.2.3'],
  ['private', '172.16.0.1'],
  ['private', '172.31.255.255'],
  ['private', '192.168.1.1'],
  ['shared, and a metadata service', '100.100.100.200'],
  ['loopback', '127.0.0.1'],
  ['link-local, and metadata services', '169.254.169.254'],
  ['machine services of Azure', '168.63.129.16'],
  ['protocol assignments, and a metadata service', '192.0.0.192'],
  ['benchmarks', '198.19.0.1'],
  ['documentation', '203.0.113.9'],
  ['multicast', '224.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['unspecified', '::'],
  ['loopback', '::1'],
  ['IPv4-mapped', '::ffff:8.8.8.8'],
  ['IPv4-mapped, in hexadecimal', '::ffff:7f00:1'],
  ['IPv4-compatible', '::127.0.0.1'],
  ['IPv4-translated', '::ffff:0:127.0.0.1'],
  ['NAT64', '64:ff9b::7f00:1'],
  ['local NAT64', '64:ff9b:1::a00:1'],
  ['discard', '100::1'],
  ['Teredo', '2001::1'],
  ['documentation', '2001:db8::1'],
  ['documentation', '3fff::1'],
  ['6to4 of a private address', '2002:a00:1::1'],
  ['segment routing', '5f00::1'],
  ['unique local, and a metadata service', 'fd00:ec2::254'],
  ['link-local', 'fe80::1'],
  ['site-local', 'fec0::1'],
  ['multicast', 'ff02::1'],
])('%s: %s is refused (D-23)', (_name, address) => {
  expect(isPrivate(address)).toBe(true)
})

test.each([
  '8.8.8.8',
  '172.15.255.255',
  '172.32.0.1',
  '100.128.0.1',
  '2001:4860::1',
  '2606:4700::1',
  '2a00:1450::1',
])('%s is public', (address) => {
  expect(isPrivate(address)).toBe(false)
})
