// Behind a balancer (at 127.0.0.9) clients are who its PROXY header says, in every respect; from elsewhere it is believed nowhere.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { message, type Postel, startPostel } from '../support/postel.ts'
import { RawSmtp } from '../support/raw-smtp.ts'
import { waitFor } from '../support/wait-for.ts'

const balancer = '127.0.0.9'
const trustedClient = '192.0.2.7'
const stranger = '198.51.100.7'

let postel: Postel
/** Has not said a word since. */
let silent: { client: RawSmtp; since: number }
const clients: RawSmtp[] = []

beforeAll(async () => {
  postel = await startPostel({
    relayCidrs: ['192.0.2.0/24', '2001:db8::/32'],
    inbound: { SMTP_PROXY_PROTOCOL_FROM: balancer, SMTP_MAX_CONNECTIONS_PER_CLIENT: '20' },
  })
  // From before: the server may count before this process goes on
  silent = { since: performance.now(), client: await connect(undefined) }
})

afterAll(async () => {
  for (const client of clients) client.destroy()
  await postel.stop()
})

async function connect(
  header: string | Buffer | undefined,
  { port = postel.ports.submission, tls = false, from = balancer } = {},
): Promise<RawSmtp> {
  const client = await RawSmtp.connect(port, { tls, from, ...(header !== undefined && { header }) })
  clients.push(client)
  return client
}

const v1 = (address: string) =>
  `PROXY TCP${address.includes(':') ? 6 : 4} ${address} ${address.includes(':') ? '::1' : '10.0.0.1'} 4000 25\r\n`

function v2(address: string, more = ''): Buffer {
  const addresses = Buffer.from([...address.split('.').map(Number), 10, 0, 0, 1, 0x0f, 0xa0, 0, 25])
  const payload = Buffer.concat([addresses, Buffer.from(more, 'hex')])
  return Buffer.concat([head(0x21, 0x11, payload.length), payload])
}

function head(command: number, family: number, bytes: number): Buffer {
  return Buffer.from([
    ...Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
    command,
    family,
    bytes >> 8,
    bytes & 255,
  ])
}

const local = head(0x20, 0, 0)

async function send(client: RawSmtp): Promise<number> {
  await client.expect(220)
  await client.ehlo()
  return client.code('MAIL FROM:<sender@example.test>')
}

test.each([
  ['v1', v1(trustedClient), 250],
  ['v1, IPv6', v1('2001:db8::5'), 250],
  ['v1, IPv4 as IPv6', v1('::ffff:192.0.2.9'), 250],
  ['v2', v2(trustedClient), 250],
  ['v2 with TLVs', v2(trustedClient, '0300040badcafe040001ff'), 250],
  ['v1 of a stranger', v1(stranger), 530],
  ['v2 of a stranger', v2(stranger), 530],
  // Nobody it can be: not even the balancer, were that in a trusted network
  ['v1 UNKNOWN', 'PROXY UNKNOWN\r\n', 530],
  ['v2 LOCAL', local, 530],
])('a trusted network is asked of the address in the header: %s', async (_name, header, code) => {
  for (const [tls, port] of [
    [false, postel.ports.submission],
    [true, postel.ports.submissions],
  ] as const) {
    const client = await connect(header, { tls, port })
    expect(await send(client)).toBe(code)
    client.destroy()
  }
})

test('a header in pieces, with the first command behind it: not an octet is lost', async () => {
  for (const header of [Buffer.from(v1(trustedClient)), v2(trustedClient, '03000100')]) {
    const client = await connect(undefined)
    await client.writeBytewise(header.subarray(0, -1))
    client.write(
      Buffer.concat([
        header.subarray(-1),
        Buffer.from('EHLO client.test\r\nMAIL FROM:<sender@example.test>\r\n'),
      ]),
    )
    await client.expect(220)
    await client.expect(250)
    await client.expect(250)
    client.destroy()
  }
})

test('whole mail passes', async () => {
  const client = await connect(v2(trustedClient))
  expect(await send(client)).toBe(250)
  await client.say('RCPT TO:<reader@dest.test>', 250)
  await client.say('DATA', 354)
  client.write(`${message()}.\r\n`)
  await client.expect(/^250 .*queued as/)
})

test('a stranger who talks before the greeting is found out behind a balancer too', async () => {
  const client = await connect(Buffer.concat([v2(stranger), Buffer.from('EHLO early.test\r\n')]))
  await client.expect(421)
})

test('connections are counted for each client, not for the balancer', async () => {
  const open = async (address: string) => {
    const client = await connect(v1(address))
    return { client, code: (await client.reply()).code }
  }
  const twenty = await Promise.all(Array.from({ length: 20 }, () => open('203.0.113.1')))
  const [other, oneMore] = [await open('203.0.113.2'), await open('203.0.113.1')]
  expect(twenty.filter(({ code }) => code === 220)).toHaveLength(20)
  expect([other.code, oneMore.code]).toEqual([220, 421])
  for (const { client } of [...twenty, other, oneMore]) client.destroy()
})

test('wrong passwords lock out the client that tried them, not the others behind the balancer', async () => {
  const session = async (address: string) => {
    const client = await connect(v1(address), { tls: true, port: postel.ports.submissions })
    await client.expect(220)
    await client.ehlo()
    return client
  }
  const tries = await Promise.all(Array.from({ length: 10 }, () => session(stranger)))
  // Their answers are held back, the longer the more there are
  for (const client of tries) void client.authPlain('wrong').catch(() => {})
  const last = await session(stranger)
  await waitFor(async () => (await last.authPlain('wrong').catch(() => 421)) === 421)
  const other = await session('203.0.113.99')
  expect(await other.authPlain('wrong')).toBe(535)
  for (const client of [...tries, last, other]) client.destroy()
})

describe('what is no header', () => {
  test.each([
    ['a command', 'EHLO client.test\r\n'],
    ['v1 with a name', 'PROXY TCP4 evil.test 10.0.0.1 1 25\r\n'],
    ['v1 that does not end', `PROXY UNKNOWN ${'x'.repeat(2_000)}`],
    ['v2 too long', head(0x21, 0x11, 60_000)],
    ['v2 of another kind', head(0x2f, 0xff, 0)],
    ['noise', Buffer.from(Array.from({ length: 500 }, (_, index) => (index * 167) & 255))],
  ])('closes the connection without a word: %s', async (_name, octets) => {
    const client = await connect(octets)
    await client.closed()
    expect(client.unread).toBe('')
  })

  test('nothing at all, for five seconds', async () => {
    await silent.client.closed()
    expect(performance.now() - silent.since).toBeGreaterThan(4_900)
  })

  test('a check that connects and leaves, and one that resets, hurt nobody', async () => {
    for (let round = 0; round < 20; round++) {
      const client = await connect(round % 2 ? undefined : 'PROXY TC')
      if (round % 3) client.reset()
      else client.end()
    }
    expect(await send(await connect(v1(trustedClient)))).toBe(250)
  })
})

test('from elsewhere a header is a bad command, and gives nobody trust', async () => {
  for (const header of [v1(trustedClient), v2(trustedClient)]) {
    const client = await connect(undefined, { from: '127.0.0.1' })
    await client.expect(220)
    client.write(header)
    await client.expect(/^500 /)
    client.destroy()
  }
  const client = await connect(undefined, { from: '127.0.0.1' })
  await client.expect(220)
  await client.say(v1(trustedClient).trim(), /^500 5\.5\./)
  await client.ehlo()
  await client.say('MAIL FROM:<sender@example.test>', 530)
})
