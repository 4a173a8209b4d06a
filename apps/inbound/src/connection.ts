/**
 * smtp-server's connection with what a submission server wants differently: no wait before the greeting for known
 * clients, AUTH offered only where it may be used, strict command lines, our own enhanced codes, and a deadline for
 * each command. It leans on a few of the library's internals, so the version is pinned and each point has a test.
 */
import { isUtf8 } from 'node:buffer'
import { SMTPServer } from 'smtp-server'
import { SMTPConnection } from 'smtp-server/lib/smtp-connection'
import { replies } from './replies.ts'

/** What this file uses of the library's connection. */
type Internals = {
  secure: boolean
  remoteAddress: string
  session: { id: string }
  name: string
  _server: SubmissionServer
  _closing: boolean
  _parser: { _dataMode: boolean } | false
  _socket: { destroyed: boolean }
  _setListeners(then: () => void): void
  _isSupported(command: string): boolean
  _onCommand(command: Buffer, done: () => void): void
  connectionReady(): void
  close(): void
  send(code: number, data?: string | string[], context?: string | false): void
  handler_EHLO(command: Buffer, done: () => void): void
  handler_AUTH(command: Buffer, done: () => void): void
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

export type SubmissionPolicy = {
  /** Greet at once: the client is on loopback or in a trusted network. */
  isKnownClient: (address: string) => boolean
  /** AUTH without TLS is allowed for this client (loopback in sandbox). */
  allowsPlainAuth: (address: string) => boolean
  /** Connections that one untrusted address may have. */
  maxConnectionsPerClient: number
  /** A command must arrive whole within this time. */
  commandSeconds: number
}

export class SubmissionConnection extends Base {
  #listing = false
  #commandAt = performance.now()

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
    if (this._parser && this._parser._dataMode) this.#commandAt = now
    if (now - this.#commandAt < this._server.policy.commandSeconds * 1000 || this._closing) return
    const { message } = replies.tooSlow()
    this.send(421, message)
  }

  override _onCommand(command: Buffer, done: () => void): void {
    this.#commandAt = performance.now()
    if (isCleanLine(command)) return super._onCommand(command, done)
    const { responseCode, message } = replies.badCommand()
    this.send(responseCode, message)
    setImmediate(done)
  }

  override send(code: number, data?: string | string[], context?: string | false): void {
    super.send(code, data, typeof data === 'string' && ownEnhancedCode.test(data) ? false : context)
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
    if (this.#mayAuthenticate()) return super.handler_AUTH(command, done)
    const { responseCode, message } = replies.tlsRequired()
    this.send(responseCode, message)
    done()
  }

  override _isSupported(command: string): boolean {
    if (this.#listing && command === 'AUTH' && !this.#mayAuthenticate()) return false
    return super._isSupported(command)
  }

  #mayAuthenticate(): boolean {
    return this.secure || this._server.policy.allowsPlainAuth(this.remoteAddress)
  }

  #refuseCrowd(): void {
    const { responseCode, message } = replies.tooManyConnections()
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
      for (const connection of this.connections as unknown as Set<SubmissionConnection>) connection.enforceDeadline(now)
    }, 1000).unref()
  }

  override connect(socket: { once(event: 'close', listener: () => void): void }, socketOptions: unknown): void {
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
