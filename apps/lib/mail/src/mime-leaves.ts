/**
 * The parts of a message from anybody, for reading reports: never more work than the limits say, whatever is sent. What is
 * malformed is read as far as it goes.
 */
import { parseContentType } from './content-type.ts'

/** Names in lower case; of a field that occurs twice, the first. Values unfolded, still octets as latin1. */
export type Fields = ReadonlyMap<string, string>

export type Leaf = {
  /** `text/plain`, in lower case. */
  type: string
  fields: Fields
  /** As it came, octets as latin1, lines ended by LF. */
  body: string
}

export type ReadMessage = { type: string; fields: Fields; leaves: Leaf[] }

const maxDepth = 8
/** Parts of the whole message; the rest is not looked at. */
const maxLeaves = 50
/** Of lines that look like one, in a multipart. */
const maxDelimiters = 1_000
const maxFields = 500
const maxFieldCharacters = 4_000
const maxHeaderCharacters = 128 * 1024
const maxDecodedCharacters = 128 * 1024
const fieldForm = /^([!-9;-~]{1,100})[ \t]*:[ \t]*(.*)$/

/** Reads a message, or the beginning of one. Linear in its length. */
export function readMessage(raw: Buffer): ReadMessage {
  const text = raw.toString('latin1').replace(/\r\n?/g, '\n')
  const leaves: Leaf[] = []
  const { type, fields } = readEntity(text, 'text/plain', 0, leaves)
  return { type, fields, leaves }
}

/** Fields at the beginning of a text, and where what follows them begins. Lines that are none are passed over. */
export function readFields(text: string): { fields: Fields; end: number } {
  const blank = text.startsWith('\n') ? 0 : text.indexOf('\n\n')
  const end = blank < 0 ? text.length : blank
  const unfolded = text.slice(0, Math.min(end, maxHeaderCharacters)).replace(/\n[ \t]+/g, ' ')
  const fields = new Map<string, string>()
  for (const line of unfolded.split('\n', maxFields)) {
    const [, name, value] = fieldForm.exec(line.slice(0, maxFieldCharacters)) ?? []
    const key = name?.toLowerCase()
    if (key !== undefined && !fields.has(key)) fields.set(key, value!.trim())
  }
  return { fields, end: blank < 0 ? text.length : Math.min(blank + (blank === 0 ? 1 : 2), text.length) }
}

/** The text of a part, its beginning where it is long: transfer encoding and charset undone, as far as they are known. */
export function decodeLeaf({ fields, body }: Leaf): string {
  const octets = undoEncoding(
    body.slice(0, maxDecodedCharacters),
    fields.get('content-transfer-encoding') ?? '',
  )
  const charset = /charset\s*=\s*"?([\w.:-]{1,40})/i.exec(fields.get('content-type') ?? '')?.[1] ?? 'utf-8'
  return decoderOf(charset).decode(octets)
}

function readEntity(text: string, fallback: string, depth: number, leaves: Leaf[]): Omit<Leaf, 'body'> {
  const { fields, end } = readFields(text)
  const parsed = parseContentType(fields.get('content-type') ?? '')
  const type = parsed ? `${parsed.type}/${parsed.subtype}` : fallback
  const parts =
    parsed?.type === 'multipart' && depth < maxDepth ? splitParts(text, end, parsed.boundary) : undefined
  if (parts === undefined || parts.length === 0) {
    if (leaves.length < maxLeaves) leaves.push({ type, fields, body: text.slice(end) })
    return { type, fields }
  }
  const inner = type === 'multipart/digest' ? 'message/rfc822' : 'text/plain'
  for (const part of parts) {
    if (leaves.length >= maxLeaves) break
    readEntity(part, inner, depth + 1, leaves)
  }
  return { type, fields }
}

function splitParts(text: string, start: number, boundary: string | undefined): string[] | undefined {
  if (boundary === undefined) return undefined
  const mark = `\n--${boundary}`
  const parts: string[] = []
  let from: number | undefined
  let looked = 0
  // The first delimiter may stand right after the header, whose line end is then its own
  for (let at = text.indexOf(mark, Math.max(start - 1, 0)); at >= 0; at = text.indexOf(mark, at + 1)) {
    if (++looked > maxDelimiters) break
    const after = at + mark.length
    const lineEnd = text.indexOf('\n', after)
    const rest = text.slice(after, lineEnd < 0 ? after + 100 : Math.min(lineEnd, after + 100))
    if (!/^(?:--)?[ \t]*$/.test(rest) && !rest.startsWith('--')) continue
    if (from !== undefined) parts.push(text.slice(from, at))
    from = lineEnd < 0 ? text.length : lineEnd + 1
    if (rest.startsWith('--') || parts.length >= maxLeaves) return parts
  }
  // Cut off within a part
  if (from !== undefined && from < text.length) parts.push(text.slice(from))
  return parts
}

function undoEncoding(body: string, encoding: string): Buffer {
  switch (encoding.toLowerCase()) {
    case 'base64':
      return Buffer.from(body, 'base64')
    case 'quoted-printable':
      return Buffer.from(
        body
          .replace(/=[ \t]*\n/g, '')
          .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
        'latin1',
      )
    default:
      return Buffer.from(body, 'latin1')
  }
}

function decoderOf(charset: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(charset)
  } catch {
    return new TextDecoder('latin1')
  }
}
