/** SMTP servers in this process that tell at what moment each message's final dot arrived. */
import { createServer, type Socket } from 'node:net'
import { freePort } from '@postel/db/embedded/address'
import type { Cleanup, Undo } from './cleanup.ts'

export type TokenSink = {
  port: number
  /** Resolves with performance.now() of the moment when the message with that token in its Subject was complete. */
  arrival(token: string, timeoutMs: number): Promise<number>
}

const capabilities = ['PIPELINING', 'SIZE 104857600', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES', 'DSN']
const accepted = '250 2.0.0 Ok\r\n'
const endOfData = Buffer.from('\r\n.\r\n')

/** Called with the first word of the message's Subject. */
export type OnToken = (token: string, at: number) => void

/** Starts it on a free port of 127.0.0.1; the cleanup stops it. */
export async function startTokenSink(cleanup: Cleanup): Promise<TokenSink> {
  const port = await freePort()
  const expected = new Map<string, (at: number) => void>()
  await listenForTokens(cleanup, { host: '127.0.0.1', port }, (token, at) => expected.get(token)?.(at))
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

/** Listens at that place and answers each final dot after that time; the function returned ends it at once. */
export async function listenForTokens(
  cleanup: Cleanup,
  place: { host: string; port: number },
  onToken: OnToken,
  answerAfterMs = 0,
): Promise<Undo> {
  return listen(cleanup, place, (socket) =>
    serve(socket, answerAfterMs, (message, at) => {
      const token = /^Subject: (\S+)/im.exec(message.toString('latin1'))?.[1] ?? ''
      onToken(token, at)
    }),
  )
}

/** Takes connections at that place and hands them over; the function returned closes them all and listens no more. */
export async function listen(
  cleanup: Cleanup,
  place: { host: string; port: number },
  onConnection: (socket: Socket) => void,
): Promise<Undo> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    onConnection(socket)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(place.port, place.host, resolve)
  })
  return cleanup.defer(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
}

function serve(
  socket: Socket,
  answerAfterMs: number,
  onMessage: (message: Buffer, at: number) => void,
): void {
  let pending: Buffer = Buffer.alloc(0)
  let inData = false
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
        if (answerAfterMs === 0) replies += accepted
        else setTimeout(() => socket.writable && socket.write(accepted), answerAfterMs)
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
  return verb === 'QUIT' ? '221 2.0.0 Bye\r\n' : accepted
}
