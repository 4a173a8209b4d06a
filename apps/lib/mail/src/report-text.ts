/** The part of a report that people read: who, what the remote server said, what to do. */
import { truncate } from './encoded-word.ts'
import type { ReportAction, ReportInput, ReportRecipient } from './report.ts'

const lineCharacters = 72
const maxReplyCharacters = 1_000
const maxSubjectCharacters = 200

/** Plain text in UTF-8 with LF line ends. */
export function reportText(input: ReportInput): string {
  const { recipients } = input
  const paragraphs = [
    `This is the mail system at ${input.hostname}.`,
    ...(['failed', 'delayed', 'relayed', 'delivered'] as const).flatMap((action) => {
      const concerned = recipients.filter((recipient) => recipient.action === action)
      if (concerned.length === 0) return []
      const [opening, advice] = sentences(action, concerned.length, input.retryUntil)
      return [opening, ...concerned.map(entry), advice]
    }),
    details(input),
  ]
  return `${paragraphs.join('\n\n')}\n`
}

function sentences(action: ReportAction, count: number, retryUntil: Date): [string, string] {
  const these = count === 1 ? 'this recipient' : 'these recipients'
  switch (action) {
    case 'failed':
      return [
        wrap(`Your message could not be delivered to ${these}, and will not be tried again:`),
        wrap(
          'Check each address for mistakes. Where it is right, reach the recipient in another way, or show the answer ' +
            'above to whoever runs the server that gave it. When the cause is gone, send the message again.',
        ),
      ]
    case 'delayed':
      return [
        wrap(`Your message could not be delivered to ${these} yet:`),
        wrap(
          `You need not do anything, and need not send it again: it will be tried until ${retryUntil.toUTCString()}.`,
        ),
      ]
    case 'relayed':
      return [
        wrap(`Your message to ${these} was handed to another mail server:`),
        wrap(
          'That server does not report what becomes of it, so you will hear no more unless it fails there.',
        ),
      ]
    case 'delivered':
      return [
        wrap(`Your message to ${these} has arrived:`),
        wrap('The server that took it has reported so, as you had asked.'),
      ]
    default:
      throw new Error(`unreachable: ${action satisfies never}`)
  }
}

function entry({ address, reply, remote }: ReportRecipient): string {
  const said = remote === undefined ? '' : `${harmless(remote)} said: `
  const text = truncate(harmless(reply), maxReplyCharacters)
  return `  ${harmless(address)}${text === '' ? '' : `\n${wrap(said + text, '    ')}`}`
}

function details({ subject, messageId, arrival }: ReportInput): string {
  const title = truncate(harmless(subject), maxSubjectCharacters)
  return [
    'The message:',
    ...(title === '' ? [] : [wrap(`Subject: ${title}`, '  ')]),
    `  Message-ID: ${truncate(harmless(messageId), maxReplyCharacters)}`,
    `  Received: ${arrival.toUTCString()}`,
  ].join('\n')
}

/** One line: controls and line separators as spaces, and nothing that changes the direction of text. */
function harmless(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')
    .toWellFormed()
    .trim()
}

function wrap(text: string, indent = ''): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/ +/)) {
    if (line !== '' && indent.length + line.length + 1 + word.length > lineCharacters) {
      lines.push(indent + line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, indent + line].join('\n')
}
