/** A session with a remote: opened once, then one message after another, each with the replies of its own. */
import { readable } from './classify.ts'
import { Connection, type ConnectionOptions, type SmtpEnvelope, type SmtpError } from './smtp-connection.ts'
import { type TlsFloor, type TlsPolicy, type TlsSession, tlsText } from './tls-policy.ts'

export type SmtpClientOptions = ConnectionOptions & {
  /** `secureContext` takes no TLS that does not protect. */
  strict: boolean
  /** Why `tls: 'none'`. */
  plainBecause?: string | undefined
  terms: TlsTerms
  /** Asked once the remote has greeted, before any credentials; false: the session is not wanted. */
  admit?: (session: TlsSession) => boolean
  /** Gives up opening. */
  signal?: AbortSignal | undefined
}

/** What the session's TLS was judged by. */
export type TlsTerms = { policy: TlsPolicy; floor: TlsFloor }

/** The replies to one message. `error` is about the recipients that are not in `rejected`. */
export type SmtpResult = {
  rejected: { recipient: string; error: SmtpError }[]
  error: SmtpError | undefined
  /** The reply to the final dot when there was one. */
  response: string | undefined
  /** The final dot was sent and its reply never came. */
  inDoubt: boolean
}

/** A connection that carries one message after another. */
export class SmtpClient {
  readonly #options: SmtpClientOptions
  readonly #connection: Connection
  /** Messages sent on it. */
  sent = 0
  /** Those of the message that it carries now: said by `tls`. Whoever reuses the session for other mail sets them. */
  terms: TlsTerms
  #session: TlsSession | undefined
  #closed = false
  #address: string | null = null
  /** Ends the send in progress when the connection ends: nodemailer does not when it is closed, or broken in RSET. */
  #abandon: (() => void) | undefined

  private constructor(options: SmtpClientOptions) {
    this.#options = options
    this.terms = options.terms
    this.#connection = new Connection(options)
    // Failures reach whoever waits by callback; the event alone must not end the process
    // nodemailer's own callback, which knows more, comes right behind the event
    const end = () => {
      this.#closed = true
      setImmediate(() => this.#abandon?.())
    }
    this.#connection.on('error', end)
    this.#connection.once('end', end)
  }

  /** Connects, greets, says EHLO and upgrades to TLS as asked. Rejects with SmtpError; ETLS: only TLS was broken. */
  static async open(options: SmtpClientOptions, auth?: { user: string; pass: string }): Promise<SmtpClient> {
    const client = new SmtpClient(options)
    const connection = client.#connection
    await new Promise<void>((resolve, reject) => {
      let settled = false
      const settle = (error?: SmtpError | null) => {
        if (settled) return
        settled = true
        options.signal?.removeEventListener('abort', closed)
        if (!error) return resolve()
        connection.close()
        reject(error)
      }
      const refuse = () => {
        settled = true
        options.signal?.removeEventListener('abort', closed)
        client.quit()
        reject(new Error('The session is not wanted'))
      }
      const closed = () => settle(connection.farewell ?? connectionClosed())
      options.signal?.addEventListener('abort', closed)
      connection.on('error', (error) => {
        if (connection.upgrading && !error.response) error.code = 'ETLS'
        settle(error)
      })
      connection.once('end', closed)
      if (options.signal?.aborted) return closed()
      connection.connect((error) => {
        if (error) return settle(error)
        client.#session = client.#look()
        if (options.admit?.(client.#session) === false) return refuse()
        if (!auth) return settle()
        connection.login({ credentials: auth }, settle)
      })
    })
    client.#address = connection.remoteAddress ?? options.address
    return client
  }

  get usable(): boolean {
    return !this.#closed && !this.#connection._destroyed && !this.#connection.hasUnsolicited
  }

  get host(): string {
    return this.#options.host
  }

  /** Its handshake took no TLS that does not protect. */
  get strict(): boolean {
    return this.#options.strict
  }

  get address(): string | null {
    return this.#address
  }

  /** For the attempt; see tlsText. */
  get tls(): string {
    return tlsText(this.session, this.terms.policy, this.terms.floor)
  }

  /** What can be judged of it. */
  get session(): TlsSession {
    return this.#session!
  }

  #look(): TlsSession {
    const connection = this.#connection
    const { host, plainBecause } = this.#options
    const refusal = connection.starttlsRefusal
    return {
      host,
      facts: connection.tlsFacts,
      plainBecause: plainBecause ?? (refusal ? `refused: ${readable(refusal, 120)}` : 'not offered'),
      requireTlsOffered: this.supports('REQUIRETLS'),
    }
  }

  supports(extension: 'SMTPUTF8' | '8BITMIME' | 'REQUIRETLS' | 'DSN'): boolean {
    return this.#connection.extensions.includes(extension)
  }

  /** Whether the message now on its way has had its final dot sent and not answered. */
  get afterDot(): boolean {
    return this.#connection.finalDotSent && !this.#connection.finalDotAnswered
  }

  /**
   * Sends one message; `parts` are its bytes, CRLF line ends, the last ending in CRLF. Never rejects. The connection may
   * be used again when `usable` says so.
   */
  send(envelope: SmtpEnvelope, parts: Buffer[], maySendDot: () => boolean): Promise<SmtpResult> {
    const connection = this.#connection
    connection.finalDotSent = false
    connection.finalDotAnswered = false
    connection.maySendDot = maySendDot
    connection.wanted = envelope
    // Of the last message: where the session has ended since, nodemailer never comes to this one's
    connection._envelope = false
    this.sent++
    return new Promise((resolve) => {
      const settle = (result: SmtpResult) => {
        this.#abandon = undefined
        resolve(result)
      }
      const finish = (error: SmtpError | null, info?: { response: string }) => {
        const state = connection._envelope
        const mailError = state ? state.mailError : undefined
        const refused = state && !mailError ? state.rejectedErrors : []
        const result = {
          rejected: refused.map((rejection) => ({ recipient: rejection.recipient, error: rejection })),
          // Without a reply of its own it is only what followed from the end of the session
          error:
            mailError ?? (error && !error.response ? (connection.farewell ?? error) : error) ?? undefined,
          response: info?.response,
          inDoubt: connection.finalDotSent && !connection.finalDotAnswered,
        }
        if (!result.error) return settle(result)
        // A refused transaction may still be open: end it, or the next MAIL is out of order
        this.#abandon = () => settle(result)
        if (!result.error.responseCode || result.error.responseCode === 421 || !this.usable)
          return this.close()
        connection.reset((resetError) => {
          if (resetError) this.close()
          settle(result)
        })
      }
      this.#abandon = () => finish(connectionClosed())
      connection.send(
        {
          from: envelope.from,
          to: envelope.to,
          size: envelope.sizeBytes,
          use8BitMime: envelope.eightBit,
          requireTLSExtensionEnabled: envelope.requireTls,
          ...(envelope.dsn && { dsn: { ret: envelope.dsn.ret, envid: envelope.dsn.envid } }),
        },
        parts,
        finish,
      )
    })
  }

  /** Ends the session politely. */
  quit(): void {
    this.#closed = true
    this.#connection.quit()
  }

  /** Ends it at once, and the send in progress with it. */
  close(): void {
    this.#closed = true
    this.#connection.close()
    this.#abandon?.()
  }
}

function connectionClosed(): SmtpError {
  return Object.assign(new Error('Connection closed'), { code: 'ECONNECTION' })
}
