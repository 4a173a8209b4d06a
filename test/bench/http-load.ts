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

/** Sends the load. Rejects when a reply is not 200, a connection breaks, or nothing comes for a minute. */
export async function sendHttp({ port, connections, requests, request }: HttpLoad): Promise<LoadTimes> {
  const startedAt = performance.now()
  let left = requests
  const next = () => left-- > 0
  await Promise.all(Array.from({ length: Math.min(connections, requests) }, () => ask(port, request, next)))
  return { startedAt, endedAt: performance.now() }
}

/** Sends the request again and again, for as long as there is one left to send. */
function ask(port: number, request: Buffer, next: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1')
    let seen = ''
    const send = () => {
      if (next()) socket.write(request)
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
    socket.once('connect', send)
    socket.once('error', fail)
    socket.once('close', () => reject(new Error('the connection was closed')))
    socket.on('data', (bytes) => {
      seen += bytes.toString('latin1')
      const end = seen.indexOf('\r\n\r\n')
      if (end < 0) return
      const length = /\r\ncontent-length: (\d+)/i.exec(seen.slice(0, end + 2))?.[1]
      if (length === undefined || seen.length < end + 4 + Number(length)) return
      if (!seen.startsWith('HTTP/1.1 200 ')) return fail(new Error(`not served: ${seen.slice(0, 1000)}`))
      seen = ''
      send()
    })
  })
}
