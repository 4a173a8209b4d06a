/**
 * One SMTP connection to a remote: nodemailer's, with what a transfer agent must know besides. It tells whether the
 * final dot was sent, sends bodies that are already in wire form without looking at each byte, refuses to send the dot
 * when it may not, and drops a remote that answers before it is asked. It leans on a few of the library's internals, so
 * the version is pinned and each point has a test.
 */
import { isIP } from 'node:net'
import { checkServerIdentity, type SecureContext, type TLSSocket } from 'node:tls'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { TlsFacts } from './tls-policy.ts'

export type SmtpEnvelope = {
  from: string
  to: string[]
  sizeBytes: number
  eightBit: boolean
  smtpUtf8: boolean
  requireTls: boolean
  dsn:
    | { ret?: string; envid?: string; recipients: Record<string, { notify?: string; orcpt?: string }> }
    | undefined
}

/** What went wrong, as nodemailer tells it. */
export type SmtpError = Error & {
  code?: string
  responseCode?: number
  response?: string
  command?: string
}

/** What this file uses of the library's connection. */
type Internals = {
  _supportedExtensions: string[]
  _responseActions: unknown[]
  _responseQueue: string[]
  _remainder: string
  _recipientQueue: string[]
  _socket: import('node:net').Socket & Partial<TLSSocket>
  _destroyed: boolean
  /** The last reply, or false. */
  lastServerResponse: string | false
  _envelope:
    | {
        accepted: string[]
        rejected: string[]
        rejectedErrors: (SmtpError & { recipient: string })[]
        mailError?: SmtpError
      }
    | false
  secure: boolean
  /** The TLS handshake is under way. */
  upgrading: boolean
  _onData(chunk: Buffer): void
  _processResponse(): void
  _onError(error: Error, type: string, data: string | false, command: string): void
  _sendCommand(text: string, log?: string): void
  _sendRcpt(recipient: string, callback: unknown): void
  _createSendStream(callback: (error: SmtpError | null, response?: string) => void): unknown
  _actionRCPT(text: string, callback: unknown): void
  _actionSTARTTLS(text: string): void
  _onConnect(): void
  /** Date.now() by which the session must be set up. */
  _connectionDeadline: number
  _actionSMTPStream(text: string, callback: unknown): void
}

const Base = SMTPConnection as unknown as new (
  options: Record<string, unknown>,
) => Internals & {
  connect(callback: (error?: SmtpError) => void): void
  login(auth: Record<string, unknown>, callback: (error: SmtpError | null) => void): void
  send(
    envelope: Record<string, unknown>,
    message: Buffer[],
    callback: (error: SmtpError | null, info?: { response: string }) => void,
  ): void
  reset(callback: (error: SmtpError | null) => void): void
  quit(): void
  close(): void
  on(event: 'error', listener: (error: SmtpError) => void): void
  once(event: 'end', listener: () => void): void
}

export type ConnectionOptions = {
  /** The address to connect to. */
  address: string
  port: number
  /** The remote's name, which its certificate is checked against. */
  host: string
  /** Asked for by SNI. */
  sniName: string
  localAddress: string | undefined
  ehloName: string
  /** `starttls`: where it is offered. The certificate is looked at and never refused here: see `tlsFacts`. */
  tls: 'starttls' | 'implicit' | 'none'
  secureContext: SecureContext
  connectSeconds: number
  commandSeconds: number
  finalDotSeconds: number
}

/** SmtpError.code when the final dot was not allowed: the message was not sent and stays where it is. */
export const fenced = 'EFENCED'

/** Greeting and STARTTLS together, once connected: a remote may think about us for a while (RFC 5321 §4.5.3.2.1). */
const setupMs = 90_000

/** Bodies up to this size leave in one go with their dot. */
const dotWaitsFrom = 256 * 1024

const finalDot = Buffer.from('.\r\n')
const dotLine = Buffer.from('\r\n.')
const answeredEarly = 'The remote answered before it was asked'
const spokeUnasked = 'The remote spoke without being asked'
const aFarewell = /^421[ -]/
const aReply = /^[2-5]\d\d(?:[ -]|$)/m

/** nodemailer's connection with the above; SmtpClient is how it is used. */
export class Connection extends Base {
  finalDotSent = false
  finalDotAnswered = false
  /** Asked right before the final dot; false: it must not be sent. */
  maySendDot: () => boolean = () => true
  wanted: SmtpEnvelope | undefined
  /** What the remote said to STARTTLS when it did not go on. */
  starttlsRefusal: string | undefined
  readonly #finalDotSeconds: number
  readonly #commandSeconds: number

  constructor(options: ConnectionOptions) {
    super({
      host: options.address,
      port: options.port,
      name: options.ehloName,
      ...(!isIP(options.sniName) && { servername: options.sniName }),
      ...(options.localAddress && { localAddress: options.localAddress }),
      secure: options.tls === 'implicit',
      ignoreTLS: options.tls === 'none',
      opportunisticTLS: options.tls === 'starttls',
      tls: {
        secureContext: options.secureContext,
        rejectUnauthorized: false,
        checkServerIdentity: (_name: string, certificate: Parameters<typeof checkServerIdentity>[1]) =>
          checkServerIdentity(options.host, certificate),
      },
      connectionTimeout: options.connectSeconds * 1000,
      greetingTimeout: options.commandSeconds * 1000,
      socketTimeout: options.commandSeconds * 1000,
      maxResponseSize: 64 * 1024,
      logger: false,
    })
    this.#finalDotSeconds = options.finalDotSeconds
    this.#commandSeconds = options.commandSeconds
  }

  get extensions(): readonly string[] {
    return this._supportedExtensions
  }

  /** How the session is encrypted; undefined in plain text. */
  get tlsFacts(): TlsFacts | undefined {
    if (!this.secure) return undefined
    const socket = this._socket as TLSSocket
    // Node leaves an Error's code or its message there, whatever its types say
    const fault = socket.authorizationError as unknown as string | Error | null
    return {
      protocol: socket.getProtocol() ?? 'TLS',
      cipher: socket.getCipher()?.name ?? 'unknown',
      certificate: socket.getPeerX509Certificate(),
      pkixFault: socket.authorized
        ? undefined
        : fault instanceof Error
          ? fault.message
          : (fault ?? 'unknown'),
    }
  }

  get remoteAddress(): string | undefined {
    return this._socket?.remoteAddress
  }

  /** Replies that nobody asked for: the next command would take them for its own. */
  get hasUnsolicited(): boolean {
    return this._responseQueue.length > 0 || this._remainder !== ''
  }

  /** The 421 that ended the session, for whoever finds it closed. */
  get farewell(): SmtpError | undefined {
    const response = this.lastServerResponse
    if (!response || !aFarewell.test(response)) return undefined
    const facts = { code: 'ECONNECTION', response, responseCode: 421, command: 'CONN' }
    return Object.assign(new Error(response), facts)
  }

  /** The time to connect is not the time to greet. */
  override _onConnect(): void {
    this._connectionDeadline = Date.now() + setupMs
    super._onConnect()
  }

  override _actionSTARTTLS(text: string): void {
    if (!text.startsWith('2')) this.starttlsRefusal = text
    super._actionSTARTTLS(text)
  }

  override _onData(chunk: Buffer): void {
    if (this._responseActions.length === 0 && !chunk.toString('latin1', 0, 4).startsWith('421')) {
      const said = chunk.toString('utf8', 0, 200)
      return this._onError(new Error(`${spokeUnasked}: ${said}`), 'EPROTOCOL', false, 'CONN')
    }
    try {
      super._onData(chunk)
      this.#takeReplies()
    } catch (error) {
      // Nobody would catch it up there, and it would end the process
      this._onError(error as Error, 'EPROTOCOL', false, 'CONN')
    }
  }

  /** nodemailer takes one in each turn of the event loop: an end right behind them would overtake the others. */
  #takeReplies(): void {
    let left = Number.POSITIVE_INFINITY
    // One that is not all there is put back
    while (!this._destroyed && this._responseActions.length > 0 && this._responseQueue.length < left) {
      left = this._responseQueue.length
      if (left > 0) this._processResponse()
    }
  }

  /** Replies wait that nobody has asked for. A 421 among them is no answer: it says why the session ends. */
  #refuseEarly(): void {
    const farewell = this._responseQueue.find((reply) => aFarewell.test(reply))
    if (farewell === undefined) this._onError(new Error(answeredEarly), 'EPROTOCOL', false, 'CONN')
    else this._onError(new Error(answeredEarly), 'ECONNECTION', farewell, 'CONN')
  }

  override _sendCommand(text: string, log?: string): void {
    if (this._destroyed) return
    if (this._responseQueue.length > 0) return this.#refuseEarly()
    const utf8 = this.wanted?.smtpUtf8 && text.startsWith('MAIL FROM:') && !text.includes(' SMTPUTF8')
    super._sendCommand(utf8 ? `${text} SMTPUTF8` : text, log)
  }

  override _sendRcpt(recipient: string, callback: unknown): void {
    const dsn = this.wanted?.dsn?.recipients[recipient]
    if (!dsn || !this._supportedExtensions.includes('DSN')) return super._sendRcpt(recipient, callback)
    this._recipientQueue.push(recipient)
    this._responseActions.push((text: string) => this._actionRCPT(text, callback))
    const notify = dsn.notify ? ` NOTIFY=${dsn.notify}` : ''
    const orcpt = dsn.orcpt ? ` ORCPT=${encodeOrcpt(dsn.orcpt)}` : ''
    this._sendCommand(`RCPT TO:<${recipient}>${notify}${orcpt}`)
  }

  /** Takes the place of nodemailer's byte-by-byte stream: what comes is in wire form but for the dots. */
  override _createSendStream(callback: (error: SmtpError | null, response?: string) => void): unknown {
    const refuse = (code: string, text: string) => {
      this.close()
      callback(Object.assign(new Error(text), { code }))
    }
    const sendDot = () => {
      if (this._destroyed) return
      if (!this.maySendDot()) return refuse(fenced, 'The source IP is not held any more')
      const socket = this._socket
      this._responseActions.push((text: string) => {
        // What is no reply tells nothing about the message: it stays in doubt
        if (!aReply.test(text))
          return this._onError(new Error('The reply has no code'), 'EPROTOCOL', false, 'DATA')
        this.finalDotAnswered = true
        socket.setTimeout(this.#commandSeconds * 1000)
        this._actionSMTPStream(text, callback)
      })
      this.finalDotSent = true
      socket.setTimeout(this.#finalDotSeconds * 1000)
      socket.write(finalDot)
    }
    const stream = {
      outByteCount: 0,
      write: (parts: Buffer[]) => {
        if (this.hasUnsolicited) return this.#refuseEarly()
        const socket = this._socket
        socket.cork()
        for (const part of parts) stream.outByteCount += writeStuffed(socket, part)
        // The dot is decided on when it can leave, not while much of the body still waits in front of it
        const large = stream.outByteCount > dotWaitsFrom
        if (!large) sendDot()
        socket.uncork()
        if (!large) return
        if (socket.writableNeedDrain) socket.once('drain', sendDot)
        else sendDot()
      },
      end: () => {},
    }
    return stream
  }
}

/** Writes a part with its dots stuffed (RFC 5321 §4.5.2); returns the bytes written. A part begins a line. */
function writeStuffed(socket: { write(data: Buffer | string): unknown }, part: Buffer): number {
  let written = part.length
  if (part[0] === 0x2e) {
    socket.write('.')
    written++
  }
  let from = 0
  for (let at = part.indexOf(dotLine); at >= 0; at = part.indexOf(dotLine, at + 2)) {
    socket.write(part.subarray(from, at + 3))
    socket.write('.')
    from = at + 3
    written++
  }
  socket.write(from === 0 ? part : part.subarray(from))
  return written
}

/** ORCPT as RFC 3461 §4.2 writes it: the address type as it is, the address in xtext. */
function encodeOrcpt(orcpt: string): string {
  const split = orcpt.indexOf(';') + 1
  const address = Buffer.from(orcpt.slice(split))
  const xtext = [...address]
    .map((byte) =>
      byte > 0x20 && byte < 0x7f && byte !== 0x2b && byte !== 0x3d
        ? String.fromCharCode(byte)
        : `+${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('')
  return orcpt.slice(0, split).replace(/[^A-Za-z0-9;-]/g, '') + xtext
}
