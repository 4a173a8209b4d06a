import { expect, test } from '@jest/globals'
import { parseServer } from './dns-client.ts'

test.each([
  ['192.0.2.1', '192.0.2.1', 53],
  ['192.0.2.1:5353', '192.0.2.1', 5353],
  ['2001:db8::1', '2001:db8::1', 53],
  ['[2001:db8::1]', '2001:db8::1', 53],
  ['[2001:db8::1]:5353', '2001:db8::1', 5353],
])('%s is a name server', (text, address, port) => {
  expect(parseServer(text)).toEqual({ address, port })
})

test.each([
  '',
  'ns.example.test',
  '192.0.2.1:',
  '192.0.2.1:0',
  '192.0.2.1:65536',
  '[192.0.2.1]:53',
  '2001:db8::1:x',
])('"%s" is none', (text) => {
  expect(() => parseServer(text)).toThrow('name server')
})
