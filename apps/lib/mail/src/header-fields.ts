/** The header section of a message as fields: where each begins and ends, nothing decoded. */

/** One field; offsets are octets into the header section. `name` is in lower case, `end` is after its last CRLF. */
export type HeaderField = { name: string; start: number; valueStart: number; end: number }

const fieldName = /^[!-9;-~]+$/
const foldings = /\r\n(?=[ \t])/g

/**
 * Splits a header section (latin1, CRLF line ends, the last line ended too, without the blank line) into its fields
 * (RFC 5322 §2.2). A line that is neither a field nor a continuation, white space before the colon included, gives
 * the reason for refusing the message instead.
 */
export function splitHeaderSection(section: string, maxFields: number): HeaderField[] | string {
  const fields: HeaderField[] = []
  let start = 0
  while (start < section.length) {
    let end = section.indexOf('\r\n', start)
    while (isWhiteSpace(section.charCodeAt(end + 2))) end = section.indexOf('\r\n', end + 2)
    end += 2
    const colon = section.indexOf(':', start)
    const name = colon < 0 ? '' : section.slice(start, colon)
    if (!fieldName.test(name)) {
      return `header field ${fields.length + 1} is malformed: expected "Name: value", then an empty line before the body`
    }
    if (fields.length === maxFields) return `more than ${maxFields} header fields`
    fields.push({ name: name.toLowerCase(), start, valueStart: colon + 1, end })
    start = end
  }
  return fields
}

/** The value of a field, unfolded and without the white space around it (RFC 5322 §2.2.3), still as latin1 octets. */
export function fieldValue(section: string, field: HeaderField): string {
  const value = section.slice(field.valueStart, field.end - 2)
  return trimSpaces(value.includes('\n') ? value.replace(foldings, '') : value)
}

/** Without spaces and tabs at both ends. String.trim would also take the octet A0, which ends some UTF-8 letters. */
export function trimSpaces(text: string): string {
  let start = 0
  let end = text.length
  while (isWhiteSpace(text.charCodeAt(start))) start++
  while (end > start && isWhiteSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isWhiteSpace(code: number): boolean {
  return code === 0x20 || code === 0x09
}
