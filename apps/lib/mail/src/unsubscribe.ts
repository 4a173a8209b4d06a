/** The header fields of one-click unsubscription (RFC 2369, RFC 8058). */
import { fieldValue, splitHeaderSection } from './header-fields.ts'

const maxFields = 1_000
const ownFields = new Set(['list-unsubscribe', 'list-unsubscribe-post', 'dkim-signature'])

/**
 * The message with List-Unsubscribe and List-Unsubscribe-Post at the end of its header section; undefined where it has a
 * List-Unsubscribe of its own, or a signature of its own that the fields could break. As normaliseMessage() makes it.
 */
export function withUnsubscribe(raw: Buffer, url: string): Buffer | undefined {
  const end = raw.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const fields = splitHeaderSection(raw.toString('latin1', 0, end + 2), maxFields)
  if (typeof fields === 'string') return undefined
  if (fields.some(({ name }) => ownFields.has(name))) return undefined
  const added = `List-Unsubscribe: <${url}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n`
  return Buffer.concat([raw.subarray(0, end + 2), Buffer.from(added, 'latin1'), raw.subarray(end + 2)])
}

/** The message without a List-Unsubscribe whose only URL `isOurs`, and what goes with it. */
export function withoutUnsubscribe(raw: Buffer, isOurs: (url: string) => boolean): Buffer {
  const [url, ...more] = unsubscribeUrls(raw)
  if (url === undefined || more.length > 0 || !isOurs(url)) return raw
  const end = raw.indexOf('\r\n\r\n') + 2
  const fields = splitHeaderSection(raw.toString('latin1', 0, end), maxFields)
  if (typeof fields === 'string') return raw
  const kept = fields.filter(({ name }) => !name.startsWith('list-unsubscribe'))
  return Buffer.concat([...kept.map((field) => raw.subarray(field.start, field.end)), raw.subarray(end)])
}

/** The URLs of a message's own List-Unsubscribe field. */
export function unsubscribeUrls(raw: Buffer): string[] {
  const end = raw.indexOf('\r\n\r\n')
  if (end < 0) return []
  const section = raw.toString('latin1', 0, end + 2)
  const fields = splitHeaderSection(section, maxFields)
  if (typeof fields === 'string') return []
  return fields
    .filter(({ name }) => name === 'list-unsubscribe')
    .flatMap((field) => fieldValue(section, field).match(/<[^<>]*>/g) ?? [])
    .map((url) => url.slice(1, -1).replace(/\s/g, ''))
}
