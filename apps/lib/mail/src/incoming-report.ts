/**
 * What came back: a bounce (RFC 3464, or a text of the many that follow no standard), a complaint (RFC 5965), or neither.
 * The mail may be anybody's: whether it is about mail of ours is for its address, and the tokens in it, to say.
 */
import { addressOf, type BouncedRecipient, readStatusFields } from './bounce-fields.ts'
import { looksLikeBounce, readBounceText } from './bounce-text.ts'
import { decodeLeaf, type Leaf, type ReadMessage, readFields, readMessage } from './mime-leaves.ts'
import { type ReplyCategory, replyCategories } from './reply-categories.ts'
import { classifyReply } from './reply-classifier.ts'

export type IncomingReport =
  | { kind: 'bounce'; reporter: string | undefined; recipients: BouncedRecipient[] }
  | {
      kind: 'complaint'
      /** `abuse`, `fraud`, `virus`, `opt-out`, `other`. */
      feedbackType: string
      /** As far as they are told; many providers hide them. */
      addresses: string[]
      /** The program that made the report. */
      reporter: string | undefined
      /** What may be the token of a return path, in what is told of the mail. */
      tokens: string[]
    }
  | { kind: 'auto_reply' }
  | { kind: 'other' }

/** Types of feedback that speak against the mail (RFC 5965 §7.3, RFC 6449); not `not-spam`, nor failed authentication. */
const complaints: readonly string[] = ['abuse', 'fraud', 'virus', 'opt-out', 'opt-out-list', 'other']
const maxTokens = 20
const originalTypes: readonly string[] = [
  'message/rfc822',
  'message/global',
  'text/rfc822-headers',
  'message/rfc822-headers',
  'message/global-headers',
]
const statusTypes: readonly string[] = ['message/delivery-status', 'message/global-delivery-status']
const autoReplySubject =
  /^(?:re: ?)?(?:out of (?:the )?office|automatic reply|auto(?:matic)?[- ]?(?:reply|response|antwort)|abwesen|automatische antwort|réponse automatique|respuesta automática|risposta automatica|resposta automática|automatisch antwoord|autosvar|自动回复|自動返信|자동 ?응답|автоответ)/i

/**
 * Reads the message, or its beginning. `nullSender`: its envelope's sender is empty, which nothing but a report is to
 * have. Never throws; linear in the size, and bounded in what it looks at.
 */
export function readIncomingReport(raw: Buffer, { nullSender }: { nullSender: boolean }): IncomingReport {
  const message = readMessage(raw)
  const original = message.leaves.find(({ type }) => originalTypes.includes(type))
  const feedback = message.leaves.find(({ type }) => type === 'message/feedback-report')
  if (feedback) return readFeedback(feedback, original)
  const redirected = original && readFields(original.body).fields.get('x-hmxmroriginalrecipient')
  if (redirected !== undefined && !nullSender) return readRedirected(original!, redirected)

  const statusPart = message.leaves.find(({ type }) => statusTypes.includes(type))
  if (statusPart) {
    const { reporter, recipients } = readStatusFields(decodeLeaf(statusPart).replace(/\r\n?/g, '\n'))
    if (recipients.length > 0) {
      const text = recipients.some(({ reply }) => reply === '') ? readBounceText(message)?.[0] : undefined
      return {
        kind: 'bounce',
        reporter,
        // Some servers keep what they were answered for the sentences
        recipients: recipients.map((each) =>
          each.reply === '' ? { ...each, reply: text?.reply ?? '' } : each,
        ),
      }
    }
  }
  const isBounce = looksLikeBounce(message)
  if (!isBounce && message.leaves.some(({ type }) => type === 'message/disposition-notification'))
    return { kind: 'auto_reply' }
  if (!isBounce && isAutoReply(message)) return { kind: 'auto_reply' }
  const recipients = isBounce || nullSender ? readBounceText(message) : undefined
  // Of what only looks like a bounce, or only comes as one, the words must say so
  const isMeant =
    (isBounce && nullSender) || recipients?.some((each) => judgeBounce(each, undefined).category !== null)
  return recipients && isMeant ? { kind: 'bounce', reporter: undefined, recipients } : { kind: 'other' }
}

export type BounceJudgement = {
  /** null: nothing that it says is known. */
  category: ReplyCategory | null
  /** null: it does not say. */
  permanent: boolean | null
}

/** What a bounce means for its recipient: the reply that it quotes goes before the status that its reporter made of it. */
export function judgeBounce(
  { reply, status, remote }: BouncedRecipient,
  reporter: string | undefined,
): BounceJudgement {
  const at = /(?:^|[\s:("'<[])([45]\d\d)[ -]/.exec(reply)
  const code = at?.[1]
  const digit = code?.[0] ?? status?.[0]
  const quoted = at ? reply.slice(at.index + at[0].indexOf(code!)) : undefined
  const context = { mxHost: remote ?? reporter }
  const text =
    quoted ?? `${digit === '4' ? '450' : '550'} ${status === undefined ? '' : `${status} `}${reply}`
  const { category, outcome, rule } = classifyReply(text, context)
  const known = rule !== undefined || status !== undefined || quoted !== undefined
  if (!known) return { category: null, permanent: /permanent/i.test(reply) || null }
  // A reply that only says that it refuses, where the reporter knows why
  const better =
    quoted !== undefined && rule === undefined && status !== undefined && !/^[45]\.0\.0$/.test(status)
      ? classifyReply(`${code} ${status} ${quoted.slice(4)}`, context).category
      : category
  const permanent =
    outcome === undefined
      ? digit === undefined
        ? replyCategories[better].hard
        : digit === '5'
      : outcome === 'bounced'
  return { category: better, permanent }
}

function isAutoReply({ fields }: ReadMessage): boolean {
  const submitted = fields.get('auto-submitted')?.toLowerCase()
  return (
    (submitted !== undefined && !submitted.startsWith('no')) ||
    fields.has('x-autoreply') ||
    fields.has('x-autorespond') ||
    fields.has('x-auto-response-suppress') ||
    /^(?:auto_?reply|vacation)$/i.test(fields.get('precedence') ?? '') ||
    autoReplySubject.test(fields.get('subject') ?? '')
  )
}

function readFeedback(leaf: Leaf, original: Leaf | undefined): IncomingReport {
  const content = decodeLeaf(leaf).replace(/\r\n?/g, '\n').replace(/^\n+/, '')
  const { fields } = readFields(content)
  const feedbackType =
    fields
      .get('feedback-type')
      ?.toLowerCase()
      .split(/[\s;(]/, 1)[0] ?? 'abuse'
  if (!complaints.includes(feedbackType)) return { kind: 'other' }
  const addresses = ['original-rcpt-to', 'removal-recipient'].flatMap(
    (name) => addressOf(fields.get(name)) ?? [],
  )
  return {
    kind: 'complaint',
    feedbackType,
    addresses: [...new Set(addresses)],
    reporter: fields.get('user-agent')?.slice(0, 200),
    tokens: tokensIn(`${content}\n${original?.body ?? ''}`),
  }
}

/** Microsoft's junk mail reports: the mail itself as an attachment, with its recipient in a field. */
function readRedirected(original: Leaf, recipient: string): IncomingReport {
  const address = addressOf(recipient)
  return {
    kind: 'complaint',
    feedbackType: 'abuse',
    addresses: address === undefined ? [] : [address],
    reporter: undefined,
    tokens: tokensIn(original.body),
  }
}

/** Everything that has the form of a return path's local part, before an @. */
function tokensIn(text: string): string[] {
  const found = text.slice(0, 256 * 1024).match(/(?<![a-z0-9._+-])b[a-z2-7]{42}(?=@)/gi) ?? []
  return [...new Set(found.map((token) => token.toLowerCase()))].slice(0, maxTokens)
}
