/** Replies of remote servers, as they come. */
import { expect, test } from '@jest/globals'
import { parseReply } from './enhanced-status.ts'
import { fastestOfThree, soonMs } from './testing.ts'

test.each([
  ['plain', '250 OK', { code: 250, enhanced: undefined, text: 'OK' }],
  ['enhanced', '550 5.1.1 No such user', { code: 550, enhanced: '5.1.1', text: 'No such user' }],
  [
    'several lines',
    '550-5.7.26 This mail is\r\n550-5.7.26 unauthenticated.\r\n550 5.7.26 abc - gsmtp',
    { code: 550, enhanced: '5.7.26', text: 'This mail is unauthenticated. abc - gsmtp' },
  ],
  [
    'enhanced code on the first line alone',
    '550-5.1.1 a\n550 b',
    { code: 550, enhanced: '5.1.1', text: 'a b' },
  ],
  [
    'with a hash',
    '550 #5.1.0 Address rejected.',
    { code: 550, enhanced: '5.1.0', text: 'Address rejected.' },
  ],
  ['with a colon', '550 5.7.1: blocked', { code: 550, enhanced: '5.7.1', text: 'blocked' }],
  ['class disagrees', '550 4.2.1 odd', { code: 550, enhanced: undefined, text: 'odd' }],
  [
    'an IP address is no enhanced code',
    '550 5.1.1.2 is listed',
    { code: 550, enhanced: undefined, text: '5.1.1.2 is listed' },
  ],
  [
    'another code at a line start stays',
    '451-a\r\n250 b',
    { code: 451, enhanced: undefined, text: 'a 250 b' },
  ],
  ['code alone', '421', { code: 421, enhanced: undefined, text: '' }],
  ['no code', 'Connection lost', { code: 0, enhanced: undefined, text: 'Connection lost' }],
  ['empty', '', { code: 0, enhanced: undefined, text: '' }],
  [
    'control characters',
    '550 5.0.0 a\x1b[31mb\0c\rd\u2028e',
    { code: 550, enhanced: '5.0.0', text: 'a [31mb c d e' },
  ],
  ['not a reply code', '999 x', { code: 0, enhanced: undefined, text: '999 x' }],
])('parseReply: %s', (_name, reply, expected) => {
  expect(parseReply(reply)).toEqual(expected)
})

test.each([
  ['one line', `550 5.1.1 ${'x'.repeat(5_000_000)}`],
  ['many lines', '550-a\r\n'.repeat(500_000)],
])('the text is at most 1,000 characters, soon: %s', (_name, reply) => {
  expect(parseReply(reply).text).toHaveLength(1_000)
  expect(fastestOfThree(() => parseReply(reply))).toBeLessThan(soonMs)
})
