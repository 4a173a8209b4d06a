/** Reads remote replies: what they mean for the recipient, and of which kind they are. */

import type { RecipientOutcome } from '@postel/db/queries/outbound'
import { parseReply } from '@postel/mail/enhanced-status'
import type { CompiledReplyRule } from '@postel/mail/reply-classifier'
import type { SmtpError } from './smtp-connection.ts'

export type Verdict = Omit<RecipientOutcome, 'number'>

/** RFC 3463 subjects and details, the more exact first. */
const categories: readonly [RegExp, string][] = [
  [/^[45]\.1\.8$/, 'sender'],
  [/^[45]\.1\.(10)$/, 'routing'],
  [/^[45]\.1\./, 'invalid_recipient'],
  [/^[45]\.2\.1$/, 'mailbox_disabled'],
  [/^[45]\.2\.2$/, 'mailbox_full'],
  [/^[45]\.2\./, 'mailbox'],
  [/^[45]\.3\.4$/, 'too_large'],
  [/^[45]\.3\./, 'remote_system'],
  [/^[45]\.4\./, 'routing'],
  [/^[45]\.5\./, 'protocol'],
  [/^[45]\.6\./, 'content'],
  [/^[45]\.7\./, 'policy'],
]

/** A 2yz after the final dot. */
export function delivered(response: string | undefined): Verdict {
  const reply = parseReply(response ?? '')
  return verdict('delivered', reply.code || 250, reply.enhanced, null, response ?? '')
}

/** A failed command: 5yz bounces, 4yz defers, and so does everything that is not a reply at all. */
export function failed(error: SmtpError, _remote?: { host: string; rules?: readonly CompiledReplyRule[] }): Verdict {
  if (error.code === 'EREQUIRETLS')
    return bounced('5.7.30', 'policy', 'The remote does not offer REQUIRETLS, which the sender asked for')
  if (error.code === 'EMESSAGE' && !error.responseCode) return bounced('5.3.4', 'too_large', error.message)
  // Our own credentials were refused: that says nothing about the recipient
  if (error.code === 'EAUTH' || error.responseCode === 530)
    return deferred('4.7.0', 'relay_auth', error.response ?? error.message)
  if (!error.response) return deferred('4.4.2', kindOfFault(error), error.message)
  const { code, enhanced } = parseReply(error.response)
  const category =
    (enhanced && categories.find(([pattern]) => pattern.test(enhanced))?.[1]) ??
    (code === 552 ? 'mailbox_full' : null)
  // RFC 5321 §4.5.3.1.10: 552 to RCPT is "too many recipients" of old, a temporary condition
  const permanent = code >= 500 && code < 600 && !(code === 552 && error.command === 'RCPT TO')
  return verdict(permanent ? 'bounced' : 'deferred', code || null, enhanced, category, error.response)
}

/** Our own finding, without a reply: permanent. */
export function bounced(enhanced: string, category: string, text: string): Verdict {
  return verdict('bounced', null, enhanced, category, text)
}

/** Our own finding, without a reply: to be tried again. */
export function deferred(enhanced: string, category: string, text: string): Verdict {
  return verdict('deferred', null, enhanced, category, text)
}

function verdict(
  outcome: Verdict['outcome'],
  code: number | null,
  enhanced: string | undefined,
  category: string | null,
  text: string,
): Verdict {
  // NUL and half a surrogate pair cannot be stored, other control characters must not reach a terminal or a log
  const reply = text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()
    .slice(0, 1000)
    .toWellFormed()
  return { outcome, code, enhancedCode: enhanced ?? null, category, reply }
}

function kindOfFault(error: SmtpError): string {
  switch (error.code) {
    case 'ETIMEDOUT':
      return 'timeout'
    case 'ETLS':
      return 'tls'
    case 'EPROTOCOL':
      return 'protocol'
    case 'EAUTH':
      return 'relay_auth'
    default:
      return 'connection'
  }
}
