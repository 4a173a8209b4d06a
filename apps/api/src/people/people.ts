/** People's accounts: better-auth behind /auth, and who a session is. */
import type { Sql } from '@postel/db/client'
import { findPerson, noteOfPerson } from '@postel/db/queries/people'
import { type Request, type RequestHandler, raw } from 'express'
import { clientAddress } from '../client-address.ts'
import type { ApiEvents } from '../events.ts'
import { Problem, unavailable } from '../problem.ts'
import type { Auth } from './auth.ts'
import { addressHeader, cookiePrefix, discoveryUrl, type OidcOptions } from './auth-options.ts'
import { resealTwoFactors } from './auth-secrets.ts'
import { knowingOwnToken } from './own-token.ts'
import { requireSameOrigin } from './same-origin.ts'
import type { SystemMail } from './system-mail.ts'

export type PeopleOptions = {
  sql: Sql
  /** better-auth's alone: drizzle changes the parsers of its client. */
  authSql: Sql
  events: ApiEvents
  systemMail: SystemMail
  /** In base64, the one in use first. */
  secrets: readonly string[]
  /** Without a slash at the end. */
  publicUrl: string
  signUp: 'open' | 'invitation'
  github: { clientId: string; clientSecret: string } | undefined
  oidc: OidcOptions | undefined
}

const maxBodyBytes = 64 * 1024
const discoveryMs = 5_000
/** An identity provider that could not be reached is tried again this long after. */
const discoverAgainMs = 30_000
const sessionCookie = new RegExp(`(?:^|[; ])(?:__Secure-)?${cookiePrefix}\\.session_token=([^;]*)`)

export class People {
  readonly #options: PeopleOptions
  readonly #background = new Set<Promise<unknown>>()
  #auth: Promise<Auth> | undefined
  #madeAt = performance.now()
  #complete = true

  constructor(options: PeopleOptions) {
    this.#options = options
  }

  get systemMail(): SystemMail {
    return this.#options.systemMail
  }

  get signUp(): 'open' | 'invitation' {
    return this.#options.signUp
  }

  /** The id of the person whose session the request carries; null when its session is over, undefined when it has none. */
  async sessionOf(request: Request): Promise<string | null | undefined> {
    const cookie = request.headers.cookie ?? ''
    const token = sessionCookie.exec(cookie)?.[1]
    if (token === undefined) return undefined
    requireSameOrigin(request, this.#options.publicUrl, { required: true })
    if (isHash(token)) return null
    const auth = await this.#current()
    const found = await auth.api
      .getSession({ headers: new Headers({ cookie }), query: { disableRefresh: true } })
      .catch((error: unknown) => {
        throw unavailable('The service cannot look up your session. Try again later.', error)
      })
    return found ? found.user.id : null
  }

  /** Serves everything below /auth. */
  readonly handlers: RequestHandler[] = [
    (request, response, next) => {
      response.locals.route = '/auth'
      requireSameOrigin(request, this.#options.publicUrl, { required: false })
      const { 'content-type': type, 'content-length': length, 'transfer-encoding': chunked } = request.headers
      const hasBody = chunked !== undefined || Number(length ?? 0) > 0
      if (hasBody && !/^application\/json *(;|$)/i.test(type ?? ''))
        throw new Problem('validation_error', 'Send the body as `Content-Type: application/json`.', {
          statusCode: 415,
        })
      next()
    },
    raw({ type: () => true, limit: maxBodyBytes, inflate: false }),
    async (request, response) => {
      const auth = await this.#current()
      const asked = this.#webRequest(request)
      const answer = await knowingOwnToken(() => auth.handler(asked))
      // What went wrong was logged where it did
      if (answer.status >= 500 && answer.status !== 503)
        throw unavailable('The service cannot do this now. Try again later.')
      response.status(answer.status)
      for (const [name, value] of answer.headers)
        if (name === 'x-retry-after') response.set('retry-after', value)
        else if (name !== 'set-cookie' && name !== 'content-length') response.set(name, value)
      for (const cookie of answer.headers.getSetCookie()) response.append('set-cookie', cookie)
      response.end(Buffer.from(await answer.arrayBuffer()))
    },
  ]

  /** In the background: what is under an earlier secret comes under the present one. */
  reseal(): void {
    const { sql, secrets, events } = this.#options
    if (secrets.length < 2) return
    const work = resealTwoFactors(sql, secrets)
      .then((count) =>
        events.auth('info', `${count} secrets of one-time codes are under the present POSTEL_SECRET now`),
      )
      .catch((error) => events.auth('error', 'one-time codes are still under POSTEL_SECRET_PREVIOUS', error))
      .finally(() => this.#background.delete(work))
    this.#background.add(work)
  }

  /** Resolves when the mail that replies did not wait for is stored. */
  async stop(): Promise<void> {
    await Promise.all(this.#background)
  }

  /** Under our own address whatever the Host header says, so that no link can be made to lead elsewhere. */
  #webRequest(request: Request): globalThis.Request {
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headers))
      if (typeof value === 'string') headers.set(name, value)
    headers.delete('content-length')
    headers.delete('transfer-encoding')
    const token = sessionCookie.exec(request.headers.cookie ?? '')?.[1]
    if (token !== undefined && isHash(token)) headers.delete('cookie')
    headers.set(addressHeader, clientAddress(request) ?? '')
    const body = Buffer.isBuffer(request.body) && request.body.length > 0 ? request.body : undefined
    if (body?.includes('\\u0000')) throw new Problem('validation_error', 'Texts must not contain NUL.')
    return new globalThis.Request(`${this.#options.publicUrl}${request.baseUrl}${request.url}`, {
      method: request.method,
      headers,
      ...(body && { body: new Uint8Array(body) }),
    })
  }

  /** better-auth asks the identity provider for its endpoints only when it is made, so it is made again where that failed. */
  #current(): Promise<Auth> {
    const again = !this.#complete && performance.now() - this.#madeAt > discoverAgainMs
    if (!this.#auth || again) {
      this.#auth = this.#make()
      this.#auth.catch(() => {
        this.#auth = undefined
      })
    }
    return this.#auth
  }

  async #make(): Promise<Auth> {
    const { oidc, ...options } = this.#options
    this.#madeAt = performance.now()
    const reached = oidc === undefined || (await this.#reaches(oidc))
    this.#complete = reached
    const { createAuth } = await import('./auth.ts')
    return createAuth({
      ...options,
      oidc: reached ? oidc : undefined,
      inBackground: (work) => this.#follow(work),
      log: (level, message, ...details) =>
        options.events.auth(
          level,
          message,
          details.find((each) => each instanceof Error),
        ),
      onChange: async (userId, action, headers) => {
        const person = await findPerson(options.sql, userId)
        if (!person) return
        const address = headers.get(addressHeader) || null
        await noteOfPerson(options.sql, { kind: 'person', id: userId, name: person.email, address }, action)
      },
    })
  }

  async #reaches({ issuer }: OidcOptions): Promise<boolean> {
    try {
      const response = await fetch(discoveryUrl(issuer), { signal: AbortSignal.timeout(discoveryMs) })
      await response.arrayBuffer()
      return response.ok
    } catch {
      this.#options.events.auth(
        'error',
        `the identity provider ${issuer} cannot be reached; it is tried again`,
      )
      return false
    }
  }

  #follow(work: Promise<unknown>): void {
    const followed = work
      .catch((error) => this.#options.events.systemMailLost(error))
      .finally(() => this.#background.delete(followed))
    this.#background.add(followed)
  }
}

/** What lists of sessions show names a session, and must not open it. */
function isHash(cookieValue: string): boolean {
  return /^sha256(:|%3a)/i.test(cookieValue)
}
