/** Content-transfer-encodings (RFC 2045 §6): octets as lines of ASCII, at most 76 characters each. */

/** With the `=` of a soft line break, 76. */
const lineMax = 75
const cr = 0x0d
const lf = 0x0a
const space = 0x20
const tab = 0x09
const hyphen = 0x2d
const equals = 0x3d
const crlf = Buffer.from('\r\n', 'latin1')
const hex = Buffer.from('0123456789ABCDEF', 'latin1')
/** 1 for an octet that cannot stand for itself, wherever it is. */
const escapes = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet === equals || octet > 0x7e || (octet < space && octet !== tab) ? 1 : 0,
)

/**
 * Text as quoted-printable, or as base64 where more than a quarter would have to be escaped: decoded, both give the same
 * octets. CRLF are the ends of lines; anything else that is no printable ASCII is escaped. Ends as the text does, but
 * for base64, which has no line end after its last line. Linear.
 */
export function encodeText(text: Buffer): { encoding: 'quoted-printable' | 'base64'; encoded: Buffer } {
  let count = 0
  for (let i = 0; i < text.length; i++) count += escapes[text[i]!]!
  const lines = countLineEnds(text)
  return (count - 2 * lines) * 4 > text.length
    ? { encoding: 'base64', encoded: encodeBase64(text) }
    : { encoding: 'quoted-printable', encoded: quotedPrintable(text, count, lines) }
}

/** Base64 in lines, without a line end after the last. */
export function encodeBase64(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('base64').replace(/.{76}(?=.)/g, '$&\r\n'), 'latin1')
}

function countLineEnds(text: Buffer): number {
  let count = 0
  for (let at = text.indexOf(crlf); at >= 0; at = text.indexOf(crlf, at + 2)) count++
  return count
}

function quotedPrintable(text: Buffer, escaped: number, lines: number): Buffer {
  // White space at the end of each line may have to be escaped too
  const characters = text.length + 2 * (escaped + lines + 1)
  // A soft line break adds three, and two more where a hyphen follows it
  const encoded = Buffer.allocUnsafe(characters + 5 * Math.ceil(characters / (lineMax - 2)))
  let end = 0
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf(crlf, start)
    const lineEnd = found < 0 ? text.length : found
    end = encodeLine(text, start, lineEnd, encoded, end)
    start = lineEnd
    if (found >= 0) {
      encoded[end++] = cr
      encoded[end++] = lf
      start += 2
    }
  }
  return encoded.subarray(0, end)
}

/** Writes one line at `end`; returns where it ends. */
function encodeLine(text: Buffer, start: number, lineEnd: number, encoded: Buffer, end: number): number {
  let to = end
  let room = lineMax
  for (let i = start; i < lineEnd; i++) {
    const octet = text[i]!
    let isEscaped = escapes[octet] === 1 || (i + 1 === lineEnd && (octet === space || octet === tab))
    if (room < (isEscaped ? 3 : 1)) {
      encoded[to++] = equals
      encoded[to++] = cr
      encoded[to++] = lf
      room = lineMax
      // What now begins a line must not look like a multipart's delimiter
      isEscaped ||= octet === hyphen
    }
    if (isEscaped) {
      encoded[to++] = equals
      encoded[to++] = hex[octet >> 4]!
      encoded[to++] = hex[octet & 15]!
      room -= 3
    } else {
      encoded[to++] = octet
      room--
    }
  }
  return to
}
