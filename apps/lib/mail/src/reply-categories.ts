/** The categories of failed deliveries: what each means, whom it counts against, and whether waiting can help. */

/** Against whom repeated failures of a category count; `none`: against nobody. */
export type CountsAgainst = 'ip' | 'recipient' | 'sender' | 'message' | 'remote' | 'none'

type Category = {
  meaning: string
  against: CountsAgainst
  /** Hard: the same message to the same recipient will not be taken later, whatever is waited for. */
  hard: boolean
}

export const replyCategories = {
  invalid_recipient: {
    meaning: 'There is no such mailbox or no such domain.',
    against: 'recipient',
    hard: true,
  },
  mailbox_disabled: {
    meaning: 'The mailbox is known and closed: disabled, suspended, expired, unused, its owner gone.',
    against: 'recipient',
    hard: true,
  },
  mailbox_full: { meaning: 'The mailbox has no room left.', against: 'none', hard: false },
  mailbox: {
    meaning: 'The mailbox takes nothing right now, for instance because too much mail comes in for it.',
    against: 'none',
    hard: false,
  },
  policy: {
    meaning:
      'A rule of the receiver forbids this mail: a list of blocked senders, a closed group, a filter of its own.',
    against: 'sender',
    hard: true,
  },
  spam: { meaning: 'The content was judged to be spam.', against: 'message', hard: true },
  reputation: {
    meaning:
      'The source is refused: IP or domain on a block list, a bad name, no PTR record, a bad EHLO name.',
    against: 'ip',
    hard: false,
  },
  rate: {
    meaning: 'We are too fast or too many: connections, messages, recipients or errors of ours.',
    against: 'ip',
    hard: false,
  },
  greylisting: {
    meaning: 'Refused once to see whether it is tried again (RFC 6647).',
    against: 'none',
    hard: false,
  },
  content: {
    meaning: 'The message is malformed or holds what is not taken: a virus, an attachment, a header.',
    against: 'message',
    hard: true,
  },
  too_large: { meaning: 'The message is larger than the remote takes.', against: 'message', hard: true },
  auth: { meaning: "SPF, DKIM or DMARC failed for the sender's domain.", against: 'sender', hard: true },
  tls: { meaning: 'Encryption is missing, broken or wanted.', against: 'remote', hard: false },
  dns: { meaning: 'A DNS lookup failed, ours or one of the remote.', against: 'none', hard: false },
  routing: {
    meaning: 'The mail does not belong there: relaying denied, a loop, no way to the domain.',
    against: 'remote',
    hard: true,
  },
  protocol: { meaning: 'The two sides did not understand each other.', against: 'remote', hard: false },
  remote_system: {
    meaning: 'The remote is out of order, full or overloaded.',
    against: 'remote',
    hard: false,
  },
  sender: {
    meaning: "The envelope sender is refused: its domain does not exist or its mailbox can't be verified.",
    against: 'sender',
    hard: true,
  },
  relay_auth: {
    meaning: 'The remote wants us to log in, or refused our login.',
    against: 'none',
    hard: false,
  },
  connection: { meaning: 'No connection, or it broke.', against: 'remote', hard: false },
  timeout: { meaning: 'One side waited too long for the other.', against: 'remote', hard: false },
  in_doubt: {
    meaning: 'The connection broke after the final dot: the message may have been delivered.',
    against: 'none',
    hard: false,
  },
  sender_died: { meaning: 'Our process died while it was sending.', against: 'none', hard: false },
  signing: { meaning: 'Our DKIM signature could not be made.', against: 'none', hard: false },
} as const satisfies Record<string, Category>

export type ReplyCategory = keyof typeof replyCategories

export function isReplyCategory(text: string): text is ReplyCategory {
  return Object.hasOwn(replyCategories, text)
}
