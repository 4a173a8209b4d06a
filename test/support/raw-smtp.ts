/** An SMTP client that does exactly what a test says, line by line and byte by byte. */
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'

export type Reply = {
  code: number
  /** All lines as sent, without their line ends. */
  lines: string[]
}

const replySeconds = 40

export class RawSmtp {
  #socket: Socket
  readonly #plain: Socket
  #received = ''
  #ended = false
  #changed: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#plain = socket
    this.#listen(socket)
  }

  /**
   * Connects and does nothing else: the greeting is still to be read. `from` is an address of 127.0.0.0/8; `header` is what
   * travels before everything else, TLS included, in a segment with what comes next.
   */
  static async connect(
    port: number,
    options: { tls?: boolean; from?: string; header?: string | Buffer } = {},
  ): Promise<RawSmtp> {
    const { from, header } = options
    const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true, ...(from && { localAddress: from }) })
    await once(socket, 'connect')
    const client = new RawSmtp(socket)
    if (header !== undefined) {
      socket.cork()
      socket.write(Buffer.from(header as string, 'latin1'))
      setImmediate(() => socket.uncork())
    }
    if (options.tls) await client.#secure()
    return client
  }

  /** The next reply, whole. Rejects when there is none in time, or the server has closed. */
  async reply(seconds = replySeconds): Promise<Reply> {
    const found = await this.#until(() => this.#takeReply(), seconds)
    if (found) return found
    throw new Error(
      `${this.#ended ? 'closed' : `no reply within ${seconds} s`}, got: ${JSON.stringify(this.#received)}`,
    )
  }

  /** The next reply, which must match; gives its lines as one text. */
  async expect(pattern: RegExp | number, after = ''): Promise<string> {
    const { lines } = await this.reply()
    const text = lines.join('\n')
    const matches = typeof pattern === 'number' ? text.startsWith(String(pattern)) : pattern.test(text)
    if (!matches) throw new Error(`expected ${pattern}${after && ` to ${after}`}, got: ${text}`)
    return text
  }

  /** Sends a line and expects the reply to match. */
  say(line: string, pattern: RegExp | number): Promise<string> {
    this.write(`${line}\r\n`)
    return this.expect(pattern, JSON.stringify(line.slice(0, 80)))
  }

  /** Sends a line; gives the reply's code. */
  async code(line: string): Promise<number> {
    this.write(`${line}\r\n`)
    return (await this.reply()).code
  }

  /** Sends these bytes in one write; a string is latin1. */
  write(bytes: string | Buffer): void {
    this.#socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Sends a segment for each byte. */
  async writeBytewise(bytes: string | Buffer): Promise<void> {
    for (const byte of Buffer.from(bytes as string, 'latin1')) {
      this.#socket.write(Buffer.of(byte))
      await new Promise(setImmediate)
    }
  }

  /** Resolves when what was written has left, in a segment of its own, and the server has had a turn to read it. */
  async drained(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.write('', () => resolve()))
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  }

  /** Says EHLO; gives the extensions. */
  async ehlo(name = 'client.test'): Promise<string[]> {
    const text = await this.say(`EHLO ${name}`, 250)
    return text
      .split('\n')
      .slice(1)
      .map((line) => line.slice(4))
  }

  /** Says STARTTLS and shakes hands; `behind` travels in the same segment as the command. */
  async starttls(behind = ''): Promise<void> {
    this.write(`STARTTLS\r\n${behind}`)
    await this.expect(220, 'STARTTLS')
    await this.#secure()
  }

  /** MAIL, RCPT and DATA, up to 354. */
  async startData(to = 'reader@dest.test', from = 'sender@example.test'): Promise<void> {
    await this.say(`MAIL FROM:<${from}>`, 250)
    await this.say(`RCPT TO:<${to}>`, 250)
    await this.say('DATA', 354)
  }

  authPlain(password: string, user = 'user'): Promise<number> {
    return this.code(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`)
  }

  /** The certificate that the server showed, in TLS. */
  get peerFingerprint(): string {
    return (this.#socket as TLSSocket).getPeerCertificate().fingerprint256
  }

  /** What was received and not read yet. */
  get unread(): string {
    return this.#received
  }

  /** Resolves when the server has closed the connection. */
  async closed(seconds = replySeconds): Promise<void> {
    const ended = await this.#until(() => this.#ended || undefined, seconds)
    if (!ended) throw new Error(`not closed within ${seconds} s, got: ${JSON.stringify(this.#received)}`)
  }

  /** Ends our side (FIN). */
  end(): void {
    this.#socket.end()
  }

  /** Ends at once with RST. */
  reset(): void {
    this.#plain.resetAndDestroy()
  }

  /** Goes away without a word. */
  destroy(): void {
    this.#socket.destroy()
    this.#plain.destroy()
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1')
      this.#changed()
    })
    const end = () => {
      this.#ended = true
      this.#changed()
    }
    socket.on('end', end)
    socket.on('close', end)
    socket.on('error', () => {})
  }

  async #secure(): Promise<void> {
    const plain = this.#socket
    plain.removeAllListeners('data')
    plain.removeAllListeners('end')
    plain.removeAllListeners('close')
    const secure = connectTls({ socket: plain, rejectUnauthorized: false })
    await once(secure, 'secureConnect')
    this.#socket = secure
    this.#received = ''
    this.#listen(secure)
  }

  #takeReply(): Reply | undefined {
    const match = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\n/.exec(this.#received)
    if (!match) return undefined
    this.#received = this.#received.slice(match[0].length)
    const lines = match[0]
      .split('\n')
      .slice(0, -1)
      .map((line) => line.replace(/\r$/, ''))
    return { code: Number(match[0].slice(0, 3)), lines }
  }

  /** What `look` gives once it is defined; undefined when time runs out or the connection has ended without it. */
  #until<T>(look: () => T | undefined, seconds: number): Promise<T | undefined> {
    return new Promise((resolve) => {
      const finish = (result: T | undefined) => {
        clearTimeout(timer)
        this.#changed = () => {}
        resolve(result)
      }
      const timer = setTimeout(() => finish(undefined), seconds * 1000)
      this.#changed = () => {
        const result = look()
        if (result !== undefined || this.#ended) finish(result)
      }
      this.#changed()
    })
  }
}
