/** The password in a smarthost's URL, sealed under POSTEL_SECRET: smtp://user:sealed.<base64url>@host, bound to user and host. */
import type { SecretBox } from './secret-box.ts'

/** A password that begins like this is taken for a sealed one: a plain one that does is written `%73ealed.…`. */
const mark = 'sealed.'

/**
 * The URL with its password sealed. As it is when there is none, when it is sealed already, and when it is no URL, which
 * nothing can be bound to and nobody can use.
 */
export function sealSmarthost(smarthost: string, box: SecretBox): string {
  const url = URL.parse(smarthost)
  if (!url || url.password === '' || url.password.startsWith(mark)) return smarthost
  url.password = sealedText(box.seal(Buffer.from(url.password), ownerOf(url)))
  return url.href
}

/** The URL with its password in plain text. Throws when it cannot be opened; as it is when it is not sealed. */
export function openSmarthost(smarthost: string, box: SecretBox): string {
  const found = sealedPassword(smarthost)
  if (!found) return smarthost
  const url = new URL(smarthost)
  try {
    url.password = box.open(found.sealed, found.owner).toString()
  } catch (cause) {
    throw new Error(
      'its password cannot be opened: sealed under another POSTEL_SECRET, or for another user or host',
      { cause },
    )
  }
  return url.href
}

/** The sealed password and what it is bound to; undefined when none is in there. */
export function sealedPassword(smarthost: string): { owner: string; sealed: Buffer } | undefined {
  const url = URL.parse(smarthost)
  if (!url?.password.startsWith(mark)) return undefined
  return { owner: ownerOf(url), sealed: Buffer.from(url.password.slice(mark.length), 'base64url') }
}

/** How a sealed password stands in the URL. */
export function sealedText(sealed: Buffer): string {
  return mark + sealed.toString('base64url')
}

/** Neither part has an `@` in it: they are still percent-encoded. */
function ownerOf({ username, hostname }: URL): string {
  return `smarthost ${username}@${hostname.toLowerCase()}`
}
