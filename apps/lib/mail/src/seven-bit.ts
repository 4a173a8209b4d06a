/**
 * A message for a remote without 8BITMIME (RFC 6152 §3): the same content in 7 bits.
 *
 * Steps for each entity: split its header → leaf: encode; multipart: each of its parts; message/rfc822: the message.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import { type ContentType, parseContentType } from './content-type.ts'
import { fieldValue, type HeaderField, splitHeaderSection } from './header-fields.ts'
import { encodeBase64, encodeText } from './transfer-encoding.ts'

const maxDepth = 20
const maxFields = 1_000
/** Of lines that look like a delimiter, in the whole message. */
const maxDelimiters = 2_000

const crlf = Buffer.from('\r\n')
const emptyLine = Buffer.from('\r\n\r\n')
const textPlain: ContentType = { type: 'text', subtype: 'plain', boundary: undefined }
const embeddedMessage: ContentType = { type: 'message', subtype: 'rfc822', boundary: undefined }
/** Their parts are covered by a signature, or are what an encryption made of them. */
const sealed = new Set(['signed', 'encrypted'])
const eightBitLabel = /^content-transfer-encoding:[ \t]*(?:8bit|binary)/im

/**
 * The message with each part that has octets above 127 as quoted-printable (text that is mostly ASCII) or base64, and
 * with Content-Transfer-Encoding fields that say so; 7bit where a part was only labelled 8bit or binary. Everything
 * else stays octet for octet, and decoded, each part has the octets that it had. An ASCII message is returned as it is.
 * A message without a Content-Type whose body is UTF-8 gets `text/plain; charset=utf-8`.
 *
 * undefined where that would do harm or cannot be known not to: octets above 127 in a header (RFC 6532), inside
 * multipart/signed or multipart/encrypted, outside the parts of a multipart, in a part that is encoded already or of a
 * type that must not be, in unlabelled text that is not UTF-8, or in malformed MIME (no boundary, no delimiter, a
 * field twice, more than 20 levels or 2,000 parts). Linear. A signature made before (DKIM) does not survive: sign
 * afterwards. `raw` has CRLF line ends, as normaliseMessage() makes them.
 */
export function toSevenBit(raw: Buffer): Buffer | undefined {
  if (isAscii(raw)) return raw
  const pieces = new Converter(raw).message(0, raw.length, 0)
  if (pieces === undefined) return undefined
  const converted = Buffer.concat(pieces)
  return isAscii(converted) ? converted : undefined
}

/** Everything but its body: where it is, what it says, and the field that names the encoding. */
type Header = { section: string; bodyStart: number; fields: Map<string, HeaderField>; fieldsEnd: number }
type Pieces = Buffer[] | undefined

class Converter {
  readonly raw: Buffer
  delimiters = 0

  constructor(raw: Buffer) {
    this.raw = raw
  }

  /** A whole message (RFC 5322): the outermost one, or an embedded one. */
  message(start: number, end: number, depth: number): Pieces {
    return this.entity(start, end, depth, textPlain, true)
  }

  /** What is ASCII stays as it is, but for a label that says 8bit where that is understood. */
  entity(start: number, end: number, depth: number, defaultType: ContentType, isMessage = false): Pieces {
    const content = this.raw.subarray(start, end)
    const ascii = isAscii(content)
    if (ascii && !eightBitLabel.test(content.toString('latin1'))) return [content]
    return this.convert(start, end, depth, defaultType, isMessage) ?? (ascii ? [content] : undefined)
  }

  convert(start: number, end: number, depth: number, defaultType: ContentType, isMessage: boolean): Pieces {
    if (depth > maxDepth) return undefined
    const header = this.header(start, end)
    if (header === undefined) return undefined
    const { section, fields, bodyStart } = header
    const typeField = fields.get('content-type')
    const type = typeField ? parseContentType(fieldValue(section, typeField)) : defaultType
    if (type === undefined) return undefined
    const encoding = encodingOf(header)
    const isPlain = encoding === '7bit' || encoding === '8bit' || encoding === 'binary'
    const body = this.raw.subarray(bodyStart, end)

    if (type.type === 'multipart') {
      if (sealed.has(type.subtype) || !isPlain) return undefined
      const defaultOfParts = type.subtype === 'digest' ? embeddedMessage : textPlain
      const parts = this.multipart(bodyStart, end, depth, type.boundary, defaultOfParts)
      return parts && [this.relabelled(start, header, isMessage, '7bit'), ...parts]
    }
    if (isAscii(body)) {
      if (encoding === '8bit' || encoding === 'binary')
        return [this.relabelled(start, header, isMessage, '7bit'), body]
      return [this.raw.subarray(start, end)]
    }
    if (!isPlain) return undefined
    if (type.type === 'message' && type.subtype === 'rfc822') {
      const embedded = this.message(bodyStart, end, depth + 1)
      return embedded && [this.relabelled(start, header, isMessage, '7bit'), ...embedded]
    }
    // Of the other messages only those of RFC 6532 may be encoded (RFC 2046 §5.2, RFC 3464, RFC 6532 §3.7)
    if (type.type === 'message' && !type.subtype.startsWith('global')) return undefined

    const unlabelled = isMessage && typeField === undefined
    if (unlabelled && !isUtf8(body)) return undefined
    const { encoding: chosen, encoded } =
      type.type === 'text' ? encodeText(body) : { encoding: 'base64' as const, encoded: encodeBase64(body) }
    const pieces = [this.relabelled(start, header, isMessage, chosen, unlabelled), encoded]
    if (chosen === 'base64' && end === this.raw.length) pieces.push(crlf)
    return pieces
  }

  /** undefined for a header with octets above 127, a malformed one, or one without a body. */
  header(start: number, end: number): Header | undefined {
    const entity = this.raw.subarray(start, end)
    const empty = entity.length >= 2 && entity[0] === 0x0d && entity[1] === 0x0a
    const length = empty ? 0 : entity.indexOf(emptyLine) + 2
    if (length === 1 || !isAscii(entity.subarray(0, length))) return undefined
    const section = entity.toString('latin1', 0, length)
    const split = splitHeaderSection(section, maxFields)
    if (typeof split === 'string') return undefined
    const fields = new Map<string, HeaderField>()
    for (const field of split) {
      if (fields.has(field.name) && /^(?:content-|mime-version$)/.test(field.name)) return undefined
      fields.set(field.name, field)
    }
    return { section, fields, bodyStart: start + length + 2, fieldsEnd: length }
  }

  multipart(
    start: number,
    end: number,
    depth: number,
    boundary: string | undefined,
    defaultType: ContentType,
  ): Pieces {
    if (boundary === undefined) return undefined
    const { raw } = this
    const body = raw.subarray(start, end)
    const mark = Buffer.from(`\r\n--${boundary}`, 'latin1')
    const pieces: Buffer[] = []
    let isOpen = false
    // What stands before the first delimiter and after the last belongs to no part
    let contentStart = 0
    const leave = (contentEnd: number) =>
      isOpen
        ? this.entity(start + contentStart, start + contentEnd, depth + 1, defaultType)
        : [body.subarray(contentStart, contentEnd)]
    // The first delimiter may stand right after the header, whose line end is then its own
    let at = body.subarray(0, mark.length - 2).equals(mark.subarray(2)) ? -2 : body.indexOf(mark)
    while (at !== -1) {
      if (++this.delimiters > maxDelimiters) return undefined
      const delimiter = delimiterEnd(body, at + mark.length)
      if (delimiter === undefined) {
        at = body.indexOf(mark, at + mark.length)
        continue
      }
      const contentEnd = Math.max(contentStart, at)
      const content = leave(contentEnd)
      if (content === undefined) return undefined
      pieces.push(...content, body.subarray(contentEnd, delimiter.end))
      contentStart = delimiter.end
      isOpen = !delimiter.isLast
      if (delimiter.isLast) break
      // The line end of one delimiter may be the one that the next begins with
      at = body.indexOf(mark, contentStart - 2)
    }
    const rest = pieces.length > 0 ? leave(body.length) : undefined
    return rest && [...pieces, ...rest]
  }

  /** The header and its empty line, with the encoding named, and the fields that a MIME message must have. */
  relabelled(start: number, header: Header, isMessage: boolean, encoding: string, asUtf8 = false): Buffer {
    const { section, fields, bodyStart, fieldsEnd } = header
    const field = fields.get('content-transfer-encoding')
    const isImplied = field === undefined && encoding === '7bit'
    if (isImplied && (!isMessage || fields.has('mime-version'))) return this.raw.subarray(start, bodyStart)
    let text = section
    if (field)
      text = `${section.slice(0, field.valueStart)} ${encoding}\r\n${section.slice(field.end, fieldsEnd)}`
    if (isMessage && !fields.has('mime-version')) text += 'MIME-Version: 1.0\r\n'
    if (asUtf8) text += 'Content-Type: text/plain; charset=utf-8\r\n'
    if (!field && !isImplied) text += `Content-Transfer-Encoding: ${encoding}\r\n`
    return Buffer.from(`${text}\r\n`, 'latin1')
  }
}

/** In lower case, without comments; 7bit where it is not said (RFC 2045 §6.1). */
function encodingOf({ section, fields }: Header): string {
  const field = fields.get('content-transfer-encoding')
  if (field === undefined) return '7bit'
  return fieldValue(section, field)
    .replace(/\([^()]*\)/g, '')
    .trim()
    .toLowerCase()
}

/** What follows the boundary on a delimiter's line (RFC 2046 §5.1.1); undefined where the line is none. */
function delimiterEnd(body: Buffer, position: number): { isLast: boolean; end: number } | undefined {
  const isLast = body[position] === 0x2d && body[position + 1] === 0x2d
  let end = isLast ? position + 2 : position
  while (body[end] === 0x20 || body[end] === 0x09) end++
  if (end === body.length) return { isLast, end }
  return body[end] === 0x0d && body[end + 1] === 0x0a ? { isLast, end: end + 2 } : undefined
}
