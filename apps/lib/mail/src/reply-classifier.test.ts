/** How replies are read: rules before codes, operators' rules before ours, and nothing that a remote says breaks it. */
import { describe, expect, test } from '@jest/globals'
import { isReplyCategory, replyCategories } from './reply-categories.ts'
import {
  type CompiledReplyRule,
  classifyReply,
  compileReplyRules,
  type ReplyRuleRow,
} from './reply-classifier.ts'
import type { SmtpStage } from './reply-rules.ts'
import { corpus } from './testing/replies/index.ts'
import { fastestOfThree, soonMs } from './testing.ts'

const row = (fields: Partial<ReplyRuleRow>): ReplyRuleRow => ({
  id: 1,
  position: 1,
  mx: null,
  pattern: 'xyzzy',
  category: 'reputation',
  outcome: null,
  ...fields,
})
const unexpected = (row: ReplyRuleRow, reason: string) => {
  throw new Error(`${row.pattern}: ${reason}`)
}

describe('a reply whose text says nothing', () => {
  test.each<[string, SmtpStage | undefined, string]>([
    ['550 5.1.1 xyzzy', 'rcpt', 'invalid_recipient'],
    ['550 5.1.8 xyzzy', 'mail', 'sender'],
    ['552 5.2.2 xyzzy', 'dot', 'mailbox_full'],
    ['552 5.3.4 xyzzy', 'dot', 'too_large'],
    ['421 4.4.2 xyzzy', 'dot', 'connection'],
    ['550 5.7.26 xyzzy', 'dot', 'auth'],
    ['550 5.7.25 xyzzy', 'dot', 'reputation'],
    ['550 5.7.1 xyzzy', 'dot', 'policy'],
    ['550 5.99.1 xyzzy', 'dot', 'policy'],
    ['550 xyzzy (#5.1.1)', 'rcpt', 'invalid_recipient'],
    ['552 xyzzy', 'dot', 'mailbox_full'],
    ['503 xyzzy', 'data', 'protocol'],
    ['421 xyzzy', 'greeting', 'remote_system'],
    ['451 xyzzy', undefined, 'remote_system'],
    ['554 xyzzy', 'greeting', 'reputation'],
    ['550', 'rcpt', 'mailbox'],
    ['550', 'dot', 'policy'],
  ])('%s (%s) is read by its codes: %s', (reply, stage, category) => {
    expect(classifyReply(reply, { stage })).toEqual({ category })
  })
})

describe('the stage', () => {
  test('what is refused before MAIL is our address, not a recipient', () => {
    expect(classifyReply('554 5.1.1 user unknown', { stage: 'connect' }).category).toBe('reputation')
  })

  test('what is unknown at MAIL is the sender', () => {
    expect(classifyReply('550 5.1.1 user unknown', { stage: 'mail' }).category).toBe('sender')
    expect(classifyReply('550 5.1.1 user unknown', { stage: 'rcpt' }).category).toBe('invalid_recipient')
  })
})

describe('the outcome', () => {
  const outcome = (reply: string, stage?: SmtpStage) => classifyReply(reply, { stage }).outcome

  test.each([
    ['552 to RCPT is the "too many recipients" of old', '552 too many recipients', 'rcpt', 'deferred'],
    ['552 elsewhere is what it says', '552 5.2.2 over quota', 'dot', undefined],
    [
      'a relay that wants a login says nothing of the recipient',
      '530 5.7.0 authentication required',
      'mail',
      'deferred',
    ],
    ['greylisting passes, whatever its code', '550 5.7.1 greylisted', 'rcpt', 'deferred'],
    ['a rate that is to be tried later passes', '554 too many messages, try again later', 'dot', 'deferred'],
    ['"try again later" does not make a spam message pass', '554 spam, try again later', 'dot', undefined],
    [
      'our address on a block list stays what its code says',
      '554 5.7.1 blocked using Spamhaus',
      'rcpt',
      undefined,
    ],
    [
      '4yz for an unknown user stays temporary (RFC 5321 §4.2.1)',
      '450 4.1.1 user unknown',
      'rcpt',
      undefined,
    ],
  ] as const)('%s', (_name, reply, stage, wanted) => {
    expect(outcome(reply, stage)).toBe(wanted)
  })
})

describe('a rule of one provider', () => {
  test('applies to its hosts and all below them, in any case, with or without the last dot', () => {
    const reply = '451 4.7.500 xyzzy'
    for (const mxHost of ['outlook.com', 'example-com.mail.protection.OUTLOOK.com.'])
      expect(classifyReply(reply, { mxHost }).rule).toBe('microsoft-busy-for-us')
    for (const mxHost of ['notoutlook.com', 'outlook.com.example', '', undefined])
      expect(classifyReply(reply, { mxHost }).rule).toBeUndefined()
  })
})

describe("operators' rules", () => {
  test('come before all others, in the order of their positions, and may change the outcome', () => {
    const operatorRules = compileReplyRules(
      [
        row({ id: 8, position: 2, pattern: 'user unknown', category: 'policy' }),
        row({ id: 9, position: 1, pattern: 'USER \\w+', category: 'reputation', outcome: 'deferred' }),
      ],
      unexpected,
    )
    expect(classifyReply('550 5.1.1 User unknown', { operatorRules })).toEqual({
      category: 'reputation',
      outcome: 'deferred',
      rule: 'operator-9',
    })
  })

  test('are for all hosts, or for one and all below it', () => {
    const reads = (mx: string | null, mxHost?: string) =>
      classifyReply('550 xyzzy', { mxHost, operatorRules: compileReplyRules([row({ mx })], unexpected) })
        .rule !== undefined
    expect(reads(null)).toBe(true)
    expect(reads('Example.com', 'mx1.example.com')).toBe(true)
    expect(reads('*.example.com.', 'mx1.example.com')).toBe(true)
    expect(reads('example.com', 'example.com')).toBe(true)
    expect(reads('example.com', 'badexample.com')).toBe(false)
    expect(reads('example.com')).toBe(false)
  })

  test('that cannot be used are left out and told, and the others apply', () => {
    const told: string[] = []
    const rules = compileReplyRules(
      [
        row({ pattern: '(' }),
        row({ pattern: 'x'.repeat(501) }),
        row({ pattern: '(a|aa)+$' }),
        row({ pattern: '(a*){2,}$' }),
        row({ category: 'bad weather' }),
        row({ category: 'constructor' }),
        row({ outcome: 'delivered' }),
        row({ pattern: 'limit \\(\\d+\\)+' }),
      ],
      (_row, reason) => told.push(reason),
    )
    expect(told).toEqual([
      'the pattern is no regular expression',
      'the pattern is longer than 500 characters',
      'the pattern repeats a group',
      'the pattern repeats a group',
      'the category bad weather is unknown',
      'the category constructor is unknown',
      'the outcome delivered is unknown',
    ])
    expect(rules.map(({ pattern }) => pattern.source)).toEqual(['limit \\(\\d+\\)+'])
  })
})

describe('whatever a remote says', () => {
  const stages: (SmtpStage | undefined)[] = [undefined, 'connect', 'mail', 'rcpt', 'dot']
  const operatorRules: CompiledReplyRule[] = compileReplyRules([row({ pattern: 'q.z' })], unexpected)
  const expectRead = (reply: string) => {
    for (const stage of stages) {
      const { category } = classifyReply(reply, { stage, mxHost: 'mx.example.com', operatorRules })
      if (!isReplyCategory(category)) throw new Error(`${category}: ${JSON.stringify(reply)}`)
    }
  }

  test.each([
    '',
    ' ',
    '5',
    '55',
    '550',
    '550-',
    '550-\r\n550',
    '\r\n\r\n',
    '550 \u0000\u0000',
    '550 \ud800',
    '550 5.1.1.1.1',
    '550 999.999.999',
    '999 5.1.1 no',
    '<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>',
    'HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>',
    `550 ${'İ'.repeat(3000)}`,
    '550 utilisateur inconnu à cette adresse – désolé',
  ])('is read: %j', (reply) => {
    expect(() => expectRead(reply)).not.toThrow()
  })

  test('what is no reply is a fault of the protocol', () => {
    for (const reply of ['', '5', '250 ok', 'HTTP/1.1 400 Bad Request', '999 5.1.1 no'])
      expect(classifyReply(reply)).toEqual({ category: 'protocol' })
  })

  test('random bytes, and real replies with bytes changed, are read', () => {
    let seed = 7
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      return Math.floor((seed / 2 ** 32) * below)
    }
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.from(Array.from({ length: random(300) }, () => random(256)))
      expectRead(bytes.toString(round % 2 ? 'latin1' : 'utf8'))
      const { reply } = corpus[random(corpus.length)]!
      const at = random(reply.length)
      expectRead(reply.slice(0, at) + String.fromCharCode(random(0x10000)) + reply.slice(at + random(3)))
    }
  })

  test.each([
    ['words that begin phrases', 'user mailbox account message sender no '],
    ['one letter', 'a'],
    ['blanks', ' '],
    ['line ends', '\r\n'],
    ['lines', '\r\n550-5.1.1 '],
    ['a phrase that never ends', 'account was '],
    ['digits', '5.1.'],
    ['parentheses', '(#[('],
    ['quotes and brackets', '<"@>.:-'],
  ])('takes no time worth the name: %s', (_name, part) => {
    const reply = `550 ${part.repeat(1_000_000 / part.length)}`
    expect(fastestOfThree(() => classifyReply(reply, { mxHost: 'mx.example.com' }))).toBeLessThan(soonMs)
  })
})

test('every category says what it means, whom it counts against, and whether it is for good', () => {
  for (const [category, { meaning, against, hard }] of Object.entries(replyCategories)) {
    expect(isReplyCategory(category)).toBe(true)
    expect(meaning).toMatch(/\.$/)
    expect(['ip', 'recipient', 'sender', 'message', 'remote', 'none']).toContain(against)
    expect(typeof hard).toBe('boolean')
  }
  const counting = (whom: string) =>
    Object.entries(replyCategories).flatMap(([category, { against }]) => (against === whom ? category : []))
  expect(counting('ip').sort()).toEqual(['rate', 'reputation'])
  // A hard bounce of these may suppress the address
  expect(
    Object.entries(replyCategories).flatMap(([category, { against, hard }]) =>
      against === 'recipient' && hard ? category : [],
    ),
  ).toEqual(['invalid_recipient', 'mailbox_disabled'])
})
