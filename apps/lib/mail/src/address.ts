/** Address lists of From, To and their like; what a single mailbox and a domain are is in mailbox.ts and domain.ts. */
import { type AddressProblem, isProblem } from './domain.ts'
import { decodeEncodedWords } from './encoded-word.ts'
import { trimSpaces } from './header-fields.ts'
import { type Mailbox, parseMailbox } from './mailbox.ts'

export { type AddressProblem, domainBelongsTo, isProblem } from './domain.ts'
export { type Mailbox, parseMailbox } from './mailbox.ts'

/** A mailbox of a header: `name` is decoded for display, '' where there is none. */
export type NamedMailbox = Mailbox & { name: string }

/** `groups` counts the groups that the mailboxes were taken out of; a From header must have none. */
export type AddressList = { mailboxes: NamedMailbox[]; groups: number }

const maxHeaderLength = 32_000
const maxEntries = 1_000
const maxCommentDepth = 5

const controlCharacters = /[^\P{Cc}\t]/u
const beyondAscii = /[^\0-\x7f]/
const foldings = /\r\n(?=[ \t])/g
const quotedString = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y
const atoms = /[^ \t"(),:;<>\\]+/y
const space = /[ \t]*/y

const problems = {
  tooLong: 'The address list is too long: give at most 1,000 addresses.',
  control: 'The address list has control characters: remove them.',
  quote: 'A quoted name is not closed: end it with a double quote.',
  comment: 'A comment is nested deeply, not closed, or holds an address: remove it.',
  angle: 'An angle bracket is not closed: write the address as Name <user@example.com>.',
  group: 'An address group is nested or not closed: list the addresses without groups.',
  name: 'A name has characters that need quotes: write it as "Name" <user@example.com>.',
  noAddress: 'An entry has no address: write it as Name <user@example.com>, and quote names with commas.',
  junk: 'There is text after an address: separate addresses with commas.',
  hidden: 'An encoded or non-ASCII name holds an e-mail address: use a name without one.',
} satisfies Record<string, string>

/**
 * Reads the value of an address header, folded or not (RFC 5322 §3.4: mailboxes, groups, comments, encoded words;
 * RFC 6532: UTF-8). Strict where readers differ: a comment may stand beside a mailbox but never inside or right
 * against an addr-spec, an unquoted name holds no `@`, and an encoded name, or one that will have to be encoded, may
 * not hold another address.
 * Linear; at most 32,000 characters, 1,000 mailboxes and groups, and no nested groups. An empty list is no problem.
 */
export function parseAddressList(headerValue: string): AddressList | AddressProblem {
  if (headerValue.length > maxHeaderLength) return { problem: problems.tooLong }
  const text = headerValue.includes('\n') ? headerValue.replace(foldings, '') : headerValue
  if (controlCharacters.test(text)) return { problem: problems.control }
  return new ListReader(text).read()
}

class ListReader {
  readonly text: string
  position = 0
  inGroup = false
  groups = 0
  readonly mailboxes: NamedMailbox[] = []

  constructor(text: string) {
    this.text = text
  }

  read(): AddressList | AddressProblem {
    const { text } = this
    while (this.position < text.length) {
      const problem = this.readEntry()
      if (problem !== undefined) return problem
      if (this.mailboxes.length + this.groups > maxEntries) return { problem: problems.tooLong }
    }
    if (this.inGroup) return { problem: problems.group }
    return { mailboxes: this.mailboxes, groups: this.groups }
  }

  /** Reads up to and including the `,`, `;` or `:` that ends a mailbox, a group or the name of a group. */
  readEntry(): AddressProblem | undefined {
    const words: string[] = []
    const comments: string[] = []
    let mailbox: Mailbox | undefined
    let encoded = false
    while (true) {
      const spaced = this.take(space) !== ''
      const next = this.text[this.position]
      if (next === undefined || next === ',' || next === ';' || next === ':') {
        this.position++
        return this.endEntry(next, words, comments, mailbox, encoded)
      }
      if (next === '(') {
        const comment = this.takeComment()
        // `user@good.example(x)evil.example` is one address to some readers and another to others.
        if (comment === undefined || (mailbox && !spaced)) return { problem: problems.comment }
        encoded ||= comment.includes('=?')
        comments.push(comment)
        continue
      }
      if (mailbox) return { problem: problems.junk }
      if (next === '<') {
        const close = this.text.indexOf('>', this.position)
        if (close < 0) return { problem: problems.angle }
        const inner = parseMailbox(trimSpaces(this.text.slice(this.position + 1, close)), { smtputf8: true })
        if (isProblem(inner)) return inner
        mailbox = inner
        this.position = close + 1
        continue
      }
      const start = this.position
      const word = next === '"' ? this.take(quotedString) : this.take(atoms)
      if (word === '') return { problem: next === '"' ? problems.quote : problems.name }
      if (next === '"' && this.text[this.position] === '@') this.take(atoms)
      const token = this.text.slice(start, this.position)
      if (next === '"' ? token !== word : word.includes('@')) {
        if (words.length > 0) return { problem: problems.name }
        const bare = parseMailbox(token, { smtputf8: true })
        if (isProblem(bare)) return bare
        mailbox = bare
      } else {
        encoded ||= word.includes('=?')
        words.push(next === '"' ? word.slice(1, -1).replace(/\\([\s\S])/g, '$1') : word)
      }
    }
  }

  endEntry(
    end: ',' | ';' | ':' | undefined,
    words: string[],
    comments: string[],
    mailbox: Mailbox | undefined,
    encoded: boolean,
  ): AddressProblem | undefined {
    if (end === ':') {
      if (this.inGroup || mailbox) return { problem: problems.group }
      this.inGroup = true
      this.groups++
      return undefined
    }
    if (end === ';') {
      if (!this.inGroup) return { problem: problems.junk }
      this.inGroup = false
    }
    if (mailbox === undefined) {
      return words.length > 0 ? { problem: problems.noAddress } : undefined
    }
    const name = decodeEncodedWords(words.length > 0 ? words.join(' ') : comments.join(' ')).trim()
    if ((encoded || beyondAscii.test(name)) && hidesAddress(name, mailbox.address)) {
      return { problem: problems.hidden }
    }
    this.mailboxes.push({ name, ...mailbox })
    return undefined
  }

  take(pattern: RegExp): string {
    pattern.lastIndex = this.position
    const match = pattern.exec(this.text)
    if (match === null) return ''
    this.position += match[0].length
    return match[0]
  }

  /** The text of a comment (RFC 5322 §3.2.2), or undefined where it is not closed, too deep, or could hold an address. */
  takeComment(): string | undefined {
    const { text } = this
    const start = this.position + 1
    let depth = 0
    for (let i = this.position; i < text.length; i++) {
      const character = text[i]
      if (character === '\\') i++
      else if (character === '@' || character === '<' || character === '>') return undefined
      else if (character === '(' && ++depth > maxCommentDepth) return undefined
      else if (character === ')' && --depth === 0) {
        this.position = i + 1
        return text.slice(start, i).replace(/\\([\s\S])/g, '$1')
      }
    }
    return undefined
  }
}

function hidesAddress(name: string, own: string): boolean {
  if (/[<>]/.test(name)) return true
  return name.includes('@') && name.toLowerCase() !== own.toLowerCase()
}
