/** An HTTP server that webhooks are told at: keeps what comes, and answers as it is told to. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Told = { path: string; headers: IncomingHttpHeaders; body: string; at: number }

export type Answer = (told: Told, response: ServerResponse) => void

export class WebhookEndpoint {
  readonly told: Told[] = []
  answer: Answer
  readonly #server

  private constructor(answer: Answer) {
    this.answer = answer
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks).toString()
      const told = { path: request.url!, headers: request.headers, body, at: performance.now() }
      this.told.push(told)
      this.answer(told, response)
    })
  }

  /** By default whatever is told is taken. */
  static async start(
    answer: Answer = (_, response) => response.writeHead(204).end(),
  ): Promise<WebhookEndpoint> {
    const endpoint = new WebhookEndpoint(answer)
    endpoint.#server.listen(0, '127.0.0.1')
    await once(endpoint.#server, 'listening')
    return endpoint
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`
  }

  at(path: string): Told[] {
    return this.told.filter((told) => told.path === path)
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
