// An orderly stop loses nothing and doubles nothing: before the final dot a message goes back, behind it the reply is awaited.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { OutboundService } from '@postel/outbound/service'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor, waitUntilEqual } from '../support/wait-for.ts'

let system: System
const services: OutboundService[] = []

beforeAll(async () => {
  system = await startSystem({ outbound: false })
})

afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.stop()))
  system.mx.messages.length = 0
  system.mx.sessions.length = 0
})

afterAll(() => system.stop())

async function startOutbound(env: Record<string, string> = {}): Promise<OutboundService> {
  const service = await system.postel.startOutbound({ ...system.outboundEnv, ...env })
  services.push(service)
  return service
}

function gate(): { open: () => void; passed: Promise<void> } {
  let open = () => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, passed }
}

test.each(['greeting', 'ehlo', 'mail', 'rcpt', 'data'] as const)(
  'a remote that hangs at %s: the message stays queued, untried, and the next process delivers it once',
  async (step) => {
    const { postel, mx } = system
    mx.script = { [step]: '', extensions: [] }
    const service = await startOutbound()
    const id = await postel.submit({ to: 'reader@dest.test', data: message() })
    const verb = { greeting: undefined, ehlo: 'EHLO', mail: 'MAIL', rcpt: 'RCPT', data: 'DATA' }[step]
    await waitFor(() =>
      mx.sessions.some(({ commands }) => !verb || commands.some((line) => line.startsWith(verb))),
    )
    const startedAt = performance.now()
    await service.stop()
    expect(performance.now() - startedAt).toBeLessThan(20_000)
    expect((await postel.deliveries(id)).map(({ state, attempts }) => [state, attempts])).toEqual([
      ['queued', 0],
    ])

    mx.script = {}
    await startOutbound()
    expect(await postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
    expect(mx.messages).toHaveLength(1)
  },
)

test('a reply to the final dot that comes late is awaited', async () => {
  const { postel, mx } = system
  const reply = gate()
  mx.script = { dot: { reply: '250 2.0.0 ok', until: reply.passed } }
  const service = await startOutbound()
  const id = await postel.submit({ to: 'reader@dest.test', data: message() })
  await waitFor(() => mx.messages.length === 1)
  const stopped = service.stop()
  await waitFor(async () => {
    const [row] = await postel.sql`
      select count(*)::int as listeners from pg_stat_activity
      where application_name = 'postel-outbound-listen' and datname = current_database()`
    return row!.listeners === 0
  })
  expect(await postel.states(id)).toEqual(['reader@dest.test queued'])
  reply.open()
  await stopped
  expect(await postel.states(id)).toEqual(['reader@dest.test delivered'])
  await startOutbound()
  const [row] = await postel.sql`select count(*)::int as rows from postel.queue`
  expect([row!.rows, mx.messages.length]).toEqual([0, 1])
})

test('200 messages and three processes one after the other: each is delivered once', async () => {
  const { postel, mx } = system
  mx.script = { dot: { reply: '250 ok', afterMs: 5 } }
  const ids = await Promise.all(
    Array.from({ length: 200 }, (_, number) =>
      postel.submit({ to: `r${number}@dest.test`, data: message() }),
    ),
  )
  for (const wanted of [20, 60]) {
    const service = await startOutbound({ DELIVERY_CONNECTIONS_PER_SITE: '2' })
    await waitFor(() => mx.messages.length >= wanted)
    await service.stop()
  }
  await startOutbound()
  await waitUntilEqual(async () => {
    const [row] = await postel.sql`
      select count(*)::int as delivered from postel.deliveries
      where state = 'delivered' and message_id = any (${ids}::uuid[])`
    return row!.delivered as number
  }, 200)
  expect(mx.envelopes.sort()).toEqual(
    ids.map((_, number) => `sender@example.test → r${number}@dest.test`).sort(),
  )
})
