/** The HTML parts of a message, changed; everything else of it stays octet for octet. */
import { type ContentType, parseContentType } from './content-type.ts'
import { fieldValue, type HeaderField, splitHeaderSection } from './header-fields.ts'
import { encodeBase64, encodeText } from './transfer-encoding.ts'

const maxDepth = 10
const maxFields = 1_000
/** Of lines that look like a delimiter, in the whole message. */
const maxDelimiters = 500

/** Within them, parts stand for themselves. Others (signed, encrypted, report, digest …) are not looked into. */
const open = new Set(['mixed', 'alternative', 'related'])
/** Fields that sign the message as it is. */
const signatures = new Set(['dkim-signature', 'arc-message-signature', 'arc-seal', 'domainkey-signature'])
const extendsAscii = /^(?:us-ascii|ascii|utf-?8|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]|macintosh)$/
const charsetForm = /;[ \t]*charset[ \t]*=[ \t]*(?:"([^"]{1,60})"|([^\s;"()]{1,60}))/i

/** The octets of a document as latin1, and the charset to read them in. */
export type ChangePart = (html: string, decode: (octets: string) => string) => string

type Part = {
  start: number
  bodyStart: number
  end: number
  section: string
  encoding: string
  charset: string
}
type Header = { section: string; fields: Map<string, HeaderField>; bodyStart: number }

/**
 * The message with `change` made in each text/html part that is shown, also as the alternative of a text, but not in
 * attachments. Parts that were changed are in quoted-printable or base64 then.
 *
 * undefined where nothing was changed, and where it is not ours to: a message or part that is signed or encrypted, of
 * malformed MIME, of an encoding or charset that we cannot read. `raw` is as normaliseMessage() makes it. Linear.
 */
export function changeHtmlParts(raw: Buffer, change: ChangePart): Buffer | undefined {
  const finder = new Finder(raw)
  if (!finder.entity(0, raw.length, 0) || finder.parts.length === 0) return undefined
  const pieces: Buffer[] = []
  let kept = 0
  for (const part of finder.parts) {
    const before = decodeBody(raw.subarray(part.bodyStart, part.end), part.encoding)
    if (before === undefined) continue
    const decoder = new TextDecoder(part.charset)
    const decode = (octets: string) => decoder.decode(Buffer.from(octets, 'latin1'))
    const after = change(before, decode)
    if (after === before) continue
    pieces.push(
      raw.subarray(kept, part.start),
      ...encoded(part, Buffer.from(after, 'latin1'), finder.boundaries),
    )
    if (part.end === raw.length && pieces.at(-1)!.at(-1) !== 0x0a) pieces.push(Buffer.from('\r\n'))
    kept = part.end
  }
  if (pieces.length === 0) return undefined
  pieces.push(raw.subarray(kept))
  return Buffer.concat(pieces)
}

class Finder {
  readonly raw: Buffer
  /** In the order of the message. */
  readonly parts: Part[] = []
  readonly boundaries: string[] = []
  delimiters = 0

  constructor(raw: Buffer) {
    this.raw = raw
  }

  /** Whether it could be read. */
  entity(start: number, end: number, depth: number): boolean {
    const header = this.header(start, end)
    if (header === undefined || depth > maxDepth) return false
    const { section, fields, bodyStart } = header
    if (depth === 0 && [...fields.keys()].some((name) => signatures.has(name))) return false
    const typeField = fields.get('content-type')
    // What is no HTML is none of our business
    if (typeField === undefined) return true
    const typeText = fieldValue(section, typeField)
    const type = parseContentType(typeText)
    if (type === undefined) return true
    if (type.type === 'multipart')
      return !open.has(type.subtype) || this.multipart(type, bodyStart, end, depth)
    if (type.type !== 'text' || type.subtype !== 'html' || isAttachment(header)) return true
    const charset = charsetOf(typeText)
    if (charset !== undefined)
      this.parts.push({ start, bodyStart, end, section, encoding: encodingOf(header), charset })
    return true
  }

  /** undefined for a malformed header, or one that says a thing twice. */
  header(start: number, end: number): Header | undefined {
    const { raw } = this
    const empty = raw[start] === 0x0d && raw[start + 1] === 0x0a
    const emptyLine = empty ? start : raw.indexOf('\r\n\r\n', start) + 2
    if (emptyLine < start || emptyLine + 2 > end) return undefined
    const section = raw.toString('latin1', start, emptyLine)
    const split = splitHeaderSection(section, maxFields)
    if (typeof split === 'string') return undefined
    const fields = new Map<string, HeaderField>()
    for (const field of split) {
      if (fields.has(field.name) && field.name.startsWith('content-')) return undefined
      fields.set(field.name, field)
    }
    return { section, fields, bodyStart: emptyLine + 2 }
  }

  multipart({ boundary }: ContentType, start: number, end: number, depth: number): boolean {
    if (boundary === undefined) return false
    this.boundaries.push(boundary)
    const { raw } = this
    const mark = Buffer.from(`\r\n--${boundary}`, 'latin1')
    let partStart: number | undefined
    // The first delimiter may stand right after the header, whose line end is then its own
    for (let at = raw.indexOf(mark, start - 2); at >= 0 && at < end; ) {
      if (++this.delimiters > maxDelimiters) return false
      const delimiter = delimiterEnd(raw, at + mark.length, end)
      if (delimiter === undefined) {
        at = raw.indexOf(mark, at + mark.length)
        continue
      }
      if (partStart !== undefined && !this.entity(partStart, Math.max(at, partStart), depth + 1)) return false
      if (delimiter.isLast) return true
      partStart = delimiter.end
      at = raw.indexOf(mark, partStart - 2)
    }
    // Without a last delimiter it may have been cut off
    return false
  }
}

/** What follows the boundary on a delimiter's line (RFC 2046 §5.1.1); undefined where the line is none. */
function delimiterEnd(
  raw: Buffer,
  position: number,
  limit: number,
): { isLast: boolean; end: number } | undefined {
  const isLast = raw[position] === 0x2d && raw[position + 1] === 0x2d
  let end = isLast ? position + 2 : position
  while (raw[end] === 0x20 || raw[end] === 0x09) end++
  if (end >= limit) return { isLast, end: limit }
  return raw[end] === 0x0d && raw[end + 1] === 0x0a ? { isLast, end: end + 2 } : undefined
}

function isAttachment({ section, fields }: Header): boolean {
  const field = fields.get('content-disposition')
  return field !== undefined && /^[ \t]*attachment\b/i.test(fieldValue(section, field))
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

function charsetOf(contentType: string): string | undefined {
  const match = charsetForm.exec(contentType)
  const charset = (match?.[1] ?? match?.[2] ?? 'utf-8').trim().toLowerCase()
  return extendsAscii.test(charset) && isKnown(charset) ? charset : undefined
}

function isKnown(charset: string): boolean {
  try {
    new TextDecoder(charset)
    return true
  } catch {
    return false
  }
}

/** As latin1; undefined for an encoding that is unknown or broken. */
function decodeBody(body: Buffer, encoding: string): string | undefined {
  switch (encoding) {
    case '7bit':
    case '8bit':
    case 'binary':
      return body.toString('latin1')
    case 'quoted-printable':
      return decodeQuotedPrintable(body.toString('latin1'))
    case 'base64': {
      const text = body.toString('latin1').replace(/\s/g, '')
      return /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64').toString('latin1') : undefined
    }
    default:
      return undefined
  }
}

/** RFC 2045 §6.7; an `=` that begins nothing stands for itself. */
function decodeQuotedPrintable(text: string): string {
  return text
    .split('\r\n')
    .map((line) => {
      let end = line.length
      while (line[end - 1] === ' ' || line[end - 1] === '\t') end--
      return line[end - 1] === '=' ? line.slice(0, end - 1) : `${line.slice(0, end)}\r\n`
    })
    .join('')
    .replace(/\r\n$/, '')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** The part with its new body. */
function encoded({ section }: Part, body: Buffer, boundaries: readonly string[]): Buffer[] {
  let { encoding, encoded } = encodeText(body)
  // Decoded, it may hold what would end a part
  if (boundaries.some((boundary) => encoded.includes(`--${boundary}`))) {
    encoding = 'base64'
    encoded = encodeBase64(body)
  }
  const split = splitHeaderSection(section, maxFields)
  const field =
    typeof split === 'string' ? undefined : split.find(({ name }) => name === 'content-transfer-encoding')
  const label = field
    ? `${section.slice(0, field.valueStart)} ${encoding}\r\n${section.slice(field.end)}`
    : `${section}Content-Transfer-Encoding: ${encoding}\r\n`
  return [Buffer.from(`${label}\r\n`, 'latin1'), encoded]
}
