/** SIGKILL of inbound and of the API around the commit: what was acknowledged is there, what was not may be sent again. */

import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { FaultyLink } from '@postel/db/testing/faulty-link'
import type { AppProcess } from '../ledger/app-process.ts'
import { Harness, kept } from '../ledger/harness.ts'
import { rounds } from '../ledger/random.ts'
import { sendByRest } from '../ledger/rest-client.ts'
import { SmtpClient } from '../ledger/smtp-client.ts'
import { waitFor } from '../support/wait-for.ts'

let harness: Harness
let link: FaultyLink
let inbound: AppProcess
let api: AppProcess

beforeAll(async () => {
  harness = await Harness.start('submission killed')
  link = await FaultyLink.start(harness.cluster.url)
  await harness.inbound.end('SIGTERM')
  inbound = harness.makeApp('inbound', 'inbound by the link', { DATABASE_URL: link.url })
  api = harness.makeApp('api', 'api by the link', { DATABASE_URL: link.url })
  await api.start()
})

afterEach(() => link.mend())

afterAll(async () => {
  await harness.stop()
  await link.stop()
})

/** A session that has said everything up to DATA, with inbound's connections to Postgres open. */
async function atData(recipient: string): Promise<SmtpClient> {
  const client = await SmtpClient.open(harness.port)
  for (const command of ['MAIL FROM:<load@s.test>', `RCPT TO:<${recipient}>`, 'DATA'])
    expect((await client.ask(command)).code).toBeLessThan(400)
  harness.ledger.attempted.add(recipient)
  client.socket.write(`From: load@s.test\r\nSubject: ${recipient}\r\n\r\nbody\r\n`)
  return client
}

async function submit(recipient: string): Promise<number> {
  const client = await atData(recipient)
  const { code } = await client.ask('.')
  if (code === 250) harness.ledger.acked.add(recipient)
  client.close()
  return code
}

async function storedTimes(recipient: string): Promise<number> {
  const [row] = await harness.sql<{ count: number }[]>`
    select count(*)::int as count from postel.deliveries where recipient = ${recipient}`
  return row!.count
}

async function judged(): Promise<void> {
  await harness.drain()
  expect(await harness.judge()).toEqual(kept)
}

test.each<[string, (client: SmtpClient) => void]>([
  ['in the middle of DATA', () => {}],
  ['after the dot, before the insert', (client) => client.socket.write('.\r\n')],
])('inbound killed %s: nothing stored, nothing acknowledged (C-01)', async (step, finish) => {
  await inbound.start()
  expect(await submit(`first-${step.length}@d0.test`)).toBe(250)
  const recipient = `killed-${step.length}@d0.test`
  const client = await atData(recipient)
  link.swallow('postel-inbound')
  finish(client)
  await pause(200)
  await inbound.end('SIGKILL')
  await expect(client.reply()).rejects.toThrow('gone')
  await pause(200)
  expect(await storedTimes(recipient)).toBe(0)
  await judged()
})

test('inbound killed after the commit, before the 250: stored, and delivered once (C-02)', async () => {
  await inbound.start()
  const lost = link.loseReplyTo('submit_batch')
  const client = await atData('committed@d0.test')
  client.socket.write('.\r\n')
  await lost
  await inbound.end('SIGKILL')
  expect(await storedTimes('committed@d0.test')).toBe(1)
  await judged()
  expect(harness.sink.received.filter(({ recipient }) => recipient === 'committed@d0.test')).toHaveLength(1)
})

test('inbound killed after the 250, its notification never sent: delivered within seconds (C-03)', async () => {
  await inbound.start()
  link.swallow('postel-inbound-notify')
  expect(await submit('unannounced@d0.test')).toBe(250)
  await inbound.end('SIGKILL')
  const arrived = () => harness.sink.received.some(({ recipient }) => recipient === 'unannounced@d0.test')
  // The poll is each 2 s
  await waitFor(arrived, 4)
  await judged()
})

test('the API killed after its commit: the same request under its key is answered, and makes no second message (C-04)', async () => {
  const rest = { port: harness.apiPort, key: harness.apiKey, ledger: harness.ledger, idempotencyKey: 'one' }
  const lost = link.loseReplyTo('submit_once')
  const first = sendByRest('keyed@d0.test', rest)
  await lost
  await api.end('SIGKILL')
  await first
  await api.start()
  expect(await sendByRest('keyed@d0.test', rest)).toBe(200)
  expect(await storedTimes('keyed@d0.test')).toBe(1)
  await judged()
})

test(
  'the API killed at any moment under load: with keys, each message is there once however often it was sent (C-04)',
  async () => {
    let running = true
    let sent = 0
    const rest = { port: harness.apiPort, key: harness.apiKey, ledger: harness.ledger }
    const clients = Array.from({ length: 4 }, async () => {
      while (running || sent < 40) {
        const recipient = `rest-${sent++}@d0.test`
        while ((await sendByRest(recipient, { ...rest, idempotencyKey: recipient })) !== 200) await pause(20)
      }
    })
    for (let round = 0; round < 3 * rounds; round++) {
      await pause(harness.random.between(100, 1_000))
      await api.end('SIGKILL')
      await api.start()
    }
    running = false
    await Promise.all(clients)
    const [row] = await harness.sql<{ twice: number }[]>`
      select count(*)::int as twice from (
        select from postel.deliveries where recipient like 'rest-%' group by recipient having count(*) > 1
      ) as t`
    expect(row!.twice).toBe(0)
    await judged()
  },
  300_000 * rounds,
)
