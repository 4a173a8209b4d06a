/** Parameters of RFC 3461: what is right passes, what is not is named. */
import { describe, expect, test } from '@jest/globals'
import { dsnProblem } from './dsn.ts'

test.each([
  ['MAIL FROM:<a@b.test>'],
  ['MAIL FROM:<a@b.test> SIZE=100 BODY=8BITMIME SMTPUTF8'],
  ['MAIL FROM:<a@b.test> RET=FULL ENVID=job-7'],
  ['MAIL FROM:<a@b.test> ret=hdrs envid=a+2Bb+3Dc+20d'],
  [`MAIL FROM:<a@b.test> ENVID=${'x'.repeat(100)}`],
  ['RCPT TO:<a@b.test> NOTIFY=NEVER'],
  ['RCPT TO:<a@b.test> notify=success,failure,delay'],
  ['RCPT TO:<a@b.test> NOTIFY=DELAY ORCPT=rfc822;a+2Bb@b.test'],
  ['RCPT TO:<a@b.test> ORCPT=x400;/S+3DAnn/'],
  ['RCPT TO:<a@b.test> ORCPT=utf-8;\\x{FC}@b.test'],
])('%s passes', (line) => {
  expect(dsnProblem(line, false)).toBeUndefined()
})

describe('refused', () => {
  const expected = {
    RET: 'RET is FULL or HDRS',
    ENVID: 'ENVID is 1 to 100 printable',
    NOTIFY: 'NOTIFY is NEVER, or a list of',
    ORCPT: 'ORCPT is an address type and an address',
    twice: 'is given twice: give it once',
  }
  test.each<[string, keyof typeof expected]>([
    ['MAIL FROM:<> RET', 'RET'],
    ['MAIL FROM:<> RET=', 'RET'],
    ['MAIL FROM:<> RET=BODY', 'RET'],
    ['MAIL FROM:<> RET=FULL RET=HDRS', 'twice'],
    ['MAIL FROM:<> RET=FULL ret=FULL', 'twice'],
    ['MAIL FROM:<> ENVID', 'ENVID'],
    ['MAIL FROM:<> ENVID=', 'ENVID'],
    ['MAIL FROM:<> ENVID=a=b', 'ENVID'],
    ['MAIL FROM:<> ENVID=a+b', 'ENVID'],
    ['MAIL FROM:<> ENVID=a+2b', 'ENVID'],
    ['MAIL FROM:<> ENVID=a+', 'ENVID'],
    ['MAIL FROM:<> ENVID=a+0D+0Ab', 'ENVID'],
    ['MAIL FROM:<> ENVID=a+7F', 'ENVID'],
    ['MAIL FROM:<> ENVID=a+E9', 'ENVID'],
    ['MAIL FROM:<> ENVID=é', 'ENVID'],
    [`MAIL FROM:<> ENVID=${'x'.repeat(101)}`, 'ENVID'],
    ['MAIL FROM:<> ENVID=a ENVID=b', 'twice'],
    ['RCPT TO:<a@b.test> NOTIFY', 'NOTIFY'],
    ['RCPT TO:<a@b.test> NOTIFY=', 'NOTIFY'],
    ['RCPT TO:<a@b.test> NOTIFY=ALWAYS', 'NOTIFY'],
    ['RCPT TO:<a@b.test> NOTIFY=NEVER,FAILURE', 'NOTIFY'],
    ['RCPT TO:<a@b.test> NOTIFY=FAILURE,NEVER', 'NOTIFY'],
    ['RCPT TO:<a@b.test> NOTIFY=FAILURE,', 'NOTIFY'],
    ['RCPT TO:<a@b.test> NOTIFY=FAILURE DELAY=x NOTIFY=DELAY', 'twice'],
    ['RCPT TO:<a@b.test> ORCPT', 'ORCPT'],
    ['RCPT TO:<a@b.test> ORCPT=a@b.test', 'ORCPT'],
    ['RCPT TO:<a@b.test> ORCPT=rfc822;', 'ORCPT'],
    ['RCPT TO:<a@b.test> ORCPT=;a@b.test', 'ORCPT'],
    ['RCPT TO:<a@b.test> ORCPT=rfc822;a+b@b.test', 'ORCPT'],
    ['RCPT TO:<a@b.test> ORCPT=rfc822;a=b@b.test', 'ORCPT'],
    ['RCPT TO:<a@b.test> ORCPT=rfc822;a+0Ab@b.test', 'ORCPT'],
    ['RCPT TO:<a@b.test> ORCPT=rfc822;é@b.test', 'ORCPT'],
    ['RCPT TO:<a@b.test> ORCPT=utf-8;é@b.test', 'ORCPT'],
    [`RCPT TO:<a@b.test> ORCPT=rfc822;${'x'.repeat(500)}`, 'ORCPT'],
    ['RCPT TO:<a@b.test> ORCPT=rfc822;a@b ORCPT=rfc822;a@b', 'twice'],
  ])('%s', (line, problem) => {
    expect(dsnProblem(line, false)).toContain(expected[problem])
  })
})

test('UTF-8 passes in an ORCPT of that type where SMTPUTF8 was said', () => {
  expect(dsnProblem('RCPT TO:<a@b.test> ORCPT=utf-8;é@b.test', true)).toBeUndefined()
  expect(dsnProblem('RCPT TO:<a@b.test> ORCPT=rfc822;é@b.test', true)).toContain('ORCPT is')
})

test('what only looks like a parameter of another name is not looked at', () => {
  expect(
    dsnProblem('RCPT TO:<a@b.test> constructor=1 __proto__=2 toString=3 NOTIFYX=4', false),
  ).toBeUndefined()
})
