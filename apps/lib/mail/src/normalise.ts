/**
 * What every submitted message goes through once: line ends mended, the header section checked and completed.
 *
 * Steps: refuse NUL → CRLF → refuse long lines → split the header section → check each field → rebuild.
 */
import { isAscii } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { isProblem, type Mailbox, parseAddressList } from './address.ts'
import { type Control, emptyControl, isControlHeader, readControlHeader } from './control-headers.ts'
import { decodeEncodedWords, octetsToText, truncate } from './encoded-word.ts'
import { fieldValue, type HeaderField, splitHeaderSection } from './header-fields.ts'
import { hasLongLine, withCrlf } from './line-ends.ts'

export type NormaliseOptions = {
  /** This host's name, for the Received field. */
  hostname: string
  /** The time of submission, for Received and a missing Date. */
  now: Date
  /** How the message came, for Received: `ESMTPSA`, `ESMTPA`, `HTTP` … (RFC 3848). */
  protocol: string
  /** Received fields beyond this many mean a loop; default 50. */
  maxReceived?: number
}

/** A message ready to be stored, signed and sent. Display values are unfolded and decoded, '' where absent. */
export type NormalisedMessage = {
  /** CRLF line ends only, at most 998 octets a line, no NUL, ends in CRLF; header section, empty line, body. */
  raw: Buffer
  headerFrom: Mailbox
  /** The Sender field's mailbox; the caller checks that the client may use it. */
  sender: Mailbox | undefined
  fromHeader: string
  /** At most 998 characters. */
  subject: string
  /** With its angle brackets. */
  messageId: string
  replyTo: string
  to: string
  cc: string
  control: Control
  /** Octets above 127 in the body: needs 8BITMIME (RFC 6152). */
  eightBit: boolean
  /** Octets above 127 in the header section: needs SMTPUTF8 (RFC 6531). */
  utf8Headers: boolean
}

/** Why a message is not accepted, as the parts of an SMTP reply; `reason` is one line of plain ASCII. */
export type Refusal = { refused: true; code: 550 | 552 | 554; enhanced: string; reason: string }

const maxLineOctets = 998
const maxHeaderOctets = 256 * 1024
const maxFields = 1_000
const maxDisplayCharacters = 10_000
const maxSubjectCharacters = 998

const headerControls = /[^\P{Cc}\t\r\n\x80-\x9f]/u
const emptyLine = '\r\n\r\n'
const crlf = Buffer.from('\r\n')

const singletons = new Set('from sender reply-to to cc subject date message-id'.split(' '))
const removed = new Set('bcc resent-bcc return-path authentication-results'.split(' '))

/**
 * Checks a submitted message and gives it the one form in which it is stored, signed and sent.
 *
 * Bare CR and bare LF become CRLF first of all, so nothing later can be smuggled past a line end (RFC 5321 §2.3.8).
 * The body is otherwise kept octet for octet. `Bcc`, `Resent-Bcc`, `Return-Path`, `Authentication-Results` and the
 * control headers are removed; a Received field without the client's address goes on top; a missing Date or
 * Message-ID is added. Refused: NUL anywhere; control characters in the header section; a line over 998 octets
 * (RFC 5322 §2.1.1); a malformed field; From missing or with anything but one mailbox; a field given twice that may
 * occur once (§3.6); over 256 KiB or 1,000 fields of header; too many Received (RFC 5321 §6.3). Linear.
 */
export function normaliseMessage(raw: Buffer, options: NormaliseOptions): NormalisedMessage | Refusal {
  if (raw.includes(0)) return refuse(554, '5.6.0', 'message contains a NUL character')
  const message = withCrlf(raw)
  if (hasLongLine(message, maxLineOctets)) {
    return refuse(554, '5.6.0', `message has a line longer than ${maxLineOctets} octets`)
  }
  const headerLength = findHeaderLength(message)
  if (headerLength > maxHeaderOctets) return refuse(552, '5.3.4', 'header section is larger than 256 KiB')
  const section = message.toString('latin1', 0, headerLength)
  if (headerControls.test(section)) return refuse(554, '5.6.0', 'header section has control characters')
  const fields = splitHeaderSection(section, maxFields)
  if (typeof fields === 'string') return refuse(554, '5.6.0', fields)

  const sorted = sortFields(section, fields, options.maxReceived ?? 50)
  if ('refused' in sorted) return sorted
  const { single, drop, control } = sorted
  const from = single.get('from')
  if (from === undefined) return refuse(550, '5.6.0', 'message has no From header field')
  const fromText = octetsToText(fieldValue(section, from))
  const headerFrom = readOneMailbox('From', fromText)
  if ('refused' in headerFrom) return headerFrom
  const senderField = single.get('sender')
  const sender = senderField && readOneMailbox('Sender', octetsToText(fieldValue(section, senderField)))
  if (sender && 'refused' in sender) return sender

  const date = formatDate(options.now)
  let added = `Received: by ${options.hostname} (Postel) with ${options.protocol};\r\n\t${date}\r\n`
  if (!single.has('date')) added += `Date: ${date}\r\n`
  const messageIdField = single.get('message-id')
  let messageId = messageIdField && readMessageId(fieldValue(section, messageIdField))
  if (messageId === undefined) {
    messageId = `<${randomBytes(16).toString('hex')}@${headerFrom.domain}>`
    if (messageIdField) drop.push(messageIdField)
    added += `Message-ID: ${messageId}\r\n`
  }

  const ascii = isAscii(message)
  const subject = single.get('subject')
  return {
    raw: rebuild(message, added, drop, headerLength),
    headerFrom,
    sender,
    fromHeader: decodeEncodedWords(truncate(fromText, maxDisplayCharacters)),
    subject: subject ? truncate(displayValue(section, subject), maxSubjectCharacters) : '',
    messageId,
    replyTo: displayValue(section, single.get('reply-to')),
    to: displayValue(section, single.get('to')),
    cc: displayValue(section, single.get('cc')),
    control,
    eightBit: !ascii && !isAscii(message.subarray(headerLength)),
    utf8Headers: !ascii && !isAscii(message.subarray(0, headerLength)),
  }
}

function refuse(code: Refusal['code'], enhanced: string, reason: string): Refusal {
  return { refused: true, code, enhanced, reason }
}

/** Octets of the header section with its last CRLF; all of the message where there is no empty line. */
function findHeaderLength(message: Buffer): number {
  if (message[0] === 0x0d) return 0
  const end = message.indexOf(emptyLine, 0, 'latin1')
  return end < 0 ? message.length : end + 2
}

type Sorted = { single: Map<string, HeaderField>; drop: HeaderField[]; control: Control }

function sortFields(section: string, fields: HeaderField[], maxReceived: number): Sorted | Refusal {
  const single = new Map<string, HeaderField>()
  const drop: HeaderField[] = []
  const control = emptyControl()
  let received = 0
  for (const field of fields) {
    const { name } = field
    if (singletons.has(name)) {
      if (single.has(name)) return refuse(550, '5.6.0', `message has more than one ${name} header field`)
      single.set(name, field)
    } else if (name === 'received') {
      if (++received > maxReceived) return refuse(554, '5.4.6', 'too many Received header fields: mail loop')
    } else if (removed.has(name)) {
      drop.push(field)
    } else if (isControlHeader(name)) {
      drop.push(field)
      const nameAsSent = section.slice(field.start, field.valueStart - 1)
      const problem = readControlHeader(control, nameAsSent, displayValue(section, field))
      if (problem) return refuse(550, '5.6.0', problem)
    }
  }
  return { single, drop, control }
}

function readOneMailbox(name: string, text: string): Mailbox | Refusal {
  const list = parseAddressList(text)
  if (isProblem(list)) return refuse(550, '5.6.0', `${name} header field: ${list.problem}`)
  const mailbox = list.mailboxes[0]
  if (mailbox === undefined || list.mailboxes.length > 1 || list.groups > 0) {
    return refuse(550, '5.7.1', `${name} header field must have exactly one mailbox and no group`)
  }
  return { address: mailbox.address, localPart: mailbox.localPart, domain: mailbox.domain }
}

/** The msg-id of a Message-ID field, its missing brackets added; undefined where the field is empty. */
function readMessageId(octets: string): string | undefined {
  const value = octetsToText(octets)
  const bracketed = /<[^<>\s]{1,996}>/.exec(value)
  if (bracketed) return bracketed[0]
  const bare = truncate(value.replace(/[<>\s]/g, ''), 996)
  return bare === '' ? undefined : `<${bare}>`
}

function displayValue(section: string, field: HeaderField | undefined): string {
  if (field === undefined) return ''
  const octets = fieldValue(section, field)
  const bounded = octets.length > maxDisplayCharacters ? octets.slice(0, maxDisplayCharacters) : octets
  return decodeEncodedWords(octetsToText(bounded))
}

/** One copy: the added fields, what is kept of the header section, and the body. */
function rebuild(message: Buffer, added: string, drop: HeaderField[], headerLength: number): Buffer {
  const parts: Buffer[] = [Buffer.from(added, 'latin1')]
  let kept = 0
  for (const field of drop.sort((a, b) => a.start - b.start)) {
    parts.push(message.subarray(kept, field.start))
    kept = field.end
  }
  parts.push(message.subarray(kept))
  if (headerLength === message.length) parts.push(crlf)
  return Buffer.concat(parts)
}

let dateSecond = -1
let dateText = ''

/** RFC 5322 §3.3 in +0000; made at most once a second, since every message needs it. */
function formatDate(now: Date): string {
  const second = Math.floor(now.getTime() / 1000)
  if (second !== dateSecond) {
    dateText = now.toUTCString().replace('GMT', '+0000')
    dateSecond = second
  }
  return dateText
}
