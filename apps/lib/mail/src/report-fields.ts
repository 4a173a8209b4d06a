/** The fields of a message/delivery-status part (RFC 3464): ASCII, folded, nothing in them that could end a field. */

const maxValueCharacters = 1_000
const lineCharacters = 76
/** A word that is longer is broken: a line has at most 998 octets. */
const wordCharacters = 900

/**
 * `name: value` with its CRLF, or '' where there is no value. Controls and line separators become spaces, what is not
 * ASCII a question mark (the text for people has it as it is); long values are cut and folded.
 */
export function reportField(name: string, value: string | undefined): string {
  const clean = (value ?? '')
    .slice(0, maxValueCharacters)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
    .replace(/[^ -~]/gu, '?')
    .trim()
  return clean === '' ? '' : `${fold(`${name}: ${clean}`)}\r\n`
}

/** The address with its type: `rfc822; …`, or `utf-8; …` in the ASCII form of RFC 6533 §3. */
export function typedAddress(address: string): string {
  return /[^\p{ASCII}]/u.test(address) ? `utf-8; ${utf8Address(address)}` : `rfc822; ${address}`
}

/** ORCPT (decoded, `type;address`) in ASCII, which every server and every report can take: UTF-8 as in typedAddress. */
export function asciiRecipient(orcpt: string): string {
  const split = orcpt.indexOf(';') + 1
  const address = orcpt.slice(split)
  return /[^\p{ASCII}]/u.test(address) ? `utf-8;${utf8Address(address)}` : orcpt
}

/** `utf-8-addr-xtext` of RFC 6533 §3: what is not ASCII, and the characters of its own syntax, by code point. */
function utf8Address(address: string): string {
  return address.replace(
    /[^!-~]|[+=\\]/gu,
    (character) => `\\x{${character.codePointAt(0)!.toString(16).toUpperCase()}}`,
  )
}

function fold(text: string): string {
  let folded = ''
  let column = 0
  for (const word of text.split(' ').flatMap(broken)) {
    const first = folded === ''
    // A line of spaces alone would end the header for some readers
    const next = !first && word !== '' && column + 1 + word.length > lineCharacters
    folded += `${first ? '' : next ? '\r\n ' : ' '}${word}`
    column = next ? 1 + word.length : column + 1 + word.length
  }
  return folded
}

function broken(word: string): string[] {
  return word.length <= wordCharacters ? [word] : word.match(new RegExp(`.{1,${wordCharacters}}`, 'g'))!
}
