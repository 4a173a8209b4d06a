/** One message to one destination: check what the remote can carry → send → read each recipient's reply. */
import type { LoadedMessage, Outcome, RecipientOutcome } from '@postel/db/queries/outbound'
import { retryAfterSeconds } from '@postel/mail/retry-hint'
import { bounced, delivered, failed, type Verdict } from './classify.ts'
import type { SmtpClient } from './smtp-client.ts'
import { fenced } from './smtp-connection.ts'

/** A message with its signature fields, ready to go. */
export type ReadyMessage = { message: LoadedMessage; signature: Buffer; startedAt: number }

/**
 * Sends one message over a session. Answers with the outcome; `'retry'` when a session that had idled broke before the
 * message was offered, which says nothing about the message; `'fenced'` when the final dot was not allowed any more.
 */
export async function deliver(
  ready: ReadyMessage,
  client: SmtpClient,
  maySendDot: () => boolean,
  tellEnvelopeId: boolean,
): Promise<Outcome | 'retry' | 'fenced'> {
  const { message, signature, startedAt } = ready
  const { details } = message
  const verdict = unfit(message, client)
  if (verdict) return outcomeOf(ready, client, () => verdict)

  const reused = client.sent > 0
  const result = await client.send(
    {
      from: message.envelopeFrom,
      to: message.recipients,
      sizeBytes: signature.length + message.raw.length,
      eightBit: details?.eight_bit === true,
      smtpUtf8: needsUtf8(message),
      requireTls: details?.require_tls === true,
      dsn: tellEnvelopeId ? { ...details?.dsn, envid: message.messageId, recipients: {} } : details?.dsn,
    },
    signature.length > 0 ? [signature, message.raw] : [message.raw],
    maySendDot,
  )
  if (result.error?.code === fenced) return 'fenced'
  if (
    reused &&
    result.error &&
    !result.inDoubt &&
    (!result.error.response || result.error.responseCode === 421)
  ) {
    if (result.rejected.length === 0) return 'retry'
  }

  const rejected = new Map(result.rejected.map(({ recipient, error }) => [recipient, error]))
  const rest = result.error ? failed(result.error) : delivered(result.response)
  const outcome = outcomeOf(ready, client, (recipient) => {
    const error = rejected.get(recipient)
    if (error) return failed(error)
    return result.inDoubt ? { ...rest, outcome: 'deferred', category: 'in_doubt' } : rest
  })
  return { ...outcome, inDoubt: result.inDoubt, durationMs: performance.now() - startedAt }
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

/** Why this remote cannot carry the message as it is. */
function unfit(message: LoadedMessage, client: SmtpClient): Verdict | undefined {
  if (needsUtf8(message) && !client.supports('SMTPUTF8'))
    return bounced('5.6.7', 'content', 'The remote does not take internationalised addresses (SMTPUTF8)')
  if (message.details?.eight_bit && !client.supports('8BITMIME'))
    return bounced('5.6.3', 'content', 'The remote does not take 8-bit content (8BITMIME)')
  return undefined
}

function needsUtf8(message: LoadedMessage): boolean {
  return (
    message.details?.smtp_utf8 === true ||
    message.recipients.some((recipient) => /[^\p{ASCII}]/u.test(recipient))
  )
}
