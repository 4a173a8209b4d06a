// Clients that go away: no half message is ever stored, no socket is left over, and the server goes on.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { message, type Postel, startPostel } from '../support/postel.ts'
import { waitFor } from '../support/wait-for.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

/** A whole session; what each prefix leaves behind is what the tests are about. */
const steps = [
  'EHLO client.test\r\n',
  'MAIL FROM:<sender@example.test>\r\n',
  'RCPT TO:<reader@dest.test>\r\n',
  'DATA\r\n',
  'From: sender@example.test\r\n',
  '\r\nhalf a bo',
  'dy\r\n',
  '.\r',
]
const prefixes = steps.map((_, index) => steps.slice(0, index + 1).join(''))

async function noneConnected(): Promise<boolean> {
  const metrics = await (await fetch(`http://127.0.0.1:${postel.ports.health}/metrics`)).text()
  return /^postel_smtp_connections\{[^}]*\} 0$/m.test(metrics)
}

async function countOfReader(): Promise<number> {
  return (await postel.sql`select from postel.deliveries where recipient = 'reader@dest.test'`).length
}

let probes = 0

async function expectWorking(): Promise<void> {
  const to = `probe-${++probes}@dest.test`
  const client = await postel.session()
  await client.startData(to)
  client.write(`${message()}.\r\n`)
  await client.expect(250)
  client.destroy()
  const rows = await postel.sql`select from postel.deliveries where recipient = ${to}`
  expect(rows).toHaveLength(1)
}

test.each(prefixes.map((prefix, index) => [steps[index]!, prefix]))(
  'FIN after %j leaves nothing behind (P-42)',
  async (_step, prefix) => {
    const before = (await postel.stored()).length
    const client = await postel.connect()
    await client.expect(220)
    client.write(prefix)
    client.end()
    await client.closed()
    client.destroy()
    await waitFor(noneConnected)
    expect((await postel.stored()).length).toBe(before)
  },
)

test('500 resets at every phase: the server stays up and forgets them all (P-44)', async () => {
  const halves = await countOfReader()
  const cut = async (index: number) => {
    const client = await postel.connect()
    if (index % 3 !== 0) await client.expect(220)
    const prefix = prefixes[index % prefixes.length]!
    if (index % 2 === 0) client.write(prefix)
    else client.write(prefix.slice(0, 1 + ((index * 7919) % prefix.length)))
    if (index % 5 !== 0) await client.drained()
    client.reset()
  }
  for (let start = 0; start < 500; start += 50)
    await Promise.all(Array.from({ length: 50 }, (_, index) => cut(start + index)))
  await waitFor(noneConnected)
  await expectWorking()
  expect(await countOfReader()).toBe(halves)
})

test('FIN right behind the final dot: the message is stored whole or not at all (P-43)', async () => {
  const session = `${steps.slice(0, 4).join('')}${message('whole\r\n')}.\r\n`
  for (let round = 0; round < 20; round++) {
    const client = await postel.connect()
    await client.expect(220)
    client.write(session)
    client.end()
    await client.closed()
    client.destroy()
  }
  await waitFor(noneConnected)
  await expectWorking()
  const stored = (await postel.stored()).filter(({ recipients }) => recipients[0] === 'reader@dest.test')
  for (const { raw } of stored) expect(raw).toMatch(/\r\n\r\nwhole\r\n$/)
  expect(stored.length).toBeLessThanOrEqual(20)
})

test('resets during the TLS handshake and inside TLS', async () => {
  for (let round = 0; round < 20; round++) {
    const client = await postel.session()
    await client.say('STARTTLS', 220)
    client.write(Buffer.from('1603010200', 'hex'))
    client.reset()
    const inside = await postel.session('STARTTLS')
    await inside.startData()
    inside.write(message())
    inside.reset()
  }
  await waitFor(noneConnected)
  await expectWorking()
})
