/** Mail domains: one canonical ASCII form, and which owned domain a name falls under. */
import { domainToASCII, domainToUnicode } from 'node:url'

/**
 * Why an address or domain was refused: one English sentence that says what to do. Never echoes the input, so it
 * holds no control characters, and is at most 100 characters long.
 */
export type AddressProblem = {
  problem: string
  /** The address is sound but has a UTF-8 local part, which was not allowed (RFC 6531; reply 553 5.6.7). */
  needsSmtputf8?: true
}

/** Whether a parse ended in a problem instead of a result. */
export function isProblem<T extends object>(result: T): result is Extract<T, { problem: string }> {
  return 'problem' in result
}

/** Characters that do not show, or show elsewhere than where they are: controls, bidi marks, fillers, odd spaces. */
export const hiddenCharacters = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\ufffd]/u

const labelForm = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const numericLabel = /^(?:[0-9]+|0x[0-9a-f]*)$/
const beyondAscii = /[^\0-\x7f]/
const ideographicDots = /[\u3002\uff0e\uff61]/
const asciiOutsideNames = /[\0-,/:-@[-`{-\x7f]/

/**
 * The lower-case ASCII form (IDNA A-labels, RFC 5891) of a mail domain of at most 253 octets with two labels or
 * more. Refused: address literals, IP addresses, `localhost`, single labels, a port, an underscore, a trailing dot,
 * A-labels that do not decode, and compatibility or invisible characters that IDNA mapping would silently rewrite.
 */
export function parseDomain(text: string): string | AddressProblem {
  if (text.length > 253) return { problem: 'The domain is longer than 253 characters.' }
  if (text.startsWith('[')) return { problem: 'Address literals are not accepted: use a domain name.' }
  const ascii = beyondAscii.test(text) ? toAscii(text) : text.toLowerCase()
  if (typeof ascii !== 'string') return ascii
  if (ascii.length > 253) return { problem: 'The domain is longer than 253 characters.' }
  if (ascii.endsWith('.')) return { problem: 'The domain ends in a dot: leave the dot out.' }

  const labels = ascii.split('.')
  const last = labels.at(-1) as string
  if (!labels.every((label) => labelForm.test(label))) {
    return { problem: 'The domain is not a host name: use letters, digits, hyphens and single dots only.' }
  }
  if (labels.length < 2) return { problem: 'The domain has a single label: give the full domain name.' }
  if (last === 'localhost')
    return { problem: 'Mail for localhost is not accepted: use a public domain name.' }
  if (numericLabel.test(last)) return { problem: 'IP addresses are not accepted: use a domain name.' }
  if (labels.some((label) => label.startsWith('xn--')) && !decodesCleanly(ascii)) return badIdna
  return ascii
}

/**
 * The longest of `owned` that equals `domain` or is a parent of it on a label boundary, so `evilexample.com` is not
 * `example.com`; undefined when there is none, or when `domain` is not a valid domain. `owned` holds canonical names.
 */
export function domainBelongsTo(domain: string, owned: Iterable<string>): string | undefined {
  const name = parseDomain(domain)
  if (typeof name !== 'string') return undefined
  let longest: string | undefined
  for (const candidate of owned) {
    if (candidate === '' || candidate.length <= (longest?.length ?? 0)) continue
    if (name === candidate || name.endsWith(`.${candidate}`)) longest = candidate
  }
  return longest
}

const badIdna: AddressProblem = { problem: 'The domain is not a valid internationalised name (IDNA).' }

function toAscii(text: string): string | AddressProblem {
  // domainToASCII reads as a URL host: it decodes percent signs and maps look-alikes, and others may not.
  const readTwoWays =
    asciiOutsideNames.test(text) ||
    ideographicDots.test(text) ||
    hiddenCharacters.test(text) ||
    text.normalize('NFKC') !== text.normalize('NFC')
  return (!readTwoWays && domainToASCII(text)) || badIdna
}

function decodesCleanly(ascii: string): boolean {
  return domainToASCII(ascii) === ascii && !hiddenCharacters.test(domainToUnicode(ascii))
}
