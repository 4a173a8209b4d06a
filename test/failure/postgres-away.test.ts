/** Postgres is stopped, or so slow that it does not answer: no false 250, no refusal for ever, and later delivery. */

import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { Harness, kept } from '../ledger/harness.ts'
import { SmtpClient } from '../ledger/smtp-client.ts'
import { waitFor } from '../support/wait-for.ts'

let harness: Harness

beforeAll(async () => {
  harness = await Harness.start('postgres away')
})
afterAll(() => harness.stop())
afterEach(() => harness.stopLoads())

/** Submits one message and gives the reply to its final dot. */
async function submit(recipient: string): Promise<string> {
  const client = await SmtpClient.open(harness.port)
  try {
    for (const command of ['MAIL FROM:<load@s.test>', `RCPT TO:<${recipient}>`]) {
      const reply = await client.ask(command)
      if (reply.code !== 250) return reply.text
    }
    await client.ask('DATA')
    harness.ledger.attempted.add(recipient)
    const reply = await client.ask(`From: load@s.test\r\nSubject: x\r\n\r\nbody\r\n.`)
    if (reply.code === 250) harness.ledger.acked.add(recipient)
    return reply.text.slice(0, 9)
  } finally {
    client.close()
  }
}

test('while Postgres is stopped a message is put off at its dot, and mail flows again by itself (C-15)', async () => {
  expect(await submit('before@d0.test')).toBe('250 2.6.0')
  const load = harness.load()
  await harness.flows()
  await harness.cluster.stop('fast')
  const { refusals } = harness.ledger
  await waitFor(() => refusals.get('dot 451'))
  expect(await submit('meanwhile@d0.test')).toMatch(/^451 4\.3\.0/)
  // Not before: a 250 from before the stop may still have been on its way
  const acked = harness.ledger.acked.size
  await pause(harness.random.between(1_000, 3_000))
  expect(harness.ledger.acked.size).toBe(acked)
  await harness.cluster.start()
  await harness.flows(20, 60)
  await load.stop()
  await harness.drain()
  expect(await harness.judge()).toEqual(kept)
  expect([...refusals.keys()].filter((reply) => !/ 4\d\d$/.test(reply))).toEqual([])
})

test('a table that is locked away puts mail off in time, and holds up nothing afterwards (C-25)', async () => {
  await harness.sql.begin(async (tx) => {
    await tx`lock table postel.messages in access exclusive mode`
    const began = performance.now()
    expect(await submit('locked@d0.test')).toMatch(/^451 4\.3\.0/)
    // lock_timeout is 10 s; without it the statement would end after 20
    expect(performance.now() - began).toBeLessThan(18_000)
  })
  expect(await submit('after@d0.test')).toBe('250 2.6.0')
  await harness.drain()
  expect(await harness.judge()).toEqual(kept)
})
