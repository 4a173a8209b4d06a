/** What remote replies and faults mean for the recipient. */
import { describe, expect, test } from '@jest/globals'
import { failed } from './classify.ts'

const error = (fields: Record<string, unknown>) => Object.assign(new Error('failed'), fields)
const reply = (response: string, command = 'RCPT TO') =>
  error({ code: 'EENVELOPE', response, responseCode: Number(response.slice(0, 3)), command })

describe('failed', () => {
  test.each([
    ['5yz bounces', reply('550 5.1.1 no such user'), 'bounced', 'invalid_recipient'],
    ['4yz defers', reply('451 4.7.1 greylisted'), 'deferred', 'policy'],
    ['a full mailbox', reply('552 5.2.2 over quota', 'DATA'), 'bounced', 'mailbox_full'],
    [
      '552 to RCPT is the old "too many recipients"',
      reply('552 too many recipients'),
      'deferred',
      'mailbox_full',
    ],
    ['a code that is none', reply('299 what'), 'deferred', null],
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

  test('a hostile reply is kept without control characters and within bounds', () => {
    const { reply: text } = failed(reply(`550 a\r\nb\u0000c\u001b[31m\u2028${'x'.repeat(5000)}`))
    expect(text).toMatch(/^550 a b c \[31m x+$/)
    expect(text.length).toBe(1000)
  })
})
