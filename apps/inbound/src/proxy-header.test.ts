// What balancers send before a connection's own octets, and what others send instead.
import { expect, test } from '@jest/globals'
import { readProxyHeader } from './proxy-header.ts'

const signature = '0d0a0d0a000d0a515549540a'
const v2 = (command: string, family: string, payload: string) =>
  Buffer.from(
    `${signature}${command}${family}${(payload.length / 2).toString(16).padStart(4, '0')}${payload}`,
    'hex',
  )
const ports = 'c0de0019'
const four = `c0000207${'0a000001'}${ports}`
const six = `20010db8000000000000000000000007${'fd000000000000000000000000000001'}${ports}`
const mapped = `00000000000000000000ffffc0000207${'00000000000000000000ffff0a000001'}${ports}`
const tlv = '0300040badcafe'

test.each([
  ['v1, IPv4', 'PROXY TCP4 192.0.2.7 10.0.0.1 49374 25\r\n', '192.0.2.7 49374'],
  ['v1, IPv6', 'PROXY TCP6 2001:DB8:0::7 fd00::1 49374 25\r\n', '2001:db8::7 49374'],
  ['v1, IPv4 as IPv6', 'PROXY TCP6 ::ffff:c000:0207 ::ffff:10.0.0.1 1 25\r\n', '192.0.2.7 1'],
  ['v1, UNKNOWN', 'PROXY UNKNOWN\r\n', 'nobody'],
  ['v1, UNKNOWN with addresses', 'PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n', 'nobody'],
  ['v2, IPv4', v2('21', '11', four), '192.0.2.7 49374'],
  ['v2, IPv6', v2('21', '21', six), '2001:db8::7 49374'],
  ['v2, IPv4 as IPv6', v2('21', '21', mapped), '192.0.2.7 49374'],
  ['v2, with TLVs', v2('21', '11', four + tlv), '192.0.2.7 49374'],
  ['v2, LOCAL', v2('20', '00', ''), 'nobody'],
  ['v2, LOCAL with an address', v2('20', '11', four), 'nobody'],
  ['v2, unspecified', v2('21', '00', tlv), 'nobody'],
  ['v2, a Unix socket', v2('21', '31', '00'.repeat(216)), 'nobody'],
  ['v2, the longest', v2('21', '11', four + '00'.repeat(4_084)), '192.0.2.7 49374'],
])('%s', (_name, header, expected) => {
  const octets = Buffer.from(header as string, 'latin1')
  const read = readProxyHeader(Buffer.concat([octets, Buffer.from('EHLO x\r\n')]))
  const client = typeof read === 'object' && 'client' in read ? read.client : undefined
  expect(client === undefined ? read : client ? `${client.address} ${client.port}` : 'nobody').toBe(expected)
  expect(read).toHaveProperty('length', octets.length)
  for (let end = 0; end < octets.length; end++)
    expect(readProxyHeader(octets.subarray(0, end))).toBe('incomplete')
})

test.each([
  ['a command', 'EHLO x\r\n'],
  ['one wrong octet', 'Q'],
  ['a TLS handshake', '\x16\x03\x01'],
  ['v1 in lower case', 'proxy TCP4 192.0.2.7 10.0.0.1 1 25\r\n'],
  ['v1 without an address', 'PROXY TCP4\r\n'],
  ['v1 of another family', 'PROXY TCP4 2001:db8::7 fd00::1 1 25\r\n'],
  ['v1 with a name', 'PROXY TCP4 evil.test 10.0.0.1 1 25\r\n'],
  ['v1 with a zone', 'PROXY TCP6 fe80::1%eth0 fd00::1 1 25\r\n'],
  ['v1 with an octal address', 'PROXY TCP4 0300.0.02.07 10.0.0.1 1 25\r\n'],
  ['v1 with a port too high', 'PROXY TCP4 192.0.2.7 10.0.0.1 65536 25\r\n'],
  ['v1 with a negative port', 'PROXY TCP4 192.0.2.7 10.0.0.1 -1 25\r\n'],
  ['v1 with two spaces', 'PROXY TCP4  192.0.2.7 10.0.0.1 1 25\r\n'],
  ['v1 with more behind it', 'PROXY TCP4 192.0.2.7 10.0.0.1 1 25 x\r\n'],
  ['v1 with a bare line feed', 'PROXY TCP4 192.0.2.7 10.0.0.1 1 25\nEHLO x\r\n'],
  ['v1 without an end', `PROXY UNKNOWN ${'x'.repeat(200)}`],
  ['v2 of version 1', v2('11', '11', four)],
  ['v2 with an unknown command', v2('22', '11', four)],
  ['v2 with an unknown family', v2('21', '41', four)],
  ['v2 over UDP', v2('21', '12', four)],
  ['v2, IPv4 too short', v2('21', '11', four.slice(2))],
  ['v2, IPv6 with the length of IPv4', v2('21', '21', four)],
  ['v2 too long', Buffer.from(`${signature}2111ffff`, 'hex')],
])('no header: %s', (_name, octets) => {
  expect(readProxyHeader(Buffer.from(octets as string, 'latin1'))).toEqual({ problem: expect.any(String) })
})
