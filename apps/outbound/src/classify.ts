/** Reads remote replies: what they mean for the recipient, and of which kind they are. */

import type { RecipientOutcome } from '@postel/db/queries/outbound'
import { parseReply } from '@postel/mail/enhanced-status'
import type { ReplyCategory } from '@postel/mail/reply-categories'
import { type Classification, type CompiledReplyRule, classifyReply } from '@postel/mail/reply-classifier'
import type { SmtpStage } from '@postel/mail/reply-rules'
import type { SmtpError } from './smtp-connection.ts'

export type Verdict = Omit<RecipientOutcome, 'number'>

/** Who answered, and what the operator says of replies. */
export type Remote = { host: string; rules?: readonly CompiledReplyRule[] }

const stages: Readonly<Record<string, SmtpStage>> = {
  EHLO: 'ehlo',
  HELO: 'ehlo',
  LHLO: 'ehlo',
  STARTTLS: 'starttls',
  'MAIL FROM': 'mail',
  'RCPT TO': 'rcpt',
}

/** A 2yz after the final dot. */
export function delivered(response: string | undefined): Verdict {
  const reply = parseReply(response ?? '')
  return verdict('delivered', reply.code || 250, reply.enhanced, null, response ?? '')
}

/**
 * A failed command: 5yz bounces, 4yz defers, unless a rule says otherwise of the reply; what is not a reply at all defers.
 */
export function failed(error: SmtpError, remote?: Remote): Verdict {
  if (error.code === 'EREQUIRETLS')
    return bounced('5.7.30', 'policy', 'The remote does not offer REQUIRETLS, which the sender asked for')
  if (error.code === 'EMESSAGE' && !error.responseCode) return bounced('5.3.4', 'too_large', error.message)
  if (error.code !== 'EAUTH') {
    if (!error.response) return deferred('4.4.2', kindOfFault(error), error.message)
    const { code, enhanced } = parseReply(error.response)
    const { category, outcome } = read(error.response, error, remote)
    const usual = code >= 500 ? 'bounced' : 'deferred'
    return verdict(outcome ?? usual, code || null, enhanced, category, error.response)
  }
  // Our own credentials were refused, or may not be shown without TLS: that says nothing about the recipient
  const wantsTls = error.response !== undefined && read(error.response, error, remote).category === 'tls'
  return deferred('4.7.0', wantsTls ? 'tls' : 'relay_auth', error.response ?? error.message)
}

/** Our own finding, without a reply: permanent. */
export function bounced(enhanced: string, category: ReplyCategory, text: string): Verdict {
  return verdict('bounced', null, enhanced, category, text)
}

/** Our own finding, without a reply: to be tried again. */
export function deferred(enhanced: string, category: ReplyCategory, text: string): Verdict {
  return verdict('deferred', null, enhanced, category, text)
}

function read(response: string, error: SmtpError, remote: Remote | undefined): Classification {
  return classifyReply(response, {
    mxHost: remote?.host,
    stage: stageOf(error),
    operatorRules: remote?.rules,
  })
}

/** nodemailer says CONN of the greeting and of whatever ends a session later, and DATA of the command and of the dot. */
function stageOf({ command = '', code }: SmtpError): SmtpStage | undefined {
  if (command === 'CONN') return code === 'EPROTOCOL' ? 'greeting' : undefined
  if (command === 'DATA') return code === 'EMESSAGE' ? 'dot' : 'data'
  return command.startsWith('AUTH') ? 'auth' : stages[command]
}

function verdict(
  outcome: Verdict['outcome'],
  code: number | null,
  enhanced: string | undefined,
  category: ReplyCategory | null,
  text: string,
): Verdict {
  return { outcome, code, enhancedCode: enhanced ?? null, category, reply: readable(text, 1000) }
}

/** What a remote said, as it may be stored and shown: in one line, of at most `most` characters. */
export function readable(text: string, most: number): string {
  // NUL and half a surrogate pair cannot be stored, and what steers a terminal or turns text round must not reach one
  return text
    .replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu, ' ')
    .trim()
    .slice(0, most)
    .toWellFormed()
}

function kindOfFault(error: SmtpError): ReplyCategory {
  switch (error.code) {
    case 'ETIMEDOUT':
      return 'timeout'
    case 'ETLS':
      return 'tls'
    case 'EPROTOCOL':
      return 'protocol'
    default:
      return 'connection'
  }
}
