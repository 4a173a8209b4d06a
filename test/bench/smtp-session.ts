/** One SMTP session that is kept open and sends one message at a time: the least client that can be timed. */
import { connect, type Socket } from 'node:net'
import type { Cleanup } from './cleanup.ts'
import { recipient, sender } from './load.ts'

export type SmtpSession = {
  /** Sends a message (CRLF line ends, no line that is a dot); the two moments of performance.now() around its last octets. */
  send(message: string, to?: string): Promise<{ sentAt: number; repliedAt: number }>
}

const replyTimeoutMs = 60_000

/** Connects to 127.0.0.1:`port`, from that address, and says EHLO; the cleanup closes the connection. */
export async function openSession(
  cleanup: Cleanup,
  port: number,
  localAddress = '127.0.0.1',
): Promise<SmtpSession> {
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
  cleanup.defer(() => {
    socket.destroy()
  })
  const replies = new Replies(socket)
  const ask = async (command: string, code: number) => {
    socket.write(`${command}\r\n`)
    return expect(await replies.next(), code)
  }
  expect(await replies.next(), 220)
  await ask('EHLO client.test', 250)
  return {
    send: async (message, to = recipient) => {
      await ask(`MAIL FROM:<${sender}>`, 250)
      await ask(`RCPT TO:<${to}>`, 250)
      await ask('DATA', 354)
      const sentAt = performance.now()
      socket.write(`${message}\r\n.\r\n`)
      const reply = await replies.next()
      expect(reply, 250)
      return { sentAt, repliedAt: reply.at }
    },
  }
}

type Reply = { code: number; text: string; at: number }

/** The server's replies, one after the other. */
class Replies {
  #received = ''
  #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined
  #failure: Error | undefined

  constructor(socket: Socket) {
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      this.#received += chunk
      this.#deliver()
    })
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  next(): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the server does not answer')), replyTimeoutMs)
      const settle = <T>(done: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer)
          done(value)
        }
      }
      this.#waiting = { resolve: settle(resolve), reject: settle(reject) }
      if (this.#failure) this.#waiting.reject(this.#failure)
      else this.#deliver()
    })
  }

  #deliver(): void {
    const last = /^\d{3}(?: .*)?\r\n/m.exec(this.#received)
    if (!last || !this.#waiting) return
    const text = this.#received.slice(0, last.index + last[0].length)
    this.#received = this.#received.slice(text.length)
    const { resolve } = this.#waiting
    this.#waiting = undefined
    resolve({ code: Number(last[0].slice(0, 3)), text: text.trim(), at: performance.now() })
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#waiting?.reject(this.#failure)
    this.#waiting = undefined
  }
}

function expect(reply: Reply, code: number): Reply {
  if (reply.code !== code) throw new Error(`the server said: ${reply.text}`)
  return reply
}
