/** What replies mean that no rule knows: by enhanced code (RFC 3463, RFC 7372, the IANA registry), code and stage. */
import type { ReplyCategory } from './reply-categories.ts'
import type { SmtpStage } from './reply-rules.ts'

/** By subject and detail of the enhanced code, the more exact first. */
const byEnhanced: readonly [RegExp, ReplyCategory][] = [
  [/^1\.[78]$/, 'sender'],
  [/^1\.10$/, 'routing'],
  [/^1\./, 'invalid_recipient'],
  [/^2\.1$/, 'mailbox_disabled'],
  [/^2\.2$/, 'mailbox_full'],
  [/^2\.3$/, 'too_large'],
  [/^2\./, 'mailbox'],
  [/^3\.4$/, 'too_large'],
  [/^3\./, 'remote_system'],
  [/^4\.2$/, 'connection'],
  [/^4\.7$/, 'timeout'],
  [/^4\.5$/, 'remote_system'],
  [/^4\./, 'routing'],
  [/^5\.3$/, 'rate'],
  [/^5\./, 'protocol'],
  [/^6\./, 'content'],
  [/^7\.(?:8|9|12|13)$/, 'relay_auth'],
  [/^7\.(?:5|10|11)$/, 'tls'],
  [/^7\.1[78]$/, 'mailbox_disabled'],
  [/^7\.(?:2[0-46]|29)$/, 'auth'],
  [/^7\.25$/, 'reputation'],
  [/^7\.27$/, 'sender'],
  [/^7\.28$/, 'rate'],
  [/^7\./, 'policy'],
]

const byCode: Readonly<Record<number, ReplyCategory>> = {
  421: 'remote_system',
  432: 'relay_auth',
  450: 'mailbox',
  451: 'remote_system',
  452: 'remote_system',
  454: 'relay_auth',
  521: 'routing',
  523: 'tls',
  530: 'relay_auth',
  534: 'relay_auth',
  535: 'relay_auth',
  538: 'tls',
  541: 'spam',
  551: 'invalid_recipient',
  552: 'mailbox_full',
  553: 'invalid_recipient',
  556: 'routing',
  571: 'policy',
}

/** Categories that pass by themselves: for these, a 5yz that says "try again later" means what it says. */
const passing: readonly ReplyCategory[] = [
  'rate',
  'greylisting',
  'remote_system',
  'mailbox',
  'mailbox_full',
  'dns',
  'timeout',
]

/** `enhanced` is like `1.1`, without its class; a text that is no reply at all is a fault of the protocol. */
export function categoryOfCodes(
  code: number,
  enhanced: string | undefined,
  stage: SmtpStage | undefined,
): ReplyCategory {
  if (code < 400) return 'protocol'
  if (enhanced && enhanced !== '0.0') {
    const found = byEnhanced.find(([pattern]) => pattern.test(enhanced))
    if (found) return found[1]
  }
  if (code >= 500 && code <= 504) return 'protocol'
  // After the message, no server tells that a name is not allowed
  if (stage === 'dot' && (code === 551 || code === 553)) return 'policy'
  // Whether 550 to RCPT means the mailbox or us cannot be known: it must not count against the recipient
  return byCode[code] ?? (code < 500 ? 'remote_system' : stage === 'rcpt' ? 'mailbox' : 'policy')
}

/** What a category can be at a stage: before RCPT nothing is said of the recipient, before MAIL nothing but of us. */
export function fitToStage(category: ReplyCategory, stage: SmtpStage | undefined): ReplyCategory {
  if (stage === 'mail')
    return category === 'invalid_recipient' || category === 'mailbox_disabled' ? 'sender' : category
  if (stage !== 'connect' && stage !== 'greeting' && stage !== 'ehlo') return category
  switch (category) {
    case 'policy':
    case 'sender':
    case 'spam':
    case 'invalid_recipient':
    case 'mailbox_disabled':
    case 'mailbox':
      return 'reputation'
    default:
      return category
  }
}

const invitation = /\b(?:try|retry)(?: again| it)? (?:later|in \d)|\b(?:again|come back) later\b/

/**
 * Whether a 5yz is to be tried again: it asks for a login or encryption (which says nothing about the recipient); it is
 * the "too many recipients" of old (RFC 5321 §4.5.3.1.10); or it says itself that it will pass. `text` is in lower case.
 */
export function isTemporaryDespiteCode(
  code: number,
  category: ReplyCategory,
  stage: SmtpStage | undefined,
  text: string,
): boolean {
  if (code < 500) return false
  if (code === 530 || code === 534 || code === 535 || code === 538) return true
  if (code === 552 && stage === 'rcpt' && (category === 'rate' || category === 'mailbox_full')) return true
  return passing.includes(category) && invitation.test(text)
}
