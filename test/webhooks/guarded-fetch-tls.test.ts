/** Requests to URLs of tenants over TLS: only to whom the certificate says that they go. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { GuardedFetchError, guardedFetch } from '@postel/runtime/guarded-fetch'
import { FakeAuthority } from '../support/certificates.ts'

const authority = new FakeAuthority()
const system = getCACertificates('default')
let servers: Server[] = []
let asked: { name: string | false; host: string | undefined }[] = []

beforeAll(() => setDefaultCACertificates([authority.cert]))
afterAll(() => setDefaultCACertificates(system))
afterEach(() => {
  for (const server of servers) server.close()
  servers = []
  asked = []
})

async function listen(certificate: { key: string; cert: string }): Promise<number> {
  const server = createServer(certificate, (request, response) => {
    const { servername } = request.socket as unknown as { servername: string | false }
    asked.push({ name: servername, host: request.headers.host })
    response.writeHead(204).end()
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function ask(host: string, port: number): Promise<number | string> {
  try {
    const reply = await guardedFetch(`https://${host}:${port}/`, {
      allowPrivate: true,
      timeoutMs: 20_000,
      maxBodyBytes: 100,
      lookup: async () => ['127.0.0.1'],
    })
    return reply.status
  } catch (error) {
    if (!(error instanceof GuardedFetchError)) throw error
    return `${error.fault}: ${error.message}`
  }
}

test('the name of TLS and of the request is that of the URL, whatever address it led to', async () => {
  const port = await listen(authority.issue('hooks.test'))
  expect(await ask('hooks.test', port)).toBe(204)
  expect(asked).toEqual([{ name: 'hooks.test', host: `hooks.test:${port}` }])
})

test.each([
  ['for another name', () => authority.issue('other.test'), 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['that has expired', () => authority.issue('hooks.test', { expired: true }), 'CERT_HAS_EXPIRED'],
  [
    'of an authority that nobody trusts',
    () => new FakeAuthority('Other').issue('hooks.test'),
    'SELF_SIGNED_CERT_IN_CHAIN',
  ],
])('nothing is sent to a server with a certificate %s', async (_, certificate, code) => {
  const port = await listen(certificate())
  expect(await ask('hooks.test', port)).toBe(`tls: The TLS connection failed: ${code}.`)
  expect(asked).toEqual([])
})
