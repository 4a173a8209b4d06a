/** What results teach about a site that several recipient domains share. */
import { expect, test } from '@jest/globals'
import type { RecipientOutcome } from '@postel/db/queries/outbound'
import { SiteJudge } from './site-judge.ts'
import { Throttle } from './throttle.ts'

const limits = {
  connectionsMax: 10,
  messagesPerConnection: 100,
  messagesPerMinute: undefined,
  recipientsPerTransaction: 50,
}
const found = { endpoint: undefined }

function site(...domains: string[]): { throttle: Throttle; judge: SiteJudge } {
  const throttle = new Throttle(limits, performance.now())
  const judge = new SiteJudge(throttle)
  for (const domain of domains) judge.saw(domain)
  return { throttle, judge }
}

function result(retryAfter: number | null, ...recipients: Partial<RecipientOutcome>[]) {
  return {
    retryAfter,
    recipients: recipients.map(
      (recipient, number): RecipientOutcome => ({
        number,
        outcome: 'deferred',
        code: 451,
        enhancedCode: null,
        category: null,
        reply: '451 later',
        ...recipient,
      }),
    ),
  }
}

const state = (throttle: Throttle) => throttle.record(performance.now()).state
const policy = result(null, { outcome: 'bounced', category: 'policy', code: 550 })
const reputation = result(null, { outcome: 'bounced', category: 'reputation', code: 550 })
const delivered = result(null, { outcome: 'delivered', code: 250 })

test('one domain’s own policy, however often it refuses, does not suspend a site that others share', () => {
  const { throttle, judge } = site('strict.test', 'mild.test')
  for (let time = 0; time < 50; time++) judge.judge(policy, found, 'strict.test')
  expect(throttle.record(performance.now())).toMatchObject({ state: 'open', refusals: 1 })
})

test('the same refusals suspend a site that is that domain’s alone', () => {
  const { throttle, judge } = site('strict.test')
  for (let time = 0; time < 10; time++) judge.judge(policy, found, 'strict.test')
  expect(state(throttle)).toBe('suspended')
})

test('refusals for the IP’s reputation suspend it, whichever domains see them', () => {
  const { throttle, judge } = site('one.test', 'two.test')
  for (let time = 0; time < 5; time++) judge.judge(reputation, found, 'one.test')
  expect(state(throttle)).toBe('suspended')
})

test('a delivery forgets refusals, and lets each domain count again', () => {
  const { throttle, judge } = site('one.test', 'two.test')
  judge.judge(policy, found, 'one.test')
  judge.judge(delivered, found, 'two.test')
  expect(throttle.record(performance.now()).refusals).toBe(0)
  judge.judge(policy, found, 'one.test')
  expect(throttle.record(performance.now()).refusals).toBe(1)
})

test('many recipients refused in one message are one refusal', () => {
  const { throttle, judge } = site('one.test')
  const refusal = { outcome: 'bounced', category: 'policy', code: 550 } as const
  judge.judge(result(null, ...Array.from({ length: 30 }, () => refusal)), found, 'one.test')
  expect(throttle.record(performance.now()).refusals).toBe(1)
})

test('a request for less halves the rate and waits as long as it says', () => {
  const { throttle, judge } = site('one.test')
  judge.judge(result(60, { category: 'rate', enhancedCode: '4.7.28' }), found, 'one.test')
  const record = throttle.record(performance.now())
  expect(record).toMatchObject({ state: 'slowed', factor: 0.5 })
  expect(record.waitMs).toBeGreaterThan(30_000)
})

test('a mailbox that gets too much, or a transaction with too many recipients, is no request for less', () => {
  const { throttle, judge } = site('one.test')
  for (const enhancedCode of ['4.2.1', '4.1.8', '4.5.3'])
    judge.judge(result(null, { category: 'rate', enhancedCode }), found, 'one.test')
  expect(state(throttle)).toBe('open')
})

test('a server that an operator named refuses messages, not us', () => {
  const { throttle, judge } = site('one.test')
  for (let time = 0; time < 50; time++) judge.judge(reputation, { endpoint: 'relay.test:25' }, 'one.test')
  expect(throttle.record(performance.now())).toMatchObject({ state: 'open', refusals: 0 })
})
