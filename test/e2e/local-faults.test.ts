// What this machine cannot do is no message's fault: no try is counted, nobody is bounced, and it leaves once it can.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { AppProcess } from '../ledger/app-process.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

let system: System

afterEach(() => system.stop())

test('the source address is not there (EADDRNOTAVAIL): no try is counted, and it leaves when it is (D-36)', async () => {
  system = await startSystem({ inbound: false, outbound: false })
  const { postel, mx } = system
  await postel.sql`update postel.ip_addresses set address = '203.0.113.5'`
  await postel.startInbound()
  const wrong = await postel.startOutbound({ ...system.outboundEnv, OUTBOUND_ADDRESSES: '203.0.113.5' })
  const id = await postel.submit({ to: 'reader@dest.test', data: message() })
  await waitFor(() => system.dns.asked('MX dest.test') > 0)
  // A message behind it takes the same way
  const next = await postel.submit({ to: 'next@dest.test', data: message() })
  await waitFor(async () => {
    const [row] = await postel.sql`select count(*)::int as known from postel.destinations`
    return row!.known > 0
  })
  expect(await postel.deliveries(id)).toMatchObject([{ state: 'queued', attempts: 0 }])
  expect(await postel.deliveries(next)).toMatchObject([{ state: 'queued', attempts: 0 }])
  // People see why: it is tried again and again, with pauses
  await waitFor(async () => {
    const rows = await postel.sql<{ reason: string }[]>`select distinct reason from postel.ip_sites`
    return rows.map(({ reason }) => reason).join() === 'this machine could not open a connection'
  })
  await wrong.stop()

  await postel.sql`update postel.ip_addresses set address = '127.0.0.1'`
  await postel.startOutbound(system.outboundEnv)
  expect(await postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
  expect(await postel.finalStates(next)).toEqual(['next@dest.test delivered'])
  expect((await postel.deliveries(id)).map(({ attempts }) => attempts)).toEqual([1])
  expect(mx.messages.map(({ source }) => source)).toEqual(['127.0.0.1', '127.0.0.1'])
})

// What is open is read from /proc
const onLinux = process.platform === 'linux' ? test : test.skip

onLinux(
  'no descriptors are left (EMFILE): no try is counted, the process lives, and all of it leaves (D-36)',
  async () => {
    system = await startSystem({ inbound: false, outbound: false, worker: {} })
    const { postel, mx } = system
    const directory = mkdtempSync(join(tmpdir(), 'postel-local-'))
    const env = {
      DATABASE_URL: postel.databaseUrl,
      POSTEL_UNSAFE_DATABASE: 'true',
      POSTEL_SECRET: randomBytes(32).toString('base64'),
      DELIVERY_ALLOW_PRIVATE: 'true',
      OUTBOUND_ADDRESSES: '127.0.0.1',
      METRICS_PORT: '0',
      ...system.outboundEnv,
    }
    const openFilesMax = 48
    const outbound = new AppProcess('outbound', 'outbound', env, join(directory, 'log'), {
      openFilesMax,
    })
    let open = () => {}
    try {
      await postel.startInbound()
      // Every session takes a descriptor and keeps it
      mx.script = {
        greeting: { reply: '220 hi', until: new Promise<void>((resolve) => (open = resolve)) },
        dot: { reply: '250 ok', then: 'close' },
      }
      await outbound.start()
      const ids = await Promise.all(
        Array.from({ length: 40 }, () =>
          postel.submit({ to: `reader@${system.freshDomain()}`, data: message() }),
        ),
      )
      await waitFor(() => readdirSync(`/proc/${outbound.pid}/fd`).length >= openFilesMax - 1, 20)
      open()
      await waitFor(async () => {
        const [row] = await postel.sql`
        select count(*)::int as delivered from postel.deliveries
        where message_id = any (${ids}::uuid[]) and state = 'delivered'`
        return row!.delivered === ids.length
      }, 40)
      const [tries] = await postel.sql`
      select max(attempts)::int as most from postel.deliveries where message_id = any (${ids}::uuid[])`
      expect(tries).toEqual({ most: 1 })
      expect(outbound.surprises).toEqual([])
    } finally {
      open()
      await outbound.end('SIGTERM')
      rmSync(directory, { recursive: true })
    }
  },
)
