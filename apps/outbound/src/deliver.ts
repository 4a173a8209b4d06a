/** One message to one destination: fit it to what the remote can carry → send → read each recipient's reply. */
import type { LoadedMessage, Outcome, RecipientOutcome } from '@postel/db/queries/outbound'
import { toAsciiHeaders } from '@postel/mail/ascii-headers'
import type { CompiledReplyRule } from '@postel/mail/reply-classifier'
import { retryAfterSeconds } from '@postel/mail/retry-hint'
import { toSevenBit } from '@postel/mail/seven-bit'
import { bounced, deferred, delivered, failed, type Verdict } from './classify.ts'
import { DomainNotVerified, KeysUnavailable, type Signed, SigningKeyError } from './sign.ts'
import type { SmtpClient, SmtpResult } from './smtp-client.ts'
import { fenced, type SmtpEnvelope, type SmtpError } from './smtp-connection.ts'

/** A message with its signature fields, ready to go. */
export type ReadyMessage = { message: LoadedMessage; signature: Buffer; startedAt: number }

export type DeliverOptions = {
  /** Asked right before the final dot. */
  maySendDot: () => boolean
  recipientsPerTransaction: number
  /** Name the message in ENVID, so that the sandbox mailbox knows whose it is. */
  tellEnvelopeId: boolean
  /** The signature fields of a message that had to be changed for this remote. */
  sign: (raw: Buffer, message: Signed) => Promise<Buffer>
  replyRules: readonly CompiledReplyRule[]
  /** Writes down recipients that are final while others have their transaction before them; false: it could not. */
  recordPart: (outcome: Outcome) => Promise<boolean>
}

/**
 * Sends one message over a session, in as many transactions as its recipients need; what is final after each but the last
 * is recorded before the next begins. Answers with the outcome of all others; `'retry'` when a session that had idled broke
 * before the message was offered, which says nothing about the message; `'fenced'` when it was not sent and stays in the
 * queue: no final dot was allowed any more, or the keys to sign it anew could not be asked for.
 */
export async function deliver(
  ready: ReadyMessage,
  client: SmtpClient,
  options: DeliverOptions,
): Promise<Outcome | 'retry' | 'fenced'> {
  const { message, startedAt } = ready
  const idled = client.sent > 0
  const verdicts = new Map<string, Verdict>()
  const barred = message.recipients.filter((recipient) => !canReach(recipient, message, client))
  for (const recipient of barred)
    verdicts.set(
      recipient,
      unfit('5.6.7', 'The remote does not take internationalised addresses (SMTPUTF8)').verdict,
    )
  let waiting = message.recipients.filter((recipient) => !verdicts.has(recipient))
  if (waiting.length === 0) return outcomeOf(ready, client, (recipient) => verdicts.get(recipient)!)
  const fitted = await fit(ready, client, options.sign)
  if (fitted === 'fenced') return fitted
  if ('verdict' in fitted)
    return outcomeOf(ready, client, (recipient) => verdicts.get(recipient) ?? fitted.verdict)

  const recorded = new Set<string>()
  let first = true
  let mayRecord = true
  let inDoubt = false
  let most = options.recipientsPerTransaction
  for (; waiting.length > 0; first = false) {
    const to = waiting.slice(0, most)
    const result = await client.send(
      envelopeOf(message, to, fitted, options),
      fitted.parts,
      options.maySendDot,
    )
    if (first && result.error?.code === fenced) return 'fenced'
    if (first && idled && brokeBefore(result)) return 'retry'

    const refused = new Map(result.rejected.map(({ recipient, error }) => [recipient, error]))
    const taken = to.filter((recipient) => !refused.has(recipient))
    const again = result.error ? [] : to.filter((recipient) => isOneTooMany(refused.get(recipient), taken))
    const remote = { host: client.host, rules: options.replyRules }
    const rest = result.error ? failed(result.error, remote) : delivered(result.response)
    for (const recipient of to) {
      if (again.includes(recipient)) continue
      const error = refused.get(recipient)
      verdicts.set(
        recipient,
        error ? failed(error, remote) : accepted(rest, result.inDoubt, recipient, message, client),
      )
    }
    inDoubt ||= result.inDoubt
    waiting = [...again, ...waiting.slice(to.length)]
    // What the remote took at once is what it takes
    if (again.length > 0) most = Math.min(most, taken.length)
    if (result.error && (!client.usable || result.inDoubt)) {
      for (const recipient of waiting) verdicts.set(recipient, { ...rest, outcome: 'deferred' })
      break
    }
    const over = [...verdicts.keys()].filter(
      (recipient) => !recorded.has(recipient) && verdicts.get(recipient)!.outcome !== 'deferred',
    )
    if (waiting.length === 0 || over.length === 0 || !mayRecord) continue
    mayRecord = await options.recordPart(
      outcomeOf(
        only(ready, (recipient) => over.includes(recipient)),
        client,
        (recipient) => verdicts.get(recipient)!,
      ),
    )
    if (mayRecord) for (const recipient of over) recorded.add(recipient)
  }
  const left = only(ready, (recipient) => !recorded.has(recipient))
  const outcome = outcomeOf(left, client, (recipient) => verdicts.get(recipient)!)
  return { ...outcome, inDoubt, durationMs: performance.now() - startedAt }
}

/** The message as if it had only these recipients. */
function only(ready: ReadyMessage, has: (recipient: string) => boolean): ReadyMessage {
  const { message } = ready
  const numbers = message.numbers.filter((_, index) => has(message.recipients[index]!))
  return { ...ready, message: { ...message, numbers, recipients: message.recipients.filter(has) } }
}

/** The verdict of a recipient that the remote did not refuse by itself. */
function accepted(
  rest: Verdict,
  inDoubt: boolean,
  recipient: string,
  { details }: LoadedMessage,
  client: SmtpClient,
): Verdict {
  if (inDoubt) return { ...rest, outcome: 'deferred', category: 'in_doubt' }
  // Whoever wanted to hear of success hears it from us where the remote does not know how to tell
  const tells = details?.dsn?.recipients[recipient]?.notify?.toUpperCase().includes('SUCCESS')
  return rest.outcome === 'delivered' && tells && !client.supports('DSN')
    ? { ...rest, category: 'relayed' }
    : rest
}

/** A session that had idled broke before this message was offered. */
function brokeBefore({ error, inDoubt, rejected }: SmtpResult): boolean {
  if (!error || inDoubt || rejected.length > 0) return false
  return !error.response || error.responseCode === 421
}

/** RFC 5321 §4.5.3.1.10: not this one now; others were taken, so it goes in a transaction of its own. */
function isOneTooMany(error: SmtpError | undefined, taken: readonly string[]): boolean {
  return taken.length > 0 && error?.responseCode === 452 && !/\b4\.[12]\.[0-9]/.test(error.response ?? '')
}

function envelopeOf(
  message: LoadedMessage,
  to: string[],
  { parts, eightBit, utf8Headers }: Fitted,
  { tellEnvelopeId }: DeliverOptions,
): SmtpEnvelope {
  const { details } = message
  return {
    from: message.envelopeFrom,
    to,
    sizeBytes: parts.reduce((sum, part) => sum + part.length, 0),
    eightBit,
    smtpUtf8: utf8Headers || [message.envelopeFrom, ...to].some(isUtf8),
    requireTls: details?.require_tls === true,
    dsn: tellEnvelopeId ? { ...details?.dsn, envid: message.messageId, recipients: {} } : details?.dsn,
  }
}

type Fitted = {
  parts: Buffer[]
  eightBit: boolean
  /** They may be in UTF-8. */
  utf8Headers: boolean
}

function canReach(recipient: string, { envelopeFrom }: LoadedMessage, client: SmtpClient): boolean {
  return client.supports('SMTPUTF8') || !(isUtf8(recipient) || isUtf8(envelopeFrom))
}

function isUtf8(address: string): boolean {
  return /[^\p{ASCII}]/u.test(address)
}

/** The message as this remote can carry it, signed; or why it cannot; `'fenced'` when nobody can tell for now. */
async function fit(
  { message, signature }: ReadyMessage,
  client: SmtpClient,
  sign: DeliverOptions['sign'],
): Promise<Fitted | { verdict: Verdict } | 'fenced'> {
  const { details, raw, envelopeFrom, recipients } = message
  const eightBit = details?.eight_bit === true
  const isInternational = details?.smtp_utf8 === true || [envelopeFrom, ...recipients].some(isUtf8)
  const fitting = isInternational && !client.supports('SMTPUTF8') ? toAsciiHeaders(raw) : raw
  if (!fitting)
    return unfit(
      '5.6.9',
      'The remote does not take UTF-8 headers (SMTPUTF8), and these have no form in ASCII',
    )
  const content = eightBit && !client.supports('8BITMIME') ? toSevenBit(fitting) : fitting
  if (!content)
    return unfit('5.6.3', 'The remote does not take 8-bit content (8BITMIME), and this cannot be converted')
  const fields = content === raw ? signature : await signAnew(content, message, sign)
  if (!Buffer.isBuffer(fields)) return fields
  return {
    parts: fields.length > 0 ? [fields, content] : [content],
    eightBit: eightBit && client.supports('8BITMIME'),
    utf8Headers: details?.smtp_utf8 === true && client.supports('SMTPUTF8'),
  }
}

/** What keeps it from being signed is neither the message's fault nor a mistake of ours. */
async function signAnew(
  content: Buffer,
  message: LoadedMessage,
  sign: DeliverOptions['sign'],
): Promise<Buffer | { verdict: Verdict } | 'fenced'> {
  try {
    return await sign(content, message)
  } catch (error) {
    if (error instanceof KeysUnavailable || error instanceof DomainNotVerified) return 'fenced'
    if (error instanceof SigningKeyError) return { verdict: keyUnusable() }
    throw error
  }
}

/** Of a message that must wait, as it would leave unsigned. */
export function keyUnusable(): Verdict {
  return deferred('4.7.5', 'signing', 'The DKIM key of the domain cannot be used; see the log of outbound')
}

function unfit(enhanced: string, text: string): { verdict: Verdict } {
  return { verdict: bounced(enhanced, 'content', text) }
}

/** The outcome of a message that was not offered to any remote, or whose fate is the same for all recipients. */
export function outcomeOf(
  ready: Pick<ReadyMessage, 'message' | 'startedAt'>,
  remote: { host: string; address: string | null; tls?: string | null } | undefined,
  verdictOf: (recipient: string) => Verdict,
): Outcome {
  const { message, startedAt } = ready
  const recipients = message.recipients.map(
    (recipient, index): RecipientOutcome => ({ number: message.numbers[index]!, ...verdictOf(recipient) }),
  )
  const waits = recipients.flatMap(({ outcome, reply }) =>
    outcome === 'deferred' ? (retryAfterSeconds(reply) ?? []) : [],
  )
  return {
    id: message.id,
    ipId: message.ipId,
    messageId: message.messageId,
    startedAt,
    durationMs: performance.now() - startedAt,
    mxHost: remote?.host ?? null,
    mxAddress: remote?.address ?? null,
    tls: remote?.tls ?? null,
    inDoubt: false,
    retryAfter: waits.length > 0 ? Math.max(...waits) : null,
    recipients,
  }
}
