/** An HTTP server that stands for a cloud's API: what it answers is made by its subclass, faults come from the test. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Asked = {
  method: string
  path: string
  query: URLSearchParams
  body: unknown
  headers: IncomingHttpHeaders
}
/** `cut`: the connection breaks within the body. */
export type Answered = { status: number; body?: unknown; headers?: Record<string, string>; cut?: true }

/**
 * What goes wrong with the next request whose `METHOD /path` matches.
 * - an answer: given instead, and nothing is done
 * - `reset`: the connection breaks before anything is done; `reset after`: it is done, and the answer is lost
 * - `silence`: it is done, and no answer comes
 * - `garbage`: it is done, and the answer is no JSON
 */
export type Trouble = { when: RegExp; does: Answered | 'reset' | 'reset after' | 'silence' | 'garbage' }

export abstract class CloudServer {
  /** `GET /servers`, in the order asked. */
  readonly asked: string[] = []
  /** Each is for one request, the first that matches. */
  troubles: Trouble[] = []
  readonly #server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url!, 'http://cloud.test')
    const text = Buffer.concat(chunks).toString()
    const asked = {
      method: request.method!,
      path: url.pathname,
      query: url.searchParams,
      body: text === '' ? undefined : JSON.parse(text),
      headers: request.headers,
    }
    const name = `${asked.method} ${asked.path}`
    this.asked.push(name)
    const index = this.troubles.findIndex(({ when }) => when.test(name))
    const trouble = index < 0 ? undefined : this.troubles.splice(index, 1)[0]!.does
    if (trouble === 'reset') return void request.socket.resetAndDestroy()
    if (typeof trouble === 'object') return write(response, trouble)
    const answer = this.authorized(request.headers.authorization) ? this.answer(asked) : this.unauthorized()
    if (trouble === 'reset after') request.socket.resetAndDestroy()
    else if (trouble === 'garbage') response.writeHead(200).end('<html>')
    else if (trouble !== 'silence') write(response, answer)
  })

  protected abstract answer(asked: Asked): Answered
  protected abstract authorized(authorization: string | undefined): boolean
  protected abstract unauthorized(): Answered

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  /** Without a slash at its end. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

function write(response: ServerResponse, { status, body, headers = {}, cut }: Answered): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  if (cut) return void response.write('{', () => response.destroy())
  response.end(body === undefined ? undefined : JSON.stringify(body))
}
