/**
 * Delivery status notifications (RFC 3461, 3464, 6522): what the sender of a message is told of some of its recipients.
 * Three parts: sentences for people, fields for programs, and the message or its headers.
 */
import { isAscii } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { hasLongLine, withCrlf } from './line-ends.ts'
import { asciiRecipient, reportField, typedAddress } from './report-fields.ts'
import { reportText } from './report-text.ts'
import { encodeText } from './transfer-encoding.ts'

export type ReportAction = 'failed' | 'delayed' | 'relayed' | 'delivered'

export type ReportRecipient = {
  address: string
  /** ORCPT with its xtext decoded: `rfc822;user@example.com`. */
  original: string | undefined
  action: ReportAction
  /** RFC 3463, e.g. `5.1.1`. */
  status: string
  /** What the remote said, or what we found. Anything may be in it. */
  reply: string
  /** The server that said it; undefined when the reply is our own finding. */
  remote: string | undefined
  lastAttempt: Date | undefined
}

export type ReportInput = {
  /** This host's name. */
  hostname: string
  now: Date
  /** The envelope sender of the message. */
  to: string
  /** ENVID, decoded. */
  envelopeId: string | undefined
  /** Message-ID with its brackets, and subject, decoded, of the message. */
  messageId: string
  subject: string
  arrival: Date
  /** When the delayed recipients are given up. */
  retryUntil: Date
  recipients: readonly ReportRecipient[]
  /** The message, or at least its beginning with the header section. It is sent back `whole` only when a recipient failed. */
  original: { raw: Buffer; whole: boolean } | undefined
}

export type Report = {
  /** CRLF line ends, at most 998 octets a line. */
  raw: Buffer
  messageId: string
  /** As in its headers. */
  from: string
  subject: string
  /** Octets above 127 in the body (8BITMIME), in the header section (SMTPUTF8). */
  eightBit: boolean
  utf8Headers: boolean
}

const maxLineOctets = 998
const subjects: Record<ReportAction, string> = {
  failed: 'Your message was not delivered',
  delayed: 'Your message is delayed',
  relayed: 'Your message was passed on',
  delivered: 'Your message was delivered',
}

/**
 * Composes the report. It comes from the null sender, so it must never be answered and says so (RFC 3834). Nothing that
 * a remote or the sender wrote reaches a header or a field unescaped.
 */
export function composeReport(input: ReportInput): Report {
  const { hostname, recipients } = input
  const action = (['failed', 'delayed', 'relayed', 'delivered'] as const).find((one) =>
    recipients.some((recipient) => recipient.action === one),
  )!
  const boundary = `=_${randomBytes(16).toString('hex')}`
  const messageId = `<${randomBytes(16).toString('hex')}@${hostname}>`
  const from = `Mail Delivery System <MAILER-DAEMON@${hostname}>`
  const subject = subjects[action]
  const returned = input.original && returnedPart(input.original, action)
  const thread = /^<[!-;=?-~]{1,900}>$/.test(input.messageId) ? [input.messageId] : []

  const header = [
    `From: ${from}`,
    `To: <${input.to.replace(/[\p{Cc}\p{Zl}\p{Zp}<>]/gu, '')}>`,
    `Subject: ${subject}`,
    `Date: ${dateTime(input.now)}`,
    `Message-ID: ${messageId}`,
    ...thread.map((id) => `In-Reply-To: ${id}\r\nReferences: ${id}`),
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="${boundary}"`,
    ...(returned?.eightBit ? ['Content-Transfer-Encoding: 8bit'] : []),
  ].join('\r\n')
  const text = encodeText(withCrlf(Buffer.from(reportText(input))))
  const parts = [
    [`Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: ${text.encoding}`, text.encoded],
    ['Content-Type: message/delivery-status', Buffer.from(statusFields(input))],
    ...(returned ? [[returned.header, returned.content] as const] : []),
  ] as const
  return {
    raw: Buffer.concat([
      Buffer.from(`${header}\r\n\r\n`),
      ...parts.flatMap(([head, content]) => [
        Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`),
        content,
        Buffer.from('\r\n'),
      ]),
      Buffer.from(`--${boundary}--\r\n`),
    ]),
    messageId,
    from,
    subject,
    eightBit: returned?.eightBit === true,
    utf8Headers: !isAscii(Buffer.from(header)),
  }
}

/** The fields of RFC 3464 §2: one block for the message, one for each recipient. */
function statusFields(input: ReportInput): string {
  const message = [
    reportField('Original-Envelope-Id', input.envelopeId),
    reportField('Reporting-MTA', `dns; ${input.hostname}`),
    reportField('Arrival-Date', dateTime(input.arrival)),
  ]
  const recipients = input.recipients.map(({ remote, ...recipient }) => [
    reportField('Original-Recipient', recipient.original && asciiRecipient(recipient.original)),
    reportField('Final-Recipient', typedAddress(recipient.address)),
    reportField('Action', recipient.action),
    reportField('Status', recipient.status),
    reportField('Remote-MTA', remote && `dns; ${remote}`),
    reportField(
      'Diagnostic-Code',
      recipient.reply && `${remote === undefined ? 'x-postel' : 'smtp'}; ${recipient.reply}`,
    ),
    reportField('Last-Attempt-Date', recipient.lastAttempt && dateTime(recipient.lastAttempt)),
    reportField('Will-Retry-Until', recipient.action === 'delayed' ? dateTime(input.retryUntil) : undefined),
  ])
  return [message, ...recipients].map((block) => block.join('')).join('\r\n')
}

/**
 * The message as it was, or its header section as a text of its own where it is large, has lines or headers that cannot
 * travel as they are, or nothing failed (RFC 3461 §4.3).
 */
function returnedPart(
  { raw, whole }: NonNullable<ReportInput['original']>,
  action: ReportAction,
): { header: string; content: Buffer; eightBit: boolean } {
  const blank = raw.indexOf('\r\n\r\n', 0, 'latin1')
  // What is cut off ends with a whole line
  const end = blank < 0 ? raw.lastIndexOf('\r\n', undefined, 'latin1') : blank
  const headers = raw.subarray(0, end + 2)
  if (whole && action === 'failed' && isAscii(headers) && !hasLongLine(raw, maxLineOctets)) {
    const eightBit = !isAscii(raw)
    return {
      header: `Content-Type: message/rfc822\r\nContent-Transfer-Encoding: ${eightBit ? '8bit' : '7bit'}`,
      content: raw,
      eightBit,
    }
  }
  if (isAscii(headers) && !hasLongLine(headers, maxLineOctets))
    return { header: 'Content-Type: text/rfc822-headers', content: headers, eightBit: false }
  const { encoding, encoded } = encodeText(headers)
  return {
    header: `Content-Type: text/rfc822-headers; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}`,
    content: encoded,
    eightBit: false,
  }
}

/** RFC 5322 §3.3, in UTC. */
function dateTime(at: Date): string {
  return at.toUTCString().replace('GMT', '+0000')
}
