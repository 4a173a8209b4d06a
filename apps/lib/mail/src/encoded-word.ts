/** Header text for display, bytes to characters and encoded words to what they say, and the way back. */
import { isUtf8 } from 'node:buffer'

const encodedWord = /=\?([^?\s]{1,60})\?([bq])\?([^?\s]*)\?=/gi
const beyondAscii = /[^\0-\x7f]/
const undisplayable = /[\p{Cc}\p{Zl}\p{Zp}]+/gu

/** A header value given as latin1 (one character per octet), read as UTF-8, or as latin1 where it is not UTF-8. */
export function octetsToText(octets: string): string {
  if (!beyondAscii.test(octets)) return octets
  const bytes = Buffer.from(octets, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : octets
}

/**
 * Text with its encoded words (RFC 2047, RFC 2231 §5) decoded, and control characters and line separators, decoded
 * ones included, as single spaces. Words in an unknown charset stay as they are. Linear in the length of the text.
 */
export function decodeEncodedWords(text: string): string {
  const decoded = text.includes('=?') ? decodeRuns(text) : text
  return decoded.replace(undisplayable, ' ').toWellFormed()
}

/** At most `length` UTF-16 units of a text, never half of a surrogate pair. */
export function truncate(text: string, length: number): string {
  if (text.length <= length) return text
  return text.slice(0, /[\ud800-\udbff]/.test(text[length - 1] as string) ? length - 1 : length)
}

/** RFC 2047 §2: of a word, and of a line that holds one. */
const maxWordLength = 75
const maxLineLength = 76
const aroundPayload = '=?UTF-8?B??='.length

/**
 * Any text as encoded words in base64 (RFC 2047), one a line, folded; no character is split. `column` is how much of
 * the first line is taken already: where nothing fits there, the text begins with a fold.
 */
export function encodeWords(text: string, column: number): string {
  const octets = Buffer.from(text.toWellFormed())
  const words: string[] = []
  let room = Math.min(maxWordLength, maxLineLength - column) - aroundPayload
  let folded = ''
  if (room < 8) {
    folded = '\r\n '
    room = maxWordLength - aroundPayload
  }
  let start = 0
  do {
    let end = Math.min(start + Math.floor(room / 4) * 3, octets.length)
    while (end < octets.length && (octets[end]! & 0xc0) === 0x80) end--
    words.push(`=?UTF-8?B?${octets.toString('base64', start, end)}?=`)
    start = end
    room = maxWordLength - aroundPayload
  } while (start < octets.length)
  return folded + words.join('\r\n ')
}

type Run = { charset: string; source: string[]; bytes: Buffer[] }

/** Adjacent words are one text (RFC 2047 §6.2), and senders do split a character between two of one charset. */
function decodeRuns(text: string): string {
  let decoded = ''
  let end = 0
  let run: Run | undefined
  for (const match of text.matchAll(encodedWord)) {
    const [source, label, encoding, payload] = match as unknown as [string, string, string, string]
    const charset = label.split('*', 1)[0] as string
    const gap = text.slice(end, match.index)
    const adjacent = run !== undefined && gap.trim() === ''
    if (run === undefined || !adjacent || run.charset !== charset) {
      decoded += decodeRun(run) + (adjacent ? '' : gap)
      run = { charset, source: [], bytes: [] }
    }
    run.source.push(source)
    run.bytes.push(/b/i.test(encoding) ? Buffer.from(payload, 'base64') : fromQ(payload))
    end = match.index + source.length
  }
  return decoded + decodeRun(run) + text.slice(end)
}

function decodeRun(run: Run | undefined): string {
  if (run === undefined) return ''
  try {
    return new TextDecoder(run.charset).decode(Buffer.concat(run.bytes))
  } catch {
    return run.source.join(' ')
  }
}

/** The Q encoding (RFC 2047 §4.2). */
function fromQ(payload: string): Buffer {
  const octets = payload
    .replaceAll('_', ' ')
    .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(octets, 'latin1')
}
