/** The form in which suppression lists hold addresses, so that every way of writing one is the same. */
import { type AddressProblem, isProblem } from './domain.ts'
import { parseMailbox } from './mailbox.ts'

/**
 * Reads one address, without a name, into the form that is compared: A to Z in lower case, also before the @, where RFC
 * 5321 would tell them apart but no mailbox provider does; the domain in A-labels; quotes only where they are needed.
 * `user+tag@` is an address of its own, since what a tag is differs from provider to provider.
 */
export function suppressionAddress(text: string): string | AddressProblem {
  const mailbox = parseMailbox(text, { smtputf8: true })
  if (isProblem(mailbox)) return mailbox
  return mailbox.address.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
