/** The link to Postgres goes silent, or is cut at the worst moment: no false 250, no reply that never comes, nothing twice. */

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { inconsistencies } from '@postel/db/testing/factories'
import { FaultyLink } from '@postel/db/testing/faulty-link'
import { rounds } from '../ledger/random.ts'
import { message } from '../support/postel.ts'
import type { RawSmtp } from '../support/raw-smtp.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

let system: System
let link: FaultyLink

beforeAll(async () => {
  system = await startSystem({ inbound: false, outbound: false, retryScheduleSeconds: [1] })
  link = await FaultyLink.start(system.postel.databaseUrl)
  await system.postel.startInbound({ DATABASE_URL: link.url })
  await system.postel.startOutbound({ ...system.outboundEnv, DATABASE_URL: link.url })
  await system.postel.startWorker({ DATABASE_URL: link.url })
})

afterAll(async () => {
  await system.stop()
  await link.stop()
})

/** A session in which the content may be sent. */
async function atData(to: string): Promise<RawSmtp> {
  const client = await system.postel.session()
  await client.startData(to)
  return client
}

/** Sends the content and its final dot; gives the reply, however long it takes. */
async function dot(client: RawSmtp, ...headers: string[]): Promise<string> {
  client.write(`${message('Hello\r\n', ...headers)}.\r\n`)
  const { lines } = await client.reply(60)
  return lines.join('\n')
}

async function submit(to: string, ...headers: string[]): Promise<string> {
  const client = await atData(to)
  return dot(client, ...headers)
}

/** How many messages were stored for a recipient, and how many copies of it arrived. */
async function countsOf(recipient: string): Promise<{ stored: number; arrived: number }> {
  const [row] = await system.postel.sql<{ stored: number }[]>`
    select count(*)::int as stored from postel.deliveries where recipient = ${recipient}`
  const arrived = system.mx.messages.filter(({ to }) => to.includes(recipient)).length
  return { stored: row!.stored, arrived }
}

async function settles(recipient: string): Promise<string[]> {
  return waitFor(async () => {
    const rows = await system.postel.sql<{ state: string }[]>`
      select state from postel.deliveries where recipient = ${recipient}`
    return rows.every(({ state }) => state === 'delivered') && rows.map(({ state }) => state)
  }, 20)
}

// On connections that are open already it takes 25 s; db/src/silent-link.db.test.ts has the same with a shorter limit
const links = rounds > 1 ? ['new', 'open'] : ['new']

test.each(links)(
  'silence at the final dot on %s connections: 451 within 30 s, for all who wait, and no false 250 later (C-18)',
  async (connections) => {
    if (connections === 'open') expect(await submit('first@dest.test')).toMatch(/^250 /)
    const clients = await Promise.all(
      Array.from({ length: 6 }, (_, number) => atData(`${connections}${number}@dest.test`)),
    )
    // Bytes that are only late: what was refused may still be stored, and no reply to it may be taken for another's
    link.hold('postel-inbound')
    const began = performance.now()
    const refused = await Promise.all(
      clients.map(async (client) => {
        const reply = await dot(client)
        return { reply, seconds: (performance.now() - began) / 1000 }
      }),
    )
    for (const { reply, seconds } of refused) {
      expect(reply).toMatch(/^451 4\.3\.0 /)
      expect(seconds).toBeLessThan(30)
    }
    link.mend()

    const later = ['later0@dest.test', 'later1@dest.test', 'later2@dest.test']
    const replies = await Promise.all(later.map((recipient) => submit(recipient)))
    for (const [index, reply] of replies.entries()) {
      const id = /^250 .*queued as (\S+)/.exec(reply)![1]!
      expect((await system.postel.settled(id)).map(({ recipient }) => recipient)).toEqual([later[index]])
    }
    // Each of the refused is there once or not at all
    for (let number = 0; number < 6; number++)
      expect((await countsOf(`${connections}${number}@dest.test`)).stored).toBeLessThanOrEqual(1)
  },
)

test('the reply to COMMIT is lost: 451, and a client that names its message sends it again without a second copy (C-19)', async () => {
  const key = 'X-Postel-Idempotency-Key: cut-at-commit'
  const lost = link.loseReplyTo('submit_once')
  const client = await atData('once@dest.test')
  expect(await dot(client, key)).toMatch(/^451 4\.3\.0 /)
  await lost
  expect(await countsOf('once@dest.test')).toMatchObject({ stored: 1 })
  expect(await submit('once@dest.test', key)).toMatch(/^250 /)
  expect(await settles('once@dest.test')).toEqual(['delivered'])
  expect(await countsOf('once@dest.test')).toEqual({ stored: 1, arrived: 1 })
})

test('the reply to COMMIT is lost: 451 without such a name, too, and what was stored leaves once (C-19)', async () => {
  const lost = link.loseReplyTo('submit_batch')
  expect(await submit('unknown@dest.test')).toMatch(/^451 4\.3\.0 /)
  await lost
  expect(await settles('unknown@dest.test')).toEqual(['delivered'])
  expect(await countsOf('unknown@dest.test')).toEqual({ stored: 1, arrived: 1 })
})

test('the reply to the record of an outcome is lost: recorded once, sent once (C-19)', async () => {
  const lost = link.loseReplyTo('record_outcomes')
  const reply = await submit('recorded@dest.test')
  await lost
  expect(await settles('recorded@dest.test')).toEqual(['delivered'])
  const id = /queued as (\S+)/.exec(reply)![1]!
  // Those after it show that the recorder has gone on
  expect(await submit('next@dest.test')).toMatch(/^250 /)
  await settles('next@dest.test')
  expect((await system.postel.attempts(id)).map(({ outcome }) => outcome)).toEqual(['delivered'])
  expect(await countsOf('recorded@dest.test')).toEqual({ stored: 1, arrived: 1 })
  expect(await inconsistencies(system.postel.sql)).toEqual([])
})

test('the reply to a release is lost: released once, sent once (C-09)', async () => {
  system.mx.script = { rcpt: { 'again@dest.test': ['451 4.7.1 greylisted', '250 ok'] } }
  const lost = link.loseReplyTo('release_due', 'postel-worker')
  const reply = await submit('again@dest.test')
  await lost
  expect(await settles('again@dest.test')).toEqual(['delivered'])
  const id = /queued as (\S+)/.exec(reply)![1]!
  expect((await system.postel.attempts(id)).map(({ outcome }) => outcome)).toEqual(['deferred', 'delivered'])
  expect(await countsOf('again@dest.test')).toEqual({ stored: 1, arrived: 1 })
  expect(await inconsistencies(system.postel.sql)).toEqual([])
})
