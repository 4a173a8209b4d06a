/**
 * Real replies of mail servers, gathered from public documentation, with what each means: the measure of the rules.
 *
 * One line a reply: `category [outcome] [stage] | reply`, the lines of the reply parted by ` ¶ `. The outcome stands only
 * where it is not what the first digit says. Addresses are those of documentation (RFC 2606, RFC 5737).
 *
 * How they are labelled, where a reply could be read in two ways: what the text says goes before what its codes say; a
 * cause that is named (no SPF, no PTR record) before the measure that was taken (rate limited); a rate that is named
 * before the reputation behind it; refusing an address as unknown before how the refusal is worded ("access denied").
 */
import { createHash } from 'node:crypto'
import type { ReplyCategory } from '../../reply-categories.ts'
import type { SmtpStage } from '../../reply-rules.ts'

export type LabelledReply = {
  reply: string
  category: ReplyCategory
  outcome: 'deferred' | 'bounced'
  stage?: SmtpStage
  mxHost?: string
  provider: string
  /** Where it was found: an address, or a document's name. */
  source: string
}

const stages: readonly string[] = [
  'connect',
  'greeting',
  'ehlo',
  'starttls',
  'auth',
  'mail',
  'rcpt',
  'data',
  'dot',
]

/** Reads the lines of one provider. */
export function replies(
  from: { provider: string; source: string; mxHost?: string },
  lines: string,
): LabelledReply[] {
  return lines
    .trim()
    .split('\n')
    .map((line) => {
      const bar = line.indexOf(' | ')
      const [category, ...notes] = line.slice(0, bar).trim().split(' ')
      const reply = line.slice(bar + 3).replaceAll(' ¶ ', '\r\n')
      const stage = notes.find((note) => stages.includes(note))
      return {
        reply,
        category: category as ReplyCategory,
        outcome: notes.includes('deferred') || isTemporary(reply, category, stage) ? 'deferred' : 'bounced',
        ...(stage && { stage: stage as SmtpStage }),
        ...from,
      }
    })
}

/** 4yz; a relay that wants us to log in or to encrypt; "too many recipients" of old (RFC 5321 §4.5.3.1.10). */
function isTemporary(reply: string, category: string | undefined, stage: string | undefined): boolean {
  if (!reply.startsWith('5') || /^53[0458]/.test(reply)) return true
  return reply.startsWith('552') && stage === 'rcpt' && (category === 'rate' || category === 'mailbox_full')
}

/** Which half a reply is in: the rules were written with the tuning half in view, and are measured on the check half. */
export function halfOf({ reply }: LabelledReply): 'tuning' | 'check' {
  return (createHash('sha256').update(reply).digest()[0] as number) % 2 === 0 ? 'tuning' : 'check'
}
