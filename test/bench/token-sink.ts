/** An SMTP server in this process that tells at what moment each message's final dot arrived. */
import { createServer, type Server, type Socket } from 'node:net'
import { freePort } from '@postel/db/embedded/address'
import type { Cleanup } from './cleanup.ts'

export type TokenSink = {
  port: number
  /** Resolves with performance.now() of the moment when the message with that token in its Subject was complete. */
  arrival(token: string, timeoutMs: number): Promise<number>
}

const capabilities = ['PIPELINING', 'SIZE 104857600', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES', 'DSN']
const endOfData = Buffer.from('\r\n.\r\n')

/** Starts it on a free port of 127.0.0.1; the cleanup stops it. */
export async function startTokenSink(cleanup: Cleanup): Promise<TokenSink> {
  const port = await freePort()
  const expected = new Map<string, (at: number) => void>()
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    serve(socket, (message, at) => {
      const token = /^Subject: (\S+)/im.exec(message.toString('latin1'))?.[1] ?? ''
      expected.get(token)?.(at)
    })
  })
  await listen(server, port)
  cleanup.defer(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    port,
    arrival: (token, timeoutMs) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          expected.delete(token)
          reject(new Error(`no message arrived within ${timeoutMs} ms`))
        }, timeoutMs)
        expected.set(token, (at) => {
          clearTimeout(timer)
          expected.delete(token)
          resolve(at)
        })
      }),
  }
}

function serve(socket: Socket, onMessage: (message: Buffer, at: number) => void): void {
  let pending: Buffer = Buffer.alloc(0)
  let inData = false
  socket.on('error', () => {})
  socket.write('220 sink.test ESMTP\r\n')
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length > 0 ? Buffer.concat([pending, chunk]) : chunk
    let replies = ''
    while (pending.length > 0) {
      const mark = inData ? endOfData : '\r\n'
      const end = pending.indexOf(mark)
      if (end < 0) break
      const part = pending.subarray(0, end)
      pending = pending.subarray(end + mark.length)
      if (inData) {
        inData = false
        onMessage(part, performance.now())
        replies += '250 2.0.0 Ok\r\n'
        continue
      }
      const verb = part.toString('latin1', 0, 4).toUpperCase()
      inData = verb === 'DATA'
      replies += replyTo(verb)
      if (verb === 'QUIT') socket.end(replies)
    }
    if (socket.writable && replies !== '') socket.write(replies)
  })
}

function replyTo(verb: string): string {
  if (verb === 'EHLO')
    return ['sink.test', ...capabilities]
      .map((line, index) => `250${index === capabilities.length ? ' ' : '-'}${line}\r\n`)
      .join('')
  if (verb === 'DATA') return '354 Go ahead\r\n'
  return verb === 'QUIT' ? '221 2.0.0 Bye\r\n' : '250 2.0.0 Ok\r\n'
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
}
