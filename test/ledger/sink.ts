/** The remote end: an SMTP server that writes down every recipient whose message was complete, before it answers. */
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from './random.ts'

/** One recipient of one message whose final dot has come. */
export type Received = {
  recipient: string
  /** The source address that it came from. */
  from: string
  at: number
  /** The 250 was handed to the system. */
  replied: boolean
}

const extensions = ['PIPELINING', 'SIZE 104857600', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES']
const endOfData = Buffer.from('\r\n.\r\n')
const replyMsMax = 40

/**
 * Takes all mail, but for addresses that begin with `bounce` (550) and with `later` (451 the first time). The reply to the
 * final dot comes after a random moment, so that whatever ends the sender has a window to hit.
 */
export class Sink {
  readonly received: Received[] = []
  readonly #server: Server
  readonly #random: Random
  readonly #sockets = new Set<Socket>()
  readonly #putOff = new Set<string>()

  private constructor(random: Random, server: Server) {
    this.#random = random
    this.#server = server.on('connection', (socket) => {
      socket.setNoDelay()
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      this.#serve(socket)
    })
  }

  /** On loopback, or on a server that listens already. */
  static async start(random: Random, listening?: Server): Promise<Sink> {
    const sink = new Sink(random, listening ?? createServer())
    if (listening) return sink
    await new Promise<void>((resolve, reject) => {
      sink.#server.once('error', reject)
      sink.#server.listen(0, '127.0.0.1', resolve)
    })
    return sink
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** The sessions that are open now. */
  sessions(): Socket[] {
    return [...this.#sockets]
  }

  stop(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #serve(socket: Socket): void {
    let pending: Buffer = Buffer.alloc(0)
    let recipients: string[] = []
    let inData = false
    let busy = false
    const pump = async () => {
      if (busy) return
      busy = true
      for (;;) {
        const mark = inData ? endOfData : '\r\n'
        const end = pending.indexOf(mark)
        if (end < 0) break
        const line = inData ? '' : pending.toString('latin1', 0, end)
        pending = pending.subarray(end + mark.length)
        if (inData) {
          inData = false
          await this.#accept(socket, recipients)
          recipients = []
          continue
        }
        const verb = line.slice(0, 4).toUpperCase()
        if (verb === 'MAIL' || verb === 'RSET') recipients = []
        if (verb === 'RCPT') {
          const recipient = /<([^>]*)>/.exec(line)![1]!
          const refusal = this.#refusal(recipient)
          if (!refusal) recipients.push(recipient)
          socket.write(refusal ?? '250 2.1.5 ok\r\n')
        } else if (verb === 'DATA') {
          inData = recipients.length > 0
          socket.write(inData ? '354 go ahead\r\n' : '554 5.5.1 no valid recipients\r\n')
        } else if (verb === 'QUIT') {
          socket.end('221 2.0.0 bye\r\n')
        } else if (verb === 'EHLO') {
          const lines = ['sink.test', ...extensions]
          socket.write(
            lines.map((text, index) => `250${index === extensions.length ? ' ' : '-'}${text}\r\n`).join(''),
          )
        } else {
          socket.write('250 2.0.0 ok\r\n')
        }
      }
      busy = false
    }
    socket.on('error', () => {})
    socket.write('220 sink.test ESMTP\r\n')
    socket.on('data', (chunk: Buffer) => {
      pending = pending.length > 0 ? Buffer.concat([pending, chunk]) : chunk
      void pump()
    })
  }

  async #accept(socket: Socket, recipients: readonly string[]): Promise<void> {
    const from = socket.remoteAddress ?? ''
    const entries = recipients.map((recipient) => ({
      recipient,
      from,
      at: performance.now(),
      replied: false,
    }))
    this.received.push(...entries)
    await pause(this.#random.between(0, replyMsMax))
    if (!socket.writable) return
    socket.write('250 2.0.0 taken\r\n')
    for (const entry of entries) entry.replied = true
  }

  #refusal(recipient: string): string | undefined {
    if (recipient.startsWith('bounce')) return '550 5.1.1 nobody here\r\n'
    if (!recipient.startsWith('later') || this.#putOff.has(recipient)) return undefined
    this.#putOff.add(recipient)
    return '451 4.7.1 greylisted\r\n'
  }
}
