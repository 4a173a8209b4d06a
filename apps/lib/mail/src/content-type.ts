/** The Content-Type field of a MIME part, as far as the structure of a message depends on it (RFC 2045 §5.1). */

/** In lower case; `boundary` only where the field has exactly one that can be used. */
export type ContentType = { type: string; subtype: string; boundary: string | undefined }

const space = String.raw`[ \t]*(?:\([^()\\]*\)[ \t]*)*`
const typeForm = new RegExp(String.raw`${space}([\w!#$&^.+-]{1,100})/([\w!#$&^.+-]{1,100})${space}`, 'y')
const parameterForm = new RegExp(
  String.raw`;${space}(?:([^\s=;"()]{1,100})[ \t]*=[ \t]*("[^"\\]*(?:\\.[^"\\]*)*"|[^\s;"()]*)${space})?`,
  'y',
)
const boundaryForm = /^[ -~]{0,199}[!-~]$/

/** Reads the unfolded value of a Content-Type field; undefined where there is no type. Linear. */
export function parseContentType(value: string): ContentType | undefined {
  typeForm.lastIndex = 0
  const match = typeForm.exec(value)
  if (match === null) return undefined
  const boundaries: string[] = []
  let position = typeForm.lastIndex
  while (position < value.length) {
    parameterForm.lastIndex = position
    const parameter = parameterForm.exec(value)
    if (parameter === null) break
    position = parameterForm.lastIndex
    if (parameter[1]?.toLowerCase() === 'boundary') boundaries.push(unquoted(parameter[2]!))
  }
  const [boundary, ...more] = boundaries
  const usable = boundary !== undefined && more.length === 0 && boundaryForm.test(boundary)
  return {
    type: match[1]!.toLowerCase(),
    subtype: match[2]!.toLowerCase(),
    boundary: usable ? boundary : undefined,
  }
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text
}
