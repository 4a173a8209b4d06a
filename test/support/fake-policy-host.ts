/** A web server that has the MTA-STS policies of domains (RFC 8461), and remembers who asked. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { FakeAuthority } from './certificates.ts'

/** What a domain's policy file is answered with; a text is 200 text/plain. */
export type PolicyAnswer =
  | string
  | { status?: number; type?: string; body?: string; location?: string; afterMs?: number }

export class FakePolicyHost {
  /** By domain; who is not here gets 404. */
  policies: Record<string, PolicyAnswer> = {}
  /** Domains, in the order asked. */
  readonly asked: string[] = []
  /** Domains whose host shows another's certificate. */
  readonly wrongCertificate = new Set<string>()
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    server.on('request', (request, response) => {
      const domain = (request.headers.host ?? '').replace(/^mta-sts\./, '').replace(/:\d+$/, '')
      this.asked.push(domain)
      const answer = this.policies[domain]
      const {
        status = 200,
        type = 'text/plain; charset=utf-8',
        body = '',
        location,
        afterMs = 0,
      } = typeof answer === 'string' ? { body: answer } : (answer ?? { status: 404 })
      const wanted = request.url === '/.well-known/mta-sts.txt'
      setTimeout(() => {
        response.writeHead(wanted ? status : 400, { 'content-type': type, ...(location && { location }) })
        response.end(body)
      }, afterMs).unref()
    })
  }

  static async start(authority: FakeAuthority, address = '127.0.0.1'): Promise<FakePolicyHost> {
    const contexts = new Map<string, SecureContext>()
    let host: FakePolicyHost | undefined
    const server = createServer({
      SNICallback: (name, done) => {
        const shown = host?.wrongCertificate.has(name.replace(/^mta-sts\./, '')) ? 'other.test' : name
        let context = contexts.get(shown)
        if (!context) {
          const { key, cert } = authority.issue(shown)
          context = createSecureContext({ key, cert })
          contexts.set(shown, context)
        }
        done(null, context)
      },
    })
    server.listen(0, address)
    await once(server, 'listening')
    host = new FakePolicyHost(server)
    return host
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** A policy file. */
export function policyFile(mode: string, mx: readonly string[], maxAge = 86_400): string {
  return [
    'version: STSv1',
    `mode: ${mode}`,
    ...mx.map((host) => `mx: ${host}`),
    `max_age: ${maxAge}`,
    '',
  ].join('\r\n')
}
