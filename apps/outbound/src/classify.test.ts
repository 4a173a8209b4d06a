/** What remote replies and faults mean for the recipient. */
import { describe, expect, test } from '@jest/globals'
import { compileReplyRules } from '@postel/mail/reply-classifier'
import { failed } from './classify.ts'

const error = (fields: Record<string, unknown>) => Object.assign(new Error('failed'), fields)
const reply = (response: string, command = 'RCPT TO') =>
  error({ code: 'EENVELOPE', response, responseCode: Number(response.slice(0, 3)), command })

describe('failed', () => {
  test.each([
    ['5yz bounces', reply('550 5.1.1 no such user'), 'bounced', 'invalid_recipient'],
    ['4yz defers', reply('451 4.7.1 greylisted'), 'deferred', 'greylisting'],
    ['a full mailbox', reply('552 5.2.2 over quota', 'DATA'), 'bounced', 'mailbox_full'],
    ['552 to RCPT is the old "too many recipients"', reply('552 too many recipients'), 'deferred', 'rate'],
    ['a code that is none', reply('299 what'), 'deferred', 'protocol'],
    ['what only begins like a code', reply('5 what'), 'deferred', 'protocol'],
    [
      'our address on a block list bounces, but is no fault of the recipient',
      reply('554 5.7.1 Service unavailable; client [192.0.2.1] blocked using Spamhaus'),
      'bounced',
      'reputation',
    ],
    [
      'greylisting passes, whatever its code',
      reply('550 5.7.1 Greylisted, please try again later'),
      'deferred',
      'greylisting',
    ],
    [
      'a greeting that refuses is about us',
      error({ code: 'EPROTOCOL', response: '554 5.7.1 No', responseCode: 554, command: 'CONN' }),
      'bounced',
      'reputation',
    ],
    [
      'a session that is ended later is not',
      error({ code: 'ECONNECTION', response: '421 4.7.0 No', responseCode: 421, command: 'CONN' }),
      'deferred',
      'policy',
    ],
    [
      'the sender is what is unknown at MAIL',
      reply('550 5.1.1 No such user', 'MAIL FROM'),
      'bounced',
      'sender',
    ],
    [
      'a relay that wants TLS before the password',
      error({ code: 'EAUTH', response: '530 5.7.0 Must issue a STARTTLS command first', responseCode: 530 }),
      'deferred',
      'tls',
    ],
    ['no reply at all', error({ code: 'ECONNECTION' }), 'deferred', 'connection'],
    ['a time-out', error({ code: 'ETIMEDOUT' }), 'deferred', 'timeout'],
    ['broken TLS', error({ code: 'ETLS' }), 'deferred', 'tls'],
    ['a message over the SIZE limit', error({ code: 'EMESSAGE' }), 'bounced', 'too_large'],
    ['no REQUIRETLS', error({ code: 'EREQUIRETLS' }), 'bounced', 'policy'],
    [
      'our own password refused by the relay says nothing about the recipient',
      error({ code: 'EAUTH', response: '535 5.7.8 bad credentials', responseCode: 535 }),
      'deferred',
      'relay_auth',
    ],
    [
      'a relay that wants a password we have not',
      reply('530 5.7.0 authentication required', 'MAIL FROM'),
      'deferred',
      'relay_auth',
    ],
  ])('%s', (_name, fault, outcome, category) => {
    expect(failed(fault)).toMatchObject({ outcome, category })
  })

  test('who answered matters, and what the operator says goes before all else', () => {
    const fault = reply('451 4.7.500 Server busy')
    const host = 'example-com.mail.protection.outlook.com'
    expect(failed(fault)).toMatchObject({ category: 'remote_system' })
    expect(failed(fault, { host })).toMatchObject({ category: 'rate' })
    const row = {
      position: 1,
      mx: 'outlook.com',
      pattern: 'server busy',
      category: 'reputation',
      outcome: 'bounced',
    }
    const rules = compileReplyRules([row], () => {})
    expect(failed(fault, { host, rules })).toMatchObject({
      outcome: 'bounced',
      code: 451,
      enhancedCode: '4.7.500',
      category: 'reputation',
    })
  })

  test('a hostile reply is kept without control characters and within bounds', () => {
    const { reply: text } = failed(reply(`550 a\r\nb\u0000c\u001b[31m\u2028${'x'.repeat(5000)}`))
    expect(text).toMatch(/^550 a b c \[31m x+$/)
    expect(text.length).toBe(1000)
  })
})
