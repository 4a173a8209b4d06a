/**
 * Requests to a cloud's API, and what became of them as a ProviderError. The credentials are in the header alone: no error,
 * and so no log line, has them, nor the URL that IP_PROVIDER_URL gave.
 */
import type { z } from 'zod'
import { ProviderError, type ProviderErrorKind } from '../provider.ts'

const requestMs = 10_000
const maxMessageCharacters = 300
/** Hetzner's RateLimit-Reset is when the whole hour's allowance is back; the first requests are allowed long before. */
const maxResetMs = 60_000

/** What an error body says, in the words of the provider. */
export type CloudFault = { code: string; message: string }

export type CloudApiOptions = {
  /** As people know it: "Hetzner Cloud". */
  provider: string
  baseUrl: string
  /** The Authorization header. */
  authorization: string
  /** What must never be shown, wherever it comes back from. */
  secrets: readonly string[]
  /** Which variables hold the credentials, and how to come to good ones: said when they are refused. */
  credentials: string
  /** Undefined: it is no error body of this provider. */
  readFault: (body: unknown) => CloudFault | undefined
  /** Awaited before each request: rejects when nothing may be asked any more. */
  prove?: (() => Promise<void>) | undefined
  /** Per request. Default 10,000 ms. */
  timeoutMs?: number
}

export type CloudRequest<Reply> = {
  method?: 'GET' | 'POST' | 'PATCH'
  path: string
  body?: unknown
  reply: z.ZodType<Reply>
  /** What is done, for messages: "list the servers". */
  task: string
  signal: AbortSignal
}

/** A ProviderError with the provider's own code, where it gave one. */
export class CloudError extends ProviderError {
  readonly code: string | undefined

  constructor(
    kind: ProviderErrorKind,
    message: string,
    options: { code?: string | undefined; retryAfterMs?: number | undefined; status?: number },
  ) {
    const { code, retryAfterMs, status } = options
    super(kind, message, {
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      ...(status !== undefined && { status }),
    })
    this.code = code
  }
}

export class CloudApi {
  readonly #options: CloudApiOptions

  constructor(options: CloudApiOptions) {
    this.#options = options
  }

  /**
   * The answer, checked. Rejects with a CloudError: `retry` where a later try may work, and `unfinished` where the request changes
   * something, was sent, and no answer tells whether it was carried out. What `prove` rejects with passes.
   */
  async send<Reply>(request: CloudRequest<Reply>): Promise<Reply> {
    const { method = 'GET', path, body, reply, signal } = request
    const lost = method === 'GET' ? 'retry' : 'unfinished'
    await this.#options.prove?.()
    if (signal.aborted) throw this.#error(request, 'retry', `was not asked any more: ${endOf(signal)}`)
    const timeout = AbortSignal.timeout(this.#options.timeoutMs ?? requestMs)
    let response: Response
    let text: string
    try {
      response = await fetch(`${this.#options.baseUrl}${path}`, {
        method,
        headers: {
          authorization: this.#options.authorization,
          accept: 'application/json',
          'user-agent': 'Postel',
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        // The credentials go nowhere else
        redirect: 'manual',
        signal: AbortSignal.any([signal, timeout]),
      })
      // Of a refusal that breaks off, the status says enough
      text = response.ok ? await response.text() : await response.text().catch(() => '')
    } catch (error) {
      if (signal.aborted) throw this.#error(request, lost, `gave no answer: ${endOf(signal)}`)
      if (timeout.aborted) throw this.#error(request, lost, 'gave no answer in time')
      const code = codeOf(error)
      const unsent = code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN'
      throw this.#error(
        request,
        unsent ? 'retry' : lost,
        `could not be reached (${code ?? 'connection broken'})`,
      )
    }
    const json = readJson(text)
    if (!response.ok) throw this.#refusal(request, response, json)
    const parsed = reply.safeParse(json)
    if (parsed.success) return parsed.data
    const [issue] = parsed.error.issues
    const where = json === undefined ? 'no JSON' : `${issue?.path.join('.')}: ${issue?.message}`
    throw this.#error(request, lost, `gave an answer that cannot be understood (${where})`, {
      status: response.status,
    })
  }

  #refusal(request: CloudRequest<unknown>, response: Response, body: unknown): CloudError {
    const { status } = response
    const fault = this.#options.readFault(body)
    const said = fault ? `answered ${status} ${fault.code}: ${fault.message}` : `answered ${status}`
    const details = { status, code: fault?.code }
    if (status === 401)
      return this.#error(request, 'refused', `${said}. ${this.#options.credentials}`, details)
    if (status === 403)
      return this.#error(
        request,
        'refused',
        `${said}. The credentials are known, but may not do this. ${this.#options.credentials}`,
        details,
      )
    if (status === 404 || status === 410) return this.#error(request, 'not_found', said, details)
    if (
      status === 408 ||
      status === 409 ||
      status === 423 ||
      status === 425 ||
      status === 429 ||
      status >= 500
    )
      return this.#error(request, 'retry', said, { ...details, retryAfterMs: waitOf(response) })
    if (status >= 300 && status < 400)
      return this.#error(
        request,
        'refused',
        `${said}, a redirect, which is not followed: see IP_PROVIDER_URL`,
        details,
      )
    return this.#error(request, 'refused', said, details)
  }

  #error(
    { task }: CloudRequest<unknown>,
    kind: ProviderErrorKind,
    what: string,
    details: { code?: string | undefined; retryAfterMs?: number | undefined; status?: number } = {},
  ): CloudError {
    return new CloudError(
      kind,
      this.#clean(`${this.#options.provider}: asked to ${task}, it ${what}`),
      details,
    )
  }

  /** One line, of bounded length, without what is secret. */
  #clean(message: string): string {
    const hidden = this.#options.secrets
      .filter((secret) => secret !== '')
      .reduce((text, secret) => text.replaceAll(secret, '[secret]'), message)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they come from outside and go to logs
    return hidden.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, maxMessageCharacters)
  }
}

/** Retry-After in seconds or as a date, else RateLimit-Reset as Unix seconds; by the clock of the one who says it. */
function waitOf(response: Response): number | undefined {
  const now = Date.parse(response.headers.get('date') ?? '') || Date.now()
  const after = response.headers.get('retry-after')
  if (after !== null) {
    const ms = /^\d+$/.test(after.trim()) ? Number(after) * 1000 : Date.parse(after) - now
    if (Number.isFinite(ms)) return Math.max(0, ms)
  }
  const reset = Number(response.headers.get('ratelimit-reset') ?? Number.NaN)
  if (response.status !== 429 || !Number.isFinite(reset)) return undefined
  return Math.min(maxResetMs, Math.max(0, reset * 1000 - now))
}

function endOf(signal: AbortSignal): string {
  return (signal.reason as Error | undefined)?.name === 'TimeoutError' ? 'out of time' : 'the manager stops'
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function codeOf(error: unknown): string | undefined {
  const cause = (error as { cause?: { code?: unknown } }).cause
  return typeof cause?.code === 'string' ? cause.code : undefined
}
