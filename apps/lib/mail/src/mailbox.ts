/** One mailbox of an envelope: the only place where the text of an address is taken apart. */
import { type AddressProblem, hiddenCharacters, parseDomain } from './domain.ts'

/**
 * An address taken apart once. `domain` is lower-case ASCII (A-labels); `localPart` keeps its case and is quoted only
 * where it must be; `address` is `localPart@domain`, at most 254 octets, and goes into the envelope as it stands.
 */
export type Mailbox = { address: string; localPart: string; domain: string }

const controlCharacters = /\p{Cc}/u
const dotAtom = /^[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+(?:\.[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+)*$/
const quotedString = /^"[^"\\]*(?:\\.[^"\\]*)*"$/
const specials = /[\s"(),:;<>@[\\\]]/

/**
 * Reads an addr-spec: no display name, no angle brackets (RFC 5321 §4.1.2, RFC 6531). Linear in the first 512
 * characters; anything longer is refused unread.
 *
 * | form | result |
 * |---|---|
 * | `User@EXAMPLE.com` | accepted; local part as given, domain in lower case |
 * | `a%b@c.test`, `a!b@c.test`, `\|cmd@c.test` | accepted; the local part is opaque, never routed by or rewritten |
 * | `"a b"@c.test`, `"x@y.test z"@c.test` | accepted, stays quoted |
 * | `"ab"@c.test` | accepted as `ab@c.test`, its equal by RFC 5321 §4.1.2 |
 * | `a@bücher.test`, `a@xn--bcher-kva.test` | accepted, the domain as A-labels |
 * | `ü@c.test` | accepted with `smtputf8`, else a problem with `needsSmtputf8` |
 * | empty, `a`, `@c.test`, `""@c.test` | refused |
 * | `@relay.test:a@c.test` (source route) | refused |
 * | `;cmd@c.test`, `a b@c.test`, `a..b@c.test`, `.a@c.test` | refused: such a local part must be quoted |
 * | `"<a>"@c.test` | refused: mail software reads angle brackets inside quotes differently |
 * | `" a"@c.test` (space at an end) | refused for the same reason |
 * | `=?utf-8?q?a?=@c.test` (encoded word) | refused for the same reason |
 * | `a@c.test:2525`, `a@c.test.`, `a@c.test b`, `a@c.test(x)` | refused |
 * | `a@[127.0.0.1]`, `a@127.0.0.1`, `a@localhost`, `a@single` | refused |
 * | local part over 64 octets, address over 254 octets | refused |
 * | NUL, CR, LF, other controls, bidi and invisible characters, full-width `＠` | refused |
 */
export function parseMailbox(text: string, options: { smtputf8?: boolean } = {}): Mailbox | AddressProblem {
  if (text === '') return { problem: 'The address is empty: give one like user@example.com.' }
  if (text.length > 512) return { problem: 'The address is longer than 254 octets.' }
  if (controlCharacters.test(text)) return { problem: 'The address has control characters: remove them.' }
  if (text.startsWith('@')) return { problem: 'Source routes are not accepted: give the address alone.' }
  const at = text.lastIndexOf('@')
  if (at < 0) return { problem: 'The address has no @: give one like user@example.com.' }

  const domain = parseDomain(text.slice(at + 1))
  if (typeof domain !== 'string') return domain
  const localPart = canonicalLocalPart(text.slice(0, at))
  if (typeof localPart !== 'string') return localPart
  const octets = Buffer.byteLength(localPart)
  if (octets > 64) return { problem: 'The part before the @ is longer than 64 octets.' }
  if (octets + 1 + domain.length > 254) return { problem: 'The address is longer than 254 octets.' }
  if (octets !== localPart.length && !options.smtputf8) {
    return {
      problem: 'The part before the @ is not ASCII, which needs SMTPUTF8 at both ends.',
      needsSmtputf8: true,
    }
  }
  return { address: `${localPart}@${domain}`, localPart, domain }
}

function canonicalLocalPart(text: string): string | AddressProblem {
  const quoted = text.startsWith('"')
  if (quoted && !quotedString.test(text)) {
    return { problem: 'The quoted part before the @ is not closed: write it as "name"@example.com.' }
  }
  const content = quoted ? text.slice(1, -1).replace(/\\(.)/gu, '$1') : text
  if (/[<>]/.test(content) || (content.includes('=?') && content.includes('?='))) {
    return { problem: 'The part before the @ holds angle brackets or an encoded word: remove them.' }
  }
  if (/[^\0-\x7f]/.test(content)) {
    const hidden = hiddenCharacters.test(content.replaceAll(' ', ''))
    // A full-width @ or comma becomes a real one in software that applies NFKC.
    if (hidden || (!specials.test(content) && specials.test(content.normalize('NFKC')))) {
      return { problem: 'The part before the @ has invisible or look-alike characters: remove them.' }
    }
  }
  if (dotAtom.test(content)) return content
  if (!quoted) {
    return { problem: 'The part before the @ is not valid: remove spaces, brackets, commas and stray dots.' }
  }
  if (content.trim() !== content || content === '') {
    return { problem: 'The part before the @ is empty, or begins or ends with a space: mend it.' }
  }
  return `"${content.replace(/["\\]/g, '\\$&')}"`
}
