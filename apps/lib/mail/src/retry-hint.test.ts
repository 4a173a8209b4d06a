/** Delays that real replies ask for, and texts that ask for none. */
import { expect, test } from '@jest/globals'
import { retryAfterSeconds } from './retry-hint.ts'
import { fastestOfThree, soonMs } from './testing.ts'

test.each([
  ['450 4.2.0 Greylisted, please try again in 5 minutes', 300],
  ['451 4.7.1 Greylisting in action, please come back in 00:05:00', 300],
  ['451 4.7.1 Greylisting in action, please come back in 01:00:30 (see http://x.test)', 3_630],
  ['450 4.7.1 <a@b.test>: Recipient address rejected: Greylisted for 300 seconds (see http://x.test)', 300],
  ['450 greylisted, try again in 00:05:00', 300],
  ['421 4.7.0 retry after 300 seconds', 300],
  ['421 Too many connections; please wait 120s', 120],
  ['452 4.3.1 Insufficient system storage, try again in about 1 hour', 3_600],
  ['451 Try again later, in 10 min', 600],
  ['451 4.3.2 Please try again after 2 hrs.', 7_200],
  ['421 Please retry in 60 sec', 60],
  ['450 Please try again in 3 minutes and 20 seconds', 200],
  ['421 4.7.0 Service busy, please try again in a minute', 60],
  ['450 4.7.1 Please resend your message in 15 minutes', 900],
  ['451 Retry-After: 120', 120],
  ['450 try again in 1.5 hours', 5_400],
  ['450-4.2.0 Greylisted\r\n450 4.2.0 please try again in\r\n 90 seconds', 90],
  ['450 please wait at least 5-minutes', 300],
  ['450 try again in 0 seconds', 1],
  ['450 try again in 99999 hours', 86_400],
])('%s', (reply, seconds) => {
  expect(retryAfterSeconds(reply)).toBe(seconds)
})

test.each([
  ['', 'empty'],
  ['451 4.3.0 Temporary failure, please try again later', 'no delay'],
  ['450 4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/b.test.html', 'no delay'],
  [
    '421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred - 4.16.55.1; see https://x.test/421.html',
    'codes',
  ],
  ['450 4.7.1 Limit of 100 messages per 60 minutes exceeded', 'a limit'],
  ['450 Try again later. Limit is 20 messages in 60 minutes', 'a limit after an invitation'],
  ['451 Message has been in the queue for 4 hours', 'a past delay'],
  ['554 5.4.7 retry timeout exceeded after 5 days', 'days, and over'],
  ['450 try again in 5 messages', 'another unit'],
  ['450 try again after 12:30 pm', 'a time of day'],
  ['450 4.7.1 try again, 10.0.0.1 is listed', 'an address'],
  ['451 retry after 2026-01-01', 'a date'],
  ['421 country 5 minutes', 'inside a word'],
])('no delay: %s (%s)', (reply) => {
  expect(retryAfterSeconds(reply)).toBeUndefined()
})

test.each([
  ['invitations', 'try again '.repeat(100_000)],
  ['separators', `try${' '.repeat(1_000_000)}`],
  ['digits', `try again in ${'1'.repeat(1_000_000)}`],
])('reads hostile text soon: %s', (_name, reply) => {
  expect(retryAfterSeconds(reply)).toBeUndefined()
  expect(fastestOfThree(() => retryAfterSeconds(reply))).toBeLessThan(soonMs)
})
