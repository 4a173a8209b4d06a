/** What a report says of a recipient follows from its state and the last try. */
import { expect, test } from '@jest/globals'
import type { ReportedRecipient } from '@postel/db/queries/reports'
import { reportedAs } from './reports.ts'

type Attempt = NonNullable<ReportedRecipient['lastAttempt']>

const remote: Attempt = {
  at: new Date(0),
  outcome: 'bounced',
  code: 550,
  enhanced: '5.1.1',
  reply: '550 5.1.1 nobody',
  mx: 'mx.dest.test',
}
const deferred = { ...remote, outcome: 'deferred', code: 451, enhanced: '4.2.1', reply: '451 4.2.1 later' }
const own = { ...remote, code: null, enhanced: '5.1.2', reply: 'The domain does not exist' }

test.each<[string, 'final' | 'delayed', string, Attempt | null, string, string | undefined, string]>([
  ['a bounce', 'final', 'bounced', remote, 'failed 5.1.1', 'mx.dest.test', 'smtp 550 5.1.1 nobody'],
  [
    'a bounce without an enhanced code',
    'final',
    'bounced',
    { ...remote, enhanced: null },
    'failed 5.0.0',
    'mx.dest.test',
    'smtp 550 5.1.1 nobody',
  ],
  [
    'a bounce whose enhanced code is of another class',
    'final',
    'bounced',
    { ...remote, enhanced: '4.7.1' },
    'failed 5.7.1',
    'mx.dest.test',
    'smtp 550 5.1.1 nobody',
  ],
  ['our own finding', 'final', 'bounced', own, 'failed 5.1.2', undefined, 'own The domain does not exist'],
  [
    "a person's bounce of what was deferred",
    'final',
    'bounced',
    deferred,
    'failed 5.0.0',
    undefined,
    'own the reason given',
  ],
  [
    "a person's bounce of what was never tried",
    'final',
    'bounced',
    null,
    'failed 5.0.0',
    undefined,
    'own the reason given',
  ],
  [
    'an expiry: with what went wrong',
    'final',
    'expired',
    deferred,
    'failed 4.2.1',
    'mx.dest.test',
    'smtp 451 4.2.1 later',
  ],
  [
    'an expiry without any try',
    'final',
    'expired',
    null,
    'failed 4.4.7',
    undefined,
    'own It grew too old before it could be sent',
  ],
  [
    'a delivery that nobody else reports',
    'final',
    'delivered',
    { ...remote, outcome: 'delivered', code: 250, enhanced: null, reply: '250 ok' },
    'relayed 2.0.0',
    'mx.dest.test',
    'smtp 250 ok',
  ],
  ['a delay', 'delayed', 'deferred', deferred, 'delayed 4.2.1', 'mx.dest.test', 'smtp 451 4.2.1 later'],
  [
    'a delay by a 5yz that counts as temporary',
    'delayed',
    'deferred',
    { ...remote, outcome: 'deferred' },
    'delayed 4.1.1',
    'mx.dest.test',
    'smtp 550 5.1.1 nobody',
  ],
  [
    'a delay without any try',
    'delayed',
    'queued',
    null,
    'delayed 4.0.0',
    undefined,
    'own It waits to be sent',
  ],
])('%s', (_name, kind, state, lastAttempt, verdict, host, reply) => {
  const reported = reportedAs(
    { number: 1, recipient: 'a@dest.test', orcpt: null, state, lastReply: 'the reason given', lastAttempt },
    kind,
  )
  expect({
    verdict: `${reported.action} ${reported.status}`,
    host: reported.remote,
    reply: `${reported.remote ? 'smtp' : 'own'} ${reported.reply}`,
  }).toEqual({ verdict, host, reply })
})
