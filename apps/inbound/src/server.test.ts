/** What a session leaves behind when a step of it fails by a mistake of ours. */
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { createInterface } from 'node:readline'
import { expect, test } from '@jest/globals'
import type { Principal } from '@postel/db/queries/credentials'
import { createLogger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import { Networks } from '@postel/runtime/networks'
import type { SpanEnd, Tracing } from '@postel/runtime/tracing'
import { AuthGuard } from './auth-guard.ts'
import { Authorizer } from './authorize.ts'
import { readConfig } from './config.ts'
import { InboundEvents } from './events.ts'
import { selfSignedCertificate } from './self-signed.ts'
import { createServer, type ServerContext } from './server.ts'

test('a fault while a message is taken is answered with 451, and ends its span as an error', async () => {
  const ended: (SpanEnd | undefined)[] = []
  const tracing: Tracing = {
    start: () => ({ traceparent: undefined, end: (options) => ended.push(options) }),
    stop: async () => {},
  }
  const principal = {
    get domains(): string[] {
      throw new Error('a fault of ours')
    },
  } as unknown as Principal
  const server = createServer(contextOf(principal, tracing), false, selfSignedCertificate('mx.test'))
  server.server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  const message = 'From: a@example.test\r\n\r\nx\r\n.'
  const codes = await talk(port, ['EHLO a.test', 'MAIL FROM:<>', 'RCPT TO:<b@dest.test>', 'DATA', message])
  expect(codes).toEqual([220, 250, 250, 250, 354, 451])
  expect(ended).toEqual([{ failed: '451' }])
  await new Promise<void>((resolve) => server.close(resolve))
})

function contextOf(principal: Principal, tracing: Tracing): ServerContext {
  const config = readConfig({
    DATABASE_URL: 'postgres://nowhere.test/postel',
    POSTEL_SECRET: Buffer.alloc(32).toString('base64'),
    POSTEL_HOSTNAME: 'mx.test',
    DELIVERY_MODE: 'sandbox',
  })
  const authorizer = new Authorizer({} as never)
  authorizer.authorize = async () => principal
  return {
    config,
    authorizer,
    proxies: new Networks([]),
    guard: new AuthGuard(),
    submitter: {} as never,
    links: {} as never,
    events: new InboundEvents(createLogger('inbound', 'silent'), createRegistry('inbound'), () => 0),
    tracing: () => tracing,
  }
}

/** The codes of the greeting and of the answer to each line. */
async function talk(port: number, lines: readonly string[]): Promise<number[]> {
  const socket = connect(port, '127.0.0.1')
  const codes: number[] = []
  for await (const reply of createInterface(socket)) {
    if (reply[3] === '-') continue
    codes.push(Number(reply.slice(0, 3)))
    const next = lines[codes.length - 1]
    if (next === undefined) break
    socket.write(`${next}\r\n`)
  }
  socket.destroy()
  return codes
}
