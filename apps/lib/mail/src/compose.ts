/** A message from its parts, as the REST API gives them: every text is checked before nodemailer sees it. */
import MailComposer from 'nodemailer/lib/mail-composer'
import { isProblem, type Mailbox, type NamedMailbox, parseAddressList } from './address.ts'
import { composePlain } from './compose-plain.ts'
import { type MimePart, renderMime } from './render-mime.ts'

export type Attachment = { filename: string; content: Buffer; contentType?: string; contentId?: string }

/** `from` and the recipients are one mailbox each, with or without a name: `Ann <ann@example.com>`. */
export type ComposeInput = {
  from: string
  to: string[]
  cc?: string[]
  bcc?: string[]
  replyTo?: string[]
  subject: string
  html?: string
  text?: string
  headers?: Record<string, string>
  attachments?: Attachment[]
  /** Checked like the rest, but kept out of the message. */
  tags?: { name: string; value: string }[]
}

/** Which field of the input is at fault, as a path like `attachments[0].filename`, and what to do about it. */
export type FieldProblem = { field: string; problem: string }

/** Whether composing ended in a problem instead of a result. */
export function isFieldProblem<T extends object>(result: T | FieldProblem): result is FieldProblem {
  return 'field' in result
}

const lineBreakers = /[\p{Cc}\p{Zl}\p{Zp}]|\p{Cs}/u
const lineBreakersButTab = /[^\P{Cc}\t]|[\p{Zl}\p{Zp}\p{Cs}]/u
const misleading = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/
const headerName = /^[A-Za-z0-9-]{1,76}$/
const messageId = /^<[!#$%&'*+/=?^`{|}~\w.-]{1,500}@[!#$%&'*+/=?^`{|}~\w.[\]:-]{1,480}>$/
const contentType =
  /^(?!multipart\/)[\w!#$&^.+-]{1,60}\/[\w!#$&^.+-]{1,100}(?:; ?[\w-]{1,60}=(?:[\w.+/:-]{1,100}|"[\w .+/:,()=?-]{0,100}")){0,4}$/i
const contentIdForm = /^<?[\w!#$%&'*+/=?^`{|}~.@-]{1,200}>?$/
const ownHeaders = new Set(
  'bcc resent-bcc from sender to cc subject reply-to date return-path dkim-signature received mime-version authentication-results'.split(
    ' ',
  ),
)
const maxHeaders = 100
const maxHeaderCharacters = 10_000
const maxSubjectCharacters = 998
const maxTagCharacters = 256
const maxWordCharacters = 900

/**
 * Builds a MIME message (RFC 5322, RFC 2045): CRLF line ends, no Bcc field, no file or URL ever read. Text or HTML
 * alone is one part, both are multipart/alternative, attachments add multipart/mixed, or multipart/related where
 * they have a `contentId` and there is HTML. Date and Message-ID are always present.
 *
 * Every field that reaches a header is refused, not mended, where it holds a control character, a line separator or
 * half a surrogate pair (tabs pass in header values alone). Headers that have a field of their own here, that
 * describe the MIME structure, or that receivers trust are refused by name in any case.
 */
export async function composeMessage(input: ComposeInput): Promise<{ raw: Buffer } | FieldProblem> {
  const problem =
    textProblem('subject', input.subject, maxSubjectCharacters) ??
    headersProblem(input.headers) ??
    attachmentsProblem(input.attachments) ??
    tagsProblem(input.tags)
  if (problem) return problem

  const from = readMailbox('from', input.from)
  if (isFieldProblem(from)) return from
  const bcc = readMailboxes('bcc', input.bcc)
  if (isFieldProblem(bcc)) return bcc
  const to = readMailboxes('to', input.to)
  if (isFieldProblem(to)) return to
  const cc = readMailboxes('cc', input.cc)
  if (isFieldProblem(cc)) return cc
  const replyTo = readMailboxes('reply_to', input.replyTo)
  if (isFieldProblem(replyTo)) return replyTo

  if (!input.headers && !input.attachments?.length) {
    const plain = composePlain(
      { from, to, cc, replyTo, subject: input.subject, text: input.text, html: input.html },
      new Date(),
    )
    if (plain) return { raw: plain }
  }
  const composer = new MailComposer({
    from,
    to,
    cc,
    replyTo,
    subject: input.subject,
    ...(input.text !== undefined && { text: contentOf(input.text) }),
    ...(input.html !== undefined && { html: contentOf(input.html) }),
    headers: Object.entries(input.headers ?? {}).map(([key, value]) => ({ key, value })),
    attachments: (input.attachments ?? []).map((attachment) => ({
      filename: attachment.filename,
      content: attachment.content,
      contentType: attachment.contentType,
      cid: attachment.contentId?.replace(/^<|>$/g, ''),
    })),
    disableFileAccess: true,
    disableUrlAccess: true,
    newline: 'windows',
  })
  return { raw: renderMime(composer.compile() as unknown as MimePart) }
}

/**
 * The recipients of To, Cc and Bcc in this order, each once: the local part is compared exactly, the domain in any
 * case. Names are dropped.
 */
export function envelopeRecipients(
  to: string[],
  cc: string[] = [],
  bcc: string[] = [],
): Mailbox[] | FieldProblem {
  const unique = new Map<string, Mailbox>()
  for (const [field, entries] of Object.entries({ to, cc, bcc })) {
    const mailboxes = readMailboxes(field, entries)
    if (isFieldProblem(mailboxes)) return mailboxes
    for (const { address, localPart, domain } of mailboxes) {
      if (!unique.has(address)) unique.set(address, { address, localPart, domain })
    }
  }
  return [...unique.values()]
}

/** An empty part is still a part, but nodemailer leaves out an empty string. */
function contentOf(text: string): string | { content: Buffer } {
  return text === '' ? { content: Buffer.alloc(0) } : text
}

function readMailboxes(field: string, entries: string[] = []): NamedMailbox[] | FieldProblem {
  const mailboxes: NamedMailbox[] = []
  for (const [index, entry] of entries.entries()) {
    const mailbox = readMailbox(`${field}[${index}]`, entry)
    if (isFieldProblem(mailbox)) return mailbox
    mailboxes.push(mailbox)
  }
  return mailboxes
}

function readMailbox(field: string, entry: string): NamedMailbox | FieldProblem {
  const problem = textProblem(field, entry, 1_000)
  if (problem) return problem
  const list = parseAddressList(entry)
  if (isProblem(list)) return { field, problem: list.problem }
  const mailbox = list.mailboxes[0]
  if (mailbox === undefined || list.mailboxes.length > 1 || list.groups > 0) {
    return { field, problem: 'Give exactly one address here; give several as an array.' }
  }
  return mailbox
}

function textProblem(field: string, text: string, maxCharacters: number): FieldProblem | undefined {
  if (lineBreakers.test(text)) {
    return { field, problem: 'It has control characters or line breaks: remove them.' }
  }
  if (text.length > maxCharacters) {
    return { field, problem: `It is longer than ${maxCharacters} characters.` }
  }
  return wordProblem(field, text)
}

/** Header lines are folded at spaces alone, and a line has room for 998 octets. */
function wordProblem(field: string, text: string): FieldProblem | undefined {
  const tooLong =
    text.length > maxWordCharacters &&
    text.split(/[ \t]/).some((word) => word.length > maxWordCharacters && !/[^\0-\x7f]/.test(word))
  return tooLong
    ? { field, problem: `It has a word of more than ${maxWordCharacters} characters: break it up.` }
    : undefined
}

function headersProblem(headers: Record<string, string> = {}): FieldProblem | undefined {
  const entries = Object.entries(headers)
  if (entries.length > maxHeaders) return { field: 'headers', problem: `Give at most ${maxHeaders} headers.` }
  const seen = new Set<string>()
  for (const [name, value] of entries) {
    if (!headerName.test(name)) {
      return { field: 'headers', problem: 'A header name may have letters, digits and hyphens, at most 76.' }
    }
    const field = `headers.${name}`
    const lower = name.toLowerCase()
    if (ownHeaders.has(lower) || lower.startsWith('content-') || lower.startsWith('arc-')) {
      return { field, problem: 'This header is set by the server or by a field of its own: leave it out.' }
    }
    if (seen.has(lower)) return { field, problem: 'This header is given twice.' }
    seen.add(lower)
    if (lineBreakersButTab.test(value)) {
      return { field, problem: 'It has control characters or line breaks: remove them.' }
    }
    if (value.length > maxHeaderCharacters) {
      return { field, problem: `It is longer than ${maxHeaderCharacters} characters.` }
    }
    const problem = wordProblem(field, value)
    if (problem) return problem
    if (lower === 'message-id' && !messageId.test(value)) {
      return { field, problem: 'A Message-ID looks like <unique@example.com>.' }
    }
  }
  return undefined
}

function attachmentsProblem(attachments: Attachment[] = []): FieldProblem | undefined {
  for (const [index, attachment] of attachments.entries()) {
    const at = `attachments[${index}]`
    const field = `${at}.filename`
    const nameProblem = textProblem(field, attachment.filename, 255)
    if (nameProblem) return nameProblem
    if (/[/\\]/.test(attachment.filename) || /^\.*$/.test(attachment.filename)) {
      return { field, problem: 'Give a file name without a path.' }
    }
    if (misleading.test(attachment.filename)) {
      return {
        field,
        problem: 'The file name has characters that change the direction of text: remove them.',
      }
    }
    if (attachment.contentType !== undefined && !contentType.test(attachment.contentType)) {
      return { field: `${at}.content_type`, problem: 'A content type looks like application/pdf.' }
    }
    if (attachment.contentId !== undefined && !contentIdForm.test(attachment.contentId)) {
      return { field: `${at}.content_id`, problem: 'A content id has no spaces, quotes or brackets.' }
    }
  }
  return undefined
}

function tagsProblem(tags: { name: string; value: string }[] = []): FieldProblem | undefined {
  for (const [index, tag] of tags.entries()) {
    const problem =
      textProblem(`tags[${index}].name`, tag.name, maxTagCharacters) ??
      textProblem(`tags[${index}].value`, tag.value, maxTagCharacters)
    if (problem) return problem
  }
  return undefined
}
