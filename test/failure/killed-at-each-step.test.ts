/** SIGKILL of outbound at each step of a delivery: nothing is lost, and only what had its final dot can come twice. */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { inconsistencies } from '@postel/db/testing/factories'
import { FaultyLink } from '@postel/db/testing/faulty-link'
import { AppProcess } from '../ledger/app-process.ts'
import type { MxScript } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

const directory = mkdtempSync(join(tmpdir(), 'postel-steps-'))
let system: System
let link: FaultyLink
let outbound: AppProcess

beforeAll(async () => {
  system = await startSystem({ outbound: false, worker: {}, retryScheduleSeconds: [1] })
  link = await FaultyLink.start(system.postel.databaseUrl)
  const env = {
    DATABASE_URL: link.url,
    POSTEL_UNSAFE_DATABASE: 'true',
    POSTEL_SECRET: randomBytes(32).toString('base64'),
    DELIVERY_ALLOW_PRIVATE: 'true',
    OUTBOUND_ADDRESSES: '127.0.0.1',
    OUTBOUND_POLL_SECONDS: '1',
    METRICS_PORT: '0',
    NODE_NAME: 'steps',
    ...system.outboundEnv,
  }
  outbound = new AppProcess('outbound', 'outbound', env, join(directory, 'log'))
})

afterEach(async () => {
  await outbound.end('SIGKILL')
  link.mend()
  await expireHolds()
  expect(await inconsistencies(system.postel.sql)).toEqual([])
  expect(outbound.surprises).toEqual([])
})

afterAll(async () => {
  await system.stop()
  await link.stop()
  rmSync(directory, { recursive: true })
})

async function expireHolds(): Promise<void> {
  await system.postel.sql`update postel.ip_holders set expires_at = now() - interval '1 s'`
}

/** Kills it, lets its holds run out, and starts the next one. */
async function replaceOutbound(): Promise<void> {
  await outbound.end('SIGKILL')
  link.mend()
  const [row] = await system.postel.sql`
    select max(extract(epoch from expires_at - now()))::float8 as seconds from postel.ip_holders`
  // Whoever comes next waits no longer than this
  expect(row!.seconds).toBeLessThanOrEqual(30)
  await expireHolds()
  system.mx.script = {}
  await outbound.start()
}

/** Waits until all have it; what waits for its next try is tried now. */
async function deliveredAll(id: string): Promise<void> {
  await waitFor(async () => {
    const states = await system.postel.states(id)
    if (states.some((state) => state.endsWith('deferred'))) await system.postel.retry(id)
    return states.every((state) => state.endsWith('delivered'))
  }, 15)
}

/** How many copies of its message each recipient has got. */
function copies(domain: string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { to } of system.mx.messages)
    for (const recipient of to)
      if (recipient.endsWith(domain))
        counts[recipient.split('@')[0]!] = (counts[recipient.split('@')[0]!] ?? 0) + 1
  return counts
}

function saw(verb: string): boolean {
  return system.mx.sessions.some(({ commands }) => commands.some((line) => line.startsWith(verb)))
}

/** Where it is killed, what the remote does then, and when that has come. */
const steps: [string, MxScript, () => boolean][] = [
  ['before the greeting (C-05)', { greeting: '' }, () => system.mx.sessions.length > 0],
  ['at MAIL (C-06)', { mail: '', extensions: [] }, () => saw('MAIL')],
  ['at RCPT (C-06)', { rcpt: '', extensions: [] }, () => saw('RCPT')],
  ['at DATA (C-06)', { data: '', extensions: [] }, () => saw('DATA')],
]

test.each(steps)('killed %s: sent once, by the next one', async (_step, script, reached) => {
  const { postel, mx } = system
  const domain = system.freshDomain()
  mx.sessions.length = 0
  mx.script = script
  await outbound.start()
  const id = await postel.submit({ to: `reader@${domain}`, data: message() })
  await waitFor(reached)
  await replaceOutbound()
  await deliveredAll(id)
  expect(copies(domain)).toEqual({ reader: 1 })
})

test('killed after the final dot, before its reply: at most one more copy, and the first try is in doubt (C-07)', async () => {
  const { postel, mx } = system
  const domain = system.freshDomain()
  mx.script = { dot: '' }
  await outbound.start()
  const id = await postel.submit({ to: `reader@${domain}`, data: message() })
  await waitFor(() => copies(domain).reader === 1)
  await inFlight()
  await replaceOutbound()
  await deliveredAll(id)
  expect(copies(domain)).toEqual({ reader: 2 })
  expect(
    (await postel.attempts(id)).map(({ outcome, inDoubt, category }) => [outcome, inDoubt, category]),
  ).toEqual([
    ['deferred', true, 'sender_died'],
    ['delivered', false, null],
  ])
})

test('killed after the 250, before it was recorded: at most one more copy (C-07)', async () => {
  const { postel } = system
  const domain = system.freshDomain()
  await outbound.start()
  const first = await postel.submit({ to: `first@${domain}`, data: message() })
  await postel.settled(first)
  link.swallow('postel-outbound-record')
  const id = await postel.submit({ to: `reader@${domain}`, data: message() })
  await waitFor(() => copies(domain).reader === 1)
  await inFlight()
  await replaceOutbound()
  await deliveredAll(id)
  expect(copies(domain)).toEqual({ first: 1, reader: 2 })
})

test('killed with 4 of 10 recipients delivered, in transactions of 2: only the others are sent again (C-08)', async () => {
  const { postel, mx } = system
  const domain = system.freshDomain()
  await postel.sql`
    insert into postel.destination_rules (name, origin, domains, recipients_per_transaction)
    values ('by-two', 'operator', ${[domain]}, 2)`
  const stalls = '250 2.1.0 ok'
  mx.script = { extensions: [], mail: [stalls, stalls, ''] }
  await outbound.start()
  const to = Array.from({ length: 10 }, (_, number) => `r${number}@${domain}`)
  const id = await postel.submit({ to, data: message() })
  await waitFor(() => Object.keys(copies(domain)).length === 4)
  await waitFor(
    async () => (await postel.states(id)).filter((state) => state.endsWith('delivered')).length === 4,
  )
  await replaceOutbound()
  await deliveredAll(id)
  expect(copies(domain)).toEqual(Object.fromEntries(to.map((_, number) => [`r${number}`, 1])))
})

/** Waits until the process has written down that a row is in flight. */
async function inFlight(): Promise<void> {
  await waitFor(async () => {
    const [row] = await system.postel
      .sql`select sum(cardinality(in_flight))::int as rows from postel.outbound_processes`
    return row!.rows > 0
  })
}
