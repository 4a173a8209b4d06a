/** Postgres has no connection left, or ours are all busy: mail is put off at once, and all goes on when there is room again. */

import { expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { Harness, kept } from '../ledger/harness.ts'
import { SmtpClient } from '../ledger/smtp-client.ts'
import { startPostel } from '../support/postel.ts'
import { waitFor } from '../support/wait-for.ts'

test('a server without a free connection: 451 at once, nothing lost, and mail flows again by itself (C-24)', async () => {
  const harness = await Harness.start('connections used up', { postgres: { max_connections: 40 } })
  const crowd: Sql[] = []
  /** Takes every connection that is free; a superuser is refused only when there is none at all. */
  const fill = async () => {
    for (;;) {
      const guest = connect(harness.cluster.url, { name: 'crowd', max: 1 })
      crowd.push(guest)
      const taken = await guest`select 1`.then(
        () => true,
        (error) => error.code !== '53300',
      )
      if (!taken) return
    }
  }
  try {
    const load = harness.load()
    await harness.flows()
    await fill()
    const { acked, refusals } = harness.ledger
    const refused = () => [...refusals.values()].reduce((sum, count) => sum + count, 0)
    // Who is faster has the place that a connection leaves: again, until inbound has none and refuses all
    await waitFor(async () => {
      await harness.sql`
        select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name like 'postel-inbound%'`
      await fill()
      const [accepted, before] = [acked.size, refused()]
      await waitFor(() => refused() > before + 20 || acked.size > accepted)
      return acked.size === accepted
    })
    const took = await refusalSeconds(harness)
    expect(took).toBeLessThan(20)

    await Promise.all(crowd.splice(0).map((guest) => guest.end({ timeout: 1 })))
    await harness.flows(20, 30)
    await load.stop()
    await harness.drain()
    expect(await harness.judge()).toEqual(kept)
    expect([...refusals.keys()].filter((reply) => !/ 4\d\d$/.test(reply))).toEqual([])
  } finally {
    await Promise.all(crowd.map((guest) => guest.end({ timeout: 1 })))
    await harness.stop()
  }
})

/** How long a client waits to be told that it should come again. */
async function refusalSeconds(harness: Harness): Promise<number> {
  const client = await SmtpClient.open(harness.port)
  const began = performance.now()
  try {
    for (const command of ['MAIL FROM:<load@s.test>', 'RCPT TO:<refused@d0.test>', 'DATA'])
      if ((await client.ask(command)).code >= 400) return (performance.now() - began) / 1000
    harness.ledger.attempted.add('refused@d0.test')
    const reply = await client.ask('From: load@s.test\r\nSubject: x\r\n\r\nbody\r\n.')
    expect(reply.code).toBe(451)
    return (performance.now() - began) / 1000
  } finally {
    client.close()
  }
}

test('while all connections of the pool are busy, health still answers by one of its own (C-24)', async () => {
  const postel = await startPostel({ inbound: false })
  const blocker = connect(postel.databaseUrl, { name: 'blocker', max: 1 })
  try {
    const { ports } = await postel.startInbound()
    await blocker.begin(async (tx) => {
      await tx`lock table postel.api_keys in access exclusive mode`
      const sessions = await Promise.all(Array.from({ length: 6 }, () => postel.session('STARTTLS')))
      for (const [index, session] of sessions.entries())
        session.write(`AUTH PLAIN ${Buffer.from(`\0user\0secret${index}`).toString('base64')}\r\n`)
      await waitFor(async () => {
        const [row] = await postel.sql<{ waiting: number }[]>`
          select count(*)::int as waiting from pg_stat_activity
          where datname = current_database() and application_name = 'postel-inbound' and wait_event_type = 'Lock'`
        return row!.waiting === 4
      })
      const began = performance.now()
      const ready = await fetch(`http://127.0.0.1:${ports.health}/readyz`)
      expect([ready.status, performance.now() - began < 20_000]).toEqual([200, true])
    })
  } finally {
    await blocker.end({ timeout: 1 })
    await postel.stop()
  }
})
