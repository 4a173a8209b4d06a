/**
 * smtp-server's connection with what a submission server wants differently: no wait before the greeting for known
 * clients, AUTH offered only where it may be used, strict command lines, our own enhanced codes, and a deadline for
 * each command. It leans on a few of the library's internals, so the version is pinned and each point has a test.
 */
import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { SMTPConnection } from 'smtp-server/lib/smtp-connection'
import { DataParser } from './data-parser.ts'
import { dsnProblem } from './dsn.ts'
import { receiveProxyHeader } from './receive-proxy-header.ts'
import { type Reply, replies } from './replies.ts'

/** What this file uses of the library's connection. */
type Internals = {
  secure: boolean
  remoteAddress: string
  session: {
    id: string
    ended?: boolean
    envelope: { mailFrom: unknown; rcptTo: unknown[]; smtpUtf8?: boolean }
  }
  name: string
  _server: SubmissionServer
  _closing: boolean
  _ready: boolean
  _upgrading: boolean
  _parser: { _dataMode: boolean } | false
  _socket: { destroyed: boolean }
  _nextHandler: unknown
  _unrecognizedCommands: number
  _setListeners(then: () => void): void
  _isSupported(command: string): boolean
  _onCommand(command: Buffer, done: () => void): void
  _createParser(): unknown
  _getEnhancedStatusCode(code: number, context?: string | false): string
  _resetSession(): void
  connectionReady(): void
  close(): void
  send(code: number, data?: string | string[], context?: string | false): void
  handler_EHLO(command: Buffer, done: () => void): void
  handler_AUTH(command: Buffer, done: () => void): void
  handler_MAIL(command: Buffer, done: () => void): void
  handler_RCPT(command: Buffer, done: () => void): void
}

const Base = SMTPConnection as unknown as new (
  server: SubmissionServer,
  socket: unknown,
  options: unknown,
) => Internals & {
  on(event: string, listener: (value: never) => void): void
}

/** Early talkers (a sign of abuse) show themselves within this time; known clients do not wait. */
const greetingDelayMs = 100
const ownEnhancedCode = /^[245]\.\d{1,3}\.\d{1,3} /
/** Lines that are no command at all, as many as smtp-server allows unknown commands. */
const badLinesMax = 10
/** Commands since the last message that a client needs rarely and a flood consists of. */
const idleCommandsMax = 100
const idleCommands = new Set(['NOOP', 'RSET', 'VRFY', 'EHLO', 'HELO'])
const unimplemented = new Set(['EXPN', 'HELP', 'ETRN', 'TURN', 'SEND', 'SOML', 'SAML', 'XCLIENT', 'XFORWARD'])

export type SubmissionPolicy = {
  /** Greet at once: the client is on loopback or in a trusted network. */
  isKnownClient: (address: string) => boolean
  /** AUTH without TLS is allowed for this client (loopback in sandbox). */
  allowsPlainAuth: (address: string) => boolean
  /** Connections that one untrusted address may have. */
  maxConnectionsPerClient: number
  /** A command must arrive whole within this time. */
  commandSeconds: number
  /** A command's handler threw. */
  onFault: (session: string, error: unknown) => void
  /** A connection was refused because there are too many. */
  onCrowd: (session: string, reply: Reply) => void
  /** Connections from this address begin with a PROXY header, which is believed. */
  isProxy: (address: string) => boolean
  /** One of them did not. */
  onHeaderMissing: (proxy: string, problem: string) => void
}

/** For those whom the balancer does not name: in no trusted network, and nobody's. */
const unknownClient = '0.0.0.0'

export class SubmissionConnection extends Base {
  #listing = false
  #commandAt = performance.now()
  #idleCommands = 0
  /** DATA was refused: a client that did not wait for the reply sends its message now. */
  #dataRefused = false

  init(): void {
    this._setListeners(() => {
      const { policy, options, connections, clients } = this._server
      if (connections.size > (options.maxClients ?? Number.POSITIVE_INFINITY)) return this.#refuseCrowd()
      if (policy.isKnownClient(this.remoteAddress)) return this.connectionReady()
      if ((clients.get(this.remoteAddress) ?? 0) > policy.maxConnectionsPerClient) return this.#refuseCrowd()
      setTimeout(() => this.connectionReady(), greetingDelayMs).unref()
    })
  }

  /** Closes the connection when its client has been too slow to finish a command; idle clients have their own limit. */
  enforceDeadline(now: number): void {
    const { _parser: parser } = this
    if (parser !== false && parser._dataMode) this.#commandAt = now
    if (now - this.#commandAt < this._server.policy.commandSeconds * 1000 || this._closing) return
    this.#refuse(replies.tooSlow())
  }

  override _createParser(): DataParser {
    const parser = new DataParser({ maxCommandLength: this._server.options.maxCommandLength })
    parser.oncommand = (command: Buffer, done: () => void) => {
      try {
        this._onCommand(command, done)
      } catch (error) {
        this.#fail(error)
      }
    }
    parser.on('error', (error) => this.send(421, `4.5.2 ${error.message}`))
    return parser
  }

  override _onCommand(command: Buffer, done: () => void): void {
    this.#commandAt = performance.now()
    if (!this._ready || this._upgrading) return super._onCommand(command, done)
    const verb = command.toString('latin1').split(' ', 1)[0]!.toUpperCase()
    if (this.#dataRefused && !this._isSupported(verb)) return this.#refuse(replies.contentWithoutData())
    this.#dataRefused = verb === 'DATA' && !this._nextHandler && this.session.envelope.rcptTo.length === 0
    if (!isCleanLine(command)) {
      this._nextHandler = false
      if (++this._unrecognizedCommands >= badLinesMax) return this.#refuse(replies.tooManyBadCommands())
      this.#refuse(replies.badCommand())
      return void setImmediate(done)
    }
    if (this._nextHandler) return super._onCommand(command, done)
    if (verb === 'DATA') this.#idleCommands = 0
    else if (idleCommands.has(verb) && ++this.#idleCommands > idleCommandsMax)
      return this.#refuse(replies.tooManyBadCommands())
    if (unimplemented.has(verb)) {
      if (++this._unrecognizedCommands >= badLinesMax) return this.#refuse(replies.tooManyBadCommands())
      this.#refuse(replies.notImplemented())
      return void setImmediate(done)
    }
    if (verb === 'BDAT') {
      // What follows is a chunk of a message, which must not be read as commands
      this.#refuse(replies.notImplemented())
      return this.close()
    }
    super._onCommand(command, done)
  }

  /** Never a code of another class than the reply: smtp-server takes the client's verb for a hint. */
  override _getEnhancedStatusCode(code: number, context?: string | false): string {
    const enhanced = super._getEnhancedStatusCode(code, context)
    return enhanced === '' || enhanced.startsWith(String(code)[0]!)
      ? enhanced
      : super._getEnhancedStatusCode(code)
  }

  override send(code: number, data?: string | string[], context?: string | false): void {
    super.send(code, data, typeof data === 'string' && ownEnhancedCode.test(data) ? false : context)
    if (this.session.ended) this.close()
  }

  override handler_EHLO(command: Buffer, done: () => void): void {
    this.#listing = true
    try {
      super.handler_EHLO(command, done)
    } finally {
      this.#listing = false
    }
  }

  override handler_AUTH(command: Buffer, done: () => void): void {
    const inTransaction = Boolean(this.session.envelope.mailFrom)
    if (this.#mayAuthenticate() && !inTransaction) return super.handler_AUTH(command, done)
    this.#refuse(inTransaction ? replies.authInTransaction() : replies.tlsRequired())
    done()
  }

  override handler_MAIL(command: Buffer, done: () => void): void {
    // The parameters of a MAIL that was refused would stay
    if (!this.session.envelope.mailFrom) this._resetSession()
    if (this.#refusesDsn(command, false)) return done()
    super.handler_MAIL(command, done)
  }

  override handler_RCPT(command: Buffer, done: () => void): void {
    if (this.#refusesDsn(command, this.session.envelope.smtpUtf8 === true)) return done()
    super.handler_RCPT(command, done)
  }

  handler_VRFY(_command: Buffer, done: () => void): void {
    this.send(252, replies.cannotVerify)
    done()
  }

  override _isSupported(command: string): boolean {
    if (this.#listing && command === 'AUTH' && !this.#mayAuthenticate()) return false
    return super._isSupported(command)
  }

  #mayAuthenticate(): boolean {
    return this.secure || this._server.policy.allowsPlainAuth(this.remoteAddress)
  }

  /** smtp-server sees the values decoded, and lets pass what is no xtext. */
  #refusesDsn(command: Buffer, utf8: boolean): boolean {
    const problem = dsnProblem(command.toString(), utf8)
    if (problem !== undefined) this.#refuse(replies.badDsn(problem))
    return problem !== undefined
  }

  /** A mistake of ours costs this session and no other. */
  #fail(error: unknown): void {
    this._server.policy.onFault(this.session.id, error)
    this.#refuse(replies.sessionFailed())
  }

  #refuseCrowd(): void {
    const reply = replies.tooManyConnections()
    this._server.policy.onCrowd(this.session.id, reply)
    this.#refuse(reply)
  }

  /** smtp-server closes the connection behind a 421. */
  #refuse({ responseCode, message }: Reply): void {
    this.send(responseCode, message)
  }
}

/** smtp-server with SubmissionConnection as its connection. */
export class SubmissionServer extends SMTPServer {
  readonly policy: SubmissionPolicy
  /** Open connections by client address. */
  readonly clients = new Map<string, number>()
  readonly #deadlines: NodeJS.Timeout

  constructor(options: ConstructorParameters<typeof SMTPServer>[0], policy: SubmissionPolicy) {
    super(options)
    this.policy = policy
    this.#deadlines = setInterval(() => {
      const now = performance.now()
      for (const connection of this.connections as unknown as Set<SubmissionConnection>)
        connection.enforceDeadline(now)
    }, 1000).unref()
  }

  override connect(
    socket: { destroyed: boolean; once(event: 'close', listener: () => void): void },
    socketOptions: unknown,
  ): void {
    // Reset before it came here: its 'close' may be over, and then nothing would ever take it off the list
    if (socket.destroyed) return
    const connection = new SubmissionConnection(this, socket, socketOptions)
    this.connections.add(connection as never)
    const { remoteAddress } = connection
    this.clients.set(remoteAddress, (this.clients.get(remoteAddress) ?? 0) + 1)
    socket.once('close', () => {
      const left = (this.clients.get(remoteAddress) ?? 1) - 1
      if (left > 0) this.clients.set(remoteAddress, left)
      else this.clients.delete(remoteAddress)
    })
    connection.on('error', (error: Error) => this.emit('error', error))
    connection.init()
  }

  /** smtp-server asks this of each connection, and guards those whose header is awaited. */
  override _expectsProxyHeader(socket: Socket): boolean {
    return this.policy.isProxy(socket.remoteAddress ?? '')
  }

  /** smtp-server's own knows version 1 only. Before TLS, where that comes at once. */
  override _handleProxy(socket: Socket, done: Parameters<SMTPServer['_handleProxy']>[1]): void {
    if (!this._expectsProxyHeader(socket)) return super._handleProxy(socket, done)
    const proxy = socket.remoteAddress ?? ''
    receiveProxyHeader(socket, (missing, client) => {
      if (missing) {
        if (!missing.silent) this.policy.onHeaderMissing(proxy, missing.problem)
        return done(new Error(missing.problem))
      }
      const { address, port } = client ?? { address: unknownClient, port: 0 }
      done(null, { id: randomBytes(8).toString('hex'), remoteAddress: address, remotePort: port })
    })
  }

  override close(callback?: () => void): void {
    clearInterval(this.#deadlines)
    super.close(callback)
  }
}

/** Printable ASCII, or valid UTF-8 beyond it (SMTPUTF8): no NUL, no bare CR, no other control characters but TAB. */
function isCleanLine(line: Buffer): boolean {
  let ascii = true
  for (let i = 0; i < line.length; i++) {
    const byte = line[i]!
    if (byte < 0x20 ? byte !== 0x09 : byte === 0x7f) return false
    if (byte > 0x7f) ascii = false
  }
  return ascii || isUtf8(line)
}
