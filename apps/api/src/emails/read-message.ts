/** The parts of a MIME message that people read. */
import { decodeEncodedWords, octetsToText } from '@postel/mail/encoded-word'
import { fieldValue, splitHeaderSection } from '@postel/mail/header-fields'
import { simpleParser } from 'mailparser'

export type Content = { html: string | null; text: string | null }

const fieldsMax = 1_000

/** The message's own HTML and text with LF line ends, neither made from the other; rejects for a message that cannot be parsed. */
export async function readContent(raw: Buffer): Promise<Content> {
  const parsed = await simpleParser(raw, {
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipImageLinks: true,
    skipTextLinks: true,
  })
  const type = parsed.headers.get('content-type')
  const multipart = typeof type === 'object' && 'value' in type && /^multipart\//i.test(String(type.value))
  // The end of the last line is part of the message, not of what was written.
  const written = (part: string) => (multipart ? part : part.replace(/\n$/, ''))
  const html = parsed.html === false ? null : written(parsed.html)
  // mailparser gives an empty text to a message that has HTML only.
  const text =
    parsed.text === undefined || (parsed.text === '' && html !== null) ? null : written(parsed.text)
  return { html, text }
}

/** The header section, up to its last line end. */
export function readHeaders(raw: Buffer): string {
  return octetsToText(headerOctets(raw))
}

/** The subject for display; '' without one or when the section is malformed. */
export function readSubject(raw: Buffer): string {
  const section = headerOctets(raw)
  const fields = splitHeaderSection(section, fieldsMax)
  const subject = typeof fields === 'string' ? undefined : fields.find(({ name }) => name === 'subject')
  return subject ? decodeEncodedWords(octetsToText(fieldValue(section, subject))) : ''
}

function headerOctets(raw: Buffer): string {
  const end = raw.indexOf('\r\n\r\n')
  return end < 0 ? '' : raw.toString('latin1', 0, end + 2)
}
