/** Content-transfer-encodings (RFC 2045 §6): octets as lines of ASCII, at most 76 characters each. */

const lineMax = 76
const cr = 0x0d
const lf = 0x0a
const hex = Buffer.from('0123456789ABCDEF', 'latin1')

/**
 * Text as quoted-printable, or as base64 where more than a quarter would have to be escaped: decoded, both give the same
 * octets. CRLF are the ends of lines; anything else that is no printable ASCII is escaped. Ends as the text does, but
 * for base64, which has no line end after its last line.
 */
export function encodeText(text: Buffer): { encoding: 'quoted-printable' | 'base64'; encoded: Buffer } {
  const escapes = countEscapes(text)
  return escapes * 4 > text.length
    ? { encoding: 'base64', encoded: encodeBase64(text) }
    : { encoding: 'quoted-printable', encoded: quotedPrintable(text, escapes) }
}

/** Base64 in lines, without a line end after the last. */
export function encodeBase64(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('base64').replace(/.{76}(?=.)/g, '$&\r\n'), 'latin1')
}

function countEscapes(text: Buffer): number {
  let count = 0
  for (let i = 0; i < text.length; i++) if (isEscaped(text, i)) count++
  return count
}

/** Whether the octet cannot stand for itself; those of a CRLF do. */
function isEscaped(text: Buffer, i: number): boolean {
  const octet = text[i]!
  if (octet > 0x20) return octet > 0x7e || octet === 0x3d
  if (octet === 0x20 || octet === 0x09) return i + 1 === text.length || isLineEnd(text, i + 1)
  if (octet === cr) return !isLineEnd(text, i)
  return octet !== lf || i === 0 || text[i - 1] !== cr
}

function isLineEnd(text: Buffer, i: number): boolean {
  return text[i] === cr && text[i + 1] === lf
}

function quotedPrintable(text: Buffer, escapes: number): Buffer {
  const characters = text.length + 2 * escapes
  // Each soft line break adds three, and two more where a hyphen follows it
  const encoded = Buffer.allocUnsafe(characters + 5 * Math.ceil(characters / (lineMax - 3)) + lineMax)
  let end = 0
  let column = 0
  for (let i = 0; i < text.length; i++) {
    const octet = text[i]!
    if (isLineEnd(text, i)) {
      encoded[end++] = cr
      encoded[end++] = lf
      i++
      column = 0
      continue
    }
    let escaped = isEscaped(text, i)
    if (column + (escaped ? 3 : 1) > lineMax - 1) {
      encoded[end++] = 0x3d
      encoded[end++] = cr
      encoded[end++] = lf
      column = 0
      // What now begins a line must not look like a multipart's delimiter
      escaped ||= octet === 0x2d
    }
    if (escaped) {
      encoded[end++] = 0x3d
      encoded[end++] = hex[octet >> 4]!
      encoded[end++] = hex[octet & 15]!
      column += 3
    } else {
      encoded[end++] = octet
      column++
    }
  }
  return encoded.subarray(0, end)
}
