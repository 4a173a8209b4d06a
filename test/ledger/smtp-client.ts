/** The least SMTP client: one command, one reply, and an error when the connection is gone. */
import { connect, type Socket } from 'node:net'

export type Reply = { code: number; text: string }

const replySeconds = 60

export class SmtpClient {
  readonly socket: Socket
  #received = ''
  #closed = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      this.#received += chunk
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  /** Connects to loopback, reads the greeting and says EHLO. Rejects when either fails. */
  static async open(port: number): Promise<SmtpClient> {
    const client = new SmtpClient(connect({ port, host: '127.0.0.1', noDelay: true }))
    const greeting = await client.reply()
    if (greeting.code !== 220) throw new Error(greeting.text)
    const hello = await client.ask('EHLO client.test')
    if (hello.code !== 250) throw new Error(hello.text)
    return client
  }

  ask(command: string): Promise<Reply> {
    this.socket.write(`${command}\r\n`)
    return this.reply()
  }

  /** The next reply. Rejects when the connection ends before it, or after a minute. */
  async reply(): Promise<Reply> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#wake()
    }, replySeconds * 1000)
    try {
      for (;;) {
        const last = /^(\d{3})(?: .*)?\r\n/m.exec(this.#received)
        if (last) {
          const text = this.#received.slice(0, last.index + last[0].length)
          this.#received = this.#received.slice(text.length)
          return { code: Number(last[1]), text: text.trim() }
        }
        if (late) throw new Error('the server does not answer')
        if (this.#closed) throw new Error('the connection is gone')
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.socket.destroy()
  }
}
