/** One attempt to tell a webhook: sign → send → judge the answer. */
import type { AttemptResult, ClaimedDelivery } from '@postel/db/queries/webhook-dispatch'
import { GuardedFetchError, type GuardedReply, guardedFetch } from '@postel/runtime/guarded-fetch'
import type { SecretBox } from '@postel/runtime/secret-box'
import { Webhook } from 'standardwebhooks'

export type WebhookRequestOptions = {
  secretBox: SecretBox
  allowPrivate: boolean
  timeoutMs: number
  userAgent: string
}

/** Of a reply nothing beyond it is read, and of that only a beginning kept. */
const maxReplyBytes = 65_536
const keptCharacters = 2_000

/** Makes the attempt; never rejects. */
export async function tellWebhook(
  delivery: ClaimedDelivery,
  options: WebhookRequestOptions,
): Promise<AttemptResult> {
  const at = new Date()
  const startedAt = performance.now()
  const result = {
    id: delivery.id,
    after: delivery.attempts,
    at,
    status: null,
    body: null,
    retryAfterSeconds: null,
  }
  try {
    const reply = await guardedFetch(delivery.endpoint, {
      method: 'POST',
      headers: { ...signedHeaders(delivery, at, options.secretBox), 'user-agent': options.userAgent },
      body: delivery.payload,
      allowPrivate: options.allowPrivate,
      timeoutMs: options.timeoutMs,
      maxBodyBytes: maxReplyBytes,
    })
    return { ...result, ...judged(reply), ms: Math.round(performance.now() - startedAt) }
  } catch (error) {
    const problem =
      error instanceof GuardedFetchError
        ? error.message
        : 'The request could not be made. This is a fault of the sender.'
    return { ...result, error: problem, ms: Math.round(performance.now() - startedAt) }
  }
}

/** Under both names that libraries look for: those of Standard Webhooks and those of Svix, which Resend uses. */
export function signedHeaders(
  { id, webhookId, payload, secret, previousSecret }: ClaimedDelivery,
  at: Date,
  secretBox: SecretBox,
): Record<string, string> {
  const signature = [secret, previousSecret]
    .filter((sealed) => sealed !== null)
    .map((sealed) => new Webhook(secretBox.open(sealed, webhookId), { format: 'raw' }).sign(id, at, payload))
    .join(' ')
  const values = { id, timestamp: String(Math.floor(at.getTime() / 1000)), signature }
  return Object.fromEntries([
    ['content-type', 'application/json'],
    ...['webhook', 'svix'].flatMap((name) =>
      Object.entries(values).map(([field, value]) => [`${name}-${field}`, value]),
    ),
  ])
}

/** 2xx is success, all else is not; a redirect is not followed. */
export function judged({
  status,
  headers,
  body,
}: GuardedReply): Pick<AttemptResult, 'status' | 'error' | 'body' | 'retryAfterSeconds'> {
  const taken = status >= 200 && status < 300
  return {
    status,
    error: taken
      ? null
      : status >= 300 && status < 400
        ? `It answered ${status}: redirects are not followed.`
        : `It answered ${status}.`,
    // Postgres has no NUL
    body: body.toString('utf8').replaceAll('\0', '\ufffd').slice(0, keptCharacters).toWellFormed(),
    retryAfterSeconds: taken ? null : retryAfterSeconds(headers['retry-after'], Date.now()),
  }
}

/** Retry-After (RFC 9110 §10.2.3) in seconds from now; null without one that can be read. */
export function retryAfterSeconds(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null
  if (/^\d{1,9}$/.test(header.trim())) return Number(header)
  // Date.parse would read numbers as years
  const at = /^[A-Za-z]/.test(header) ? Date.parse(header) : Number.NaN
  return Number.isNaN(at) ? null : Math.max(0, (at - nowMs) / 1000)
}
