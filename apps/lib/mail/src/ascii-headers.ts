/** A header section for a remote without SMTPUTF8 (RFC 6531): raw UTF-8 as encoded words, where that says the same. */
import { isAscii, isUtf8 } from 'node:buffer'
import { isProblem, type NamedMailbox, parseAddressList } from './address.ts'
import { decodeEncodedWords, encodeWords } from './encoded-word.ts'
import { fieldValue, type HeaderField, splitHeaderSection } from './header-fields.ts'

const maxFields = 1_000
const maxValueLength = 32_000

const addressFields = /^(?:resent-)?(?:from|sender|reply-to|to|cc)$/
/** Fields with a grammar of their own, in which an encoded word is something else or nothing (RFC 2047 §5). */
const structuredFields =
  /^(?:(?:resent-)?(?:message-id|date)|in-reply-to|references|received|return-path|dkim-signature|authentication-results|mime-version|content-.*|list-.*|arc-.*|autocrypt|auto-submitted|disposition-notification-to)$/

/**
 * The message with each header field that has octets above 127 written in ASCII: names of mailboxes and unstructured
 * fields as encoded words (RFC 2047), domains as A-labels. All other octets stay, and a header that is ASCII already
 * gives the message as it is. Readers show the same text as before.
 *
 * undefined where there is no such form: an address with a UTF-8 local part, a group, a field of another grammar
 * (Message-ID, Content-Disposition, List-Unsubscribe …), or octets that are not UTF-8. Header fields of parts are not
 * looked at. Linear. `raw` is as normaliseMessage() makes it; a signature made before does not survive.
 */
export function toAsciiHeaders(raw: Buffer): Buffer | undefined {
  const end = raw[0] === 0x0d ? 0 : raw.indexOf('\r\n\r\n') + 2
  if (end === 1) return isAscii(raw) ? raw : undefined
  if (isAscii(raw.subarray(0, end))) return raw
  const section = raw.toString('latin1', 0, end)
  const fields = splitHeaderSection(section, maxFields)
  if (typeof fields === 'string') return undefined
  let ascii = ''
  for (const field of fields) {
    const text = isAscii(raw.subarray(field.start, field.end))
      ? section.slice(field.start, field.end)
      : asciiField(section, field)
    if (text === undefined) return undefined
    ascii += text
  }
  return Buffer.concat([Buffer.from(ascii, 'latin1'), raw.subarray(end)])
}

function asciiField(section: string, field: HeaderField): string | undefined {
  if (structuredFields.test(field.name)) return undefined
  const octets = Buffer.from(fieldValue(section, field), 'latin1')
  if (!isUtf8(octets) || octets.length > maxValueLength) return undefined
  const name = section.slice(field.start, field.valueStart)
  const value = octets.toString('utf8')
  if (!addressFields.test(field.name)) {
    return `${name} ${encodeWords(decodeEncodedWords(value), name.length + 1)}\r\n`
  }
  const list = parseAddressList(value)
  if (isProblem(list) || list.groups > 0 || list.mailboxes.length === 0) return undefined
  const entries = list.mailboxes.map((mailbox, index) =>
    asciiMailbox(mailbox, index === 0 ? name.length + 1 : 1),
  )
  return entries.includes(undefined) ? undefined : `${name} ${entries.join(',\r\n ')}\r\n`
}

function asciiMailbox({ name, address }: NamedMailbox, column: number): string | undefined {
  if (!isAscii(Buffer.from(address))) return undefined
  if (name === '') return address
  if (/^[\w !#$%&'*+/=?^`{|}~-]{1,60}$/.test(name) && !name.includes('=?')) return `${name} <${address}>`
  return `${encodeWords(name, column)}\r\n <${address}>`
}
