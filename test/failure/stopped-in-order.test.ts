/** SIGTERM: whoever stops in order leaves nothing behind and doubles nothing. */

import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { Harness, kept } from '../ledger/harness.ts'
import { rounds } from '../ledger/random.ts'
import { SmtpClient } from '../ledger/smtp-client.ts'
import { waitFor } from '../support/wait-for.ts'

let harness: Harness

beforeAll(async () => {
  harness = await Harness.start('stopped in order')
})
afterAll(() => harness.stop())
afterEach(() => harness.stopLoads())

const inOrder = { code: 0, signal: null }

test(
  'outbound ends with 0 under load, and no message is sent twice (C-38)',
  async () => {
    const load = harness.load()
    await harness.flows()
    for (let round = 0; round < 3 * rounds; round++) {
      await pause(harness.random.between(0, 1_500))
      const began = performance.now()
      expect(await harness.outbound.end('SIGTERM')).toEqual(inOrder)
      expect(performance.now() - began).toBeLessThan(40_000)
      // Its holds were given back: the next one needs neither a supervisor nor the 30 s until they expire
      expect([...(await harness.sql`select ip_id from postel.ip_holders`)]).toEqual([])
      await harness.outbound.start()
      const delivered = harness.sink.received.length
      await waitFor(() => harness.sink.received.length > delivered, 15)
    }
    await load.stop()
    await harness.drain()
    expect(await harness.judge()).toEqual(kept)
  },
  300_000 * rounds,
)

test('inbound ends with 0: sessions get 421 between commands, a message on its way is still taken (C-38)', async () => {
  const idle = await SmtpClient.open(harness.port)
  const busy = await SmtpClient.open(harness.port)
  for (const command of ['MAIL FROM:<load@s.test>', 'RCPT TO:<busy@d0.test>', 'DATA']) await busy.ask(command)
  harness.ledger.attempted.add('busy@d0.test')
  const load = harness.load()
  await harness.flows()

  const ended = harness.inbound.end('SIGTERM')
  busy.socket.write('From: load@s.test\r\nSubject: x\r\n\r\n')
  await expect(async () => {
    for (;;) (await SmtpClient.open(harness.port)).close()
  }).rejects.toThrow()
  expect((await idle.ask('NOOP')).text).toMatch(/^421 4\./)
  busy.socket.write('body\r\n.\r\n')
  expect((await busy.reply()).code).toBe(250)
  harness.ledger.acked.add('busy@d0.test')
  expect((await busy.ask('NOOP')).text).toMatch(/^421 4\./)
  expect(await ended).toEqual(inOrder)
  await load.stop()

  await harness.inbound.start()
  await harness.drain()
  expect(await harness.judge()).toEqual(kept)
  expect([...harness.ledger.refusals.keys()].filter((reply) => !reply.endsWith(' 421'))).toEqual([])
})
