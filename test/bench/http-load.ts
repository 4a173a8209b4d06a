/**
 * A load of equal HTTP requests over connections that stay open, one request at a time on each. Written on sockets,
 * because an HTTP client costs about as much as the server that is measured.
 */
import { connect, type Socket } from 'node:net'
import type { LoadTimes } from './load.ts'

export type HttpLoad = {
  port: number
  connections: number
  requests: number
  /** Header lines and body, as they go over the wire. */
  request: Buffer
}

const stallMs = 60_000

/** A POST of JSON with an API key. */
export function postJson(port: number, path: string, apiKey: string, body: unknown): Buffer {
  const bytes = Buffer.from(JSON.stringify(body))
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    `Authorization: Bearer ${apiKey}`,
    'Content-Type: application/json',
    `Content-Length: ${bytes.length}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes])
}

/** A GET with an API key. */
function get({ port, apiKey }: { port: number; apiKey: string }, path: string): Buffer {
  return Buffer.from(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${apiKey}\r\n\r\n`,
  )
}

/** One GET after the other on one connection; what each took, to its last byte. Rejects as sendHttp does. */
export async function timeGets(
  server: { port: number; apiKey: string },
  requests: number,
  path: (index: number) => string,
  onReply: (index: number, ms: number, body: string) => void,
): Promise<void> {
  let index = -1
  let sentAt = 0
  const next = (body?: string) => {
    if (body !== undefined) onReply(index, performance.now() - sentAt, body)
    if (++index >= requests) return undefined
    const request = get(server, path(index))
    sentAt = performance.now()
    return request
  }
  await ask(server.port, next)
}

/** Sends the load. Rejects when a reply is not 200, a connection breaks, or nothing comes for a minute. */
export async function sendHttp({ port, connections, requests, request }: HttpLoad): Promise<LoadTimes> {
  const startedAt = performance.now()
  let left = requests
  const next = () => (left-- > 0 ? request : undefined)
  await Promise.all(Array.from({ length: Math.min(connections, requests) }, () => ask(port, next)))
  return { startedAt, endedAt: performance.now() }
}

/** Sends one request after the other, for as long as `next`, which gets the last reply's body, has one. */
function ask(port: number, next: (body?: string) => Buffer | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1')
    let seen = ''
    const send = (body?: string) => {
      const request = next(body)
      if (request) socket.write(request)
      else {
        resolve()
        socket.destroy()
      }
    }
    const fail = (error: Error) => {
      reject(error)
      socket.destroy()
    }
    socket.setNoDelay(true)
    socket.setTimeout(stallMs, () => fail(new Error('no reply for a minute')))
    socket.once('connect', () => send())
    socket.once('error', fail)
    socket.once('close', () => reject(new Error('the connection was closed')))
    socket.on('data', (bytes) => {
      seen += bytes.toString('latin1')
      const end = seen.indexOf('\r\n\r\n')
      if (end < 0) return
      const length = /\r\ncontent-length: (\d+)/i.exec(seen.slice(0, end + 2))?.[1]
      if (length === undefined || seen.length < end + 4 + Number(length)) return
      if (!seen.startsWith('HTTP/1.1 200 ')) return fail(new Error(`not served: ${seen.slice(0, 1000)}`))
      const body = seen.slice(end + 4)
      seen = ''
      try {
        send(body)
      } catch (error) {
        fail(error as Error)
      }
    })
  })
}
