// However a session ends, what the remote has said before counts, and nothing that it said of another message.
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { SmtpClient } from '@postel/outbound/smtp-client'
import { TlsContexts } from '@postel/outbound/tls-contexts'
import { noPolicy } from '@postel/outbound/tls-policy'
import { FakeMx } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { waitUntilEqual } from '../support/wait-for.ts'

const { opportunistic } = new TlsContexts()

let mx: FakeMx

beforeEach(async () => {
  mx = await FakeMx.start()
})

afterEach(() => mx.stop())

function open({ address, port } = { address: mx.address, port: mx.port }): Promise<SmtpClient> {
  return SmtpClient.open({
    address,
    port,
    host: 'fake.test',
    sniName: 'fake.test',
    localAddress: undefined,
    ehloName: 'mail.postel.test',
    tls: 'starttls',
    strict: false,
    secureContext: opportunistic,
    connectSeconds: 30,
    commandSeconds: 30,
    finalDotSeconds: 30,
    terms: { policy: noPolicy('dest.test'), floor: 'opportunistic' },
  })
}

async function send(client: SmtpClient, to: string[], raw = message()) {
  const parts = [Buffer.from(raw)]
  const envelope = {
    from: 'sender@example.test',
    to,
    sizeBytes: parts[0]!.length,
    eightBit: false,
    smtpUtf8: false,
    requireTls: false,
    dsn: undefined,
  }
  const { rejected, error, inDoubt } = await client.send(envelope, parts, () => true)
  return {
    rejected: rejected.map(({ recipient, error: { response } }) => `${recipient}: ${response}`),
    error: error?.response ?? error?.message,
    inDoubt,
  }
}

test.each(['close', 'reset'] as const)(
  'a %s right behind the replies to many commands: all are read',
  async (then) => {
    const to = Array.from({ length: 6 }, (_, number) => `r${number}@dest.test`)
    mx.script = {
      rcpt: { [to[5]!]: '550 5.1.1 nobody' },
      data: { reply: '421 4.7.0 too much at once', then },
    }
    expect(await send(await open(), to)).toEqual({
      rejected: [`${to[5]}: 550 5.1.1 nobody`],
      error: '421 4.7.0 too much at once',
      inDoubt: false,
    })
  },
)

test('a 421 that nobody waited for is what the next message hears', async () => {
  mx.script = { ehlo: { reply: '250 fake.test\r\n421 4.7.0 too many sessions', then: 'close' } }
  const client = await open()
  await waitUntilEqual(() => mx.open, 0)
  expect(await send(client, ['reader@dest.test'])).toMatchObject({ error: '421 4.7.0 too many sessions' })
})

test('a 421 to STARTTLS is what the message hears', async () => {
  mx.script = { starttls: { refuses: '421 4.7.0 too many sessions' } }
  expect(await send(await open(), ['reader@dest.test'])).toMatchObject({
    error: '421 4.7.0 too many sessions',
  })
})

test('a remote that refuses a message before all of it has come is quoted', async () => {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    const replies = [
      '250 fake.test\r\n',
      '250 ok\r\n',
      '250 ok\r\n',
      '354 go on\r\n',
      '552 5.3.4 too big\r\n',
    ]
    socket.on('error', () => {}).write('220 fake.test\r\n')
    socket.on('data', () => {
      socket.write(replies.shift()!)
      if (replies.length === 0) socket.pause()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const client = await open({ address: '127.0.0.1', port })
  const large = message(`${'x'.repeat(70)}\r\n`.repeat(300_000))
  expect(await send(client, ['reader@dest.test'], large)).toEqual({
    rejected: [],
    error: 'The remote spoke without being asked: 552 5.3.4 too big\r\n',
    inDoubt: false,
  })
  for (const socket of sockets) socket.destroy()
  server.close()
})

test('the replies of the last message say nothing of one that the session was gone for', async () => {
  mx.script = { rcpt: { 'b@dest.test': '550 5.1.1 nobody' } }
  const client = await open()
  expect(await send(client, ['a@dest.test', 'b@dest.test'])).toMatchObject({
    rejected: ['b@dest.test: 550 5.1.1 nobody'],
    error: undefined,
  })
  mx.dropSessions()
  await waitUntilEqual(() => client.usable, false)
  expect(await send(client, ['b@dest.test'])).toMatchObject({
    rejected: [],
    error: expect.stringContaining('already'),
  })
})
