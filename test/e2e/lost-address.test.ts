// Mail leaves from its own source IP or not at all: an IP that is nowhere, and one that a node loses while it sends.
import { execFileSync } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor, waitUntilEqual } from '../support/wait-for.ts'

let system: System | undefined

afterEach(async () => {
  await system?.stop()
  system = undefined
})

/** Puts the first project into a pool of its own with these addresses. */
async function ownPool({ postel }: System, ...addresses: string[]): Promise<void> {
  await postel.sql`insert into postel.ip_pools (name) values ('own')`
  for (const address of addresses) await addToPool(postel, address)
  await postel.sql`update postel.projects set pool_id = (select id from postel.ip_pools where name = 'own')`
}

function addToPool(postel: System['postel'], address: string): Promise<unknown> {
  return postel.sql`
    insert into postel.ip_addresses (address, pool_id, state)
    select ${address}::inet, id, 'active' from postel.ip_pools where name = 'own'`
}

test('mail whose IP no node has waits and says why; it never leaves from an IP outside its pool (D-34)', async () => {
  system = await startSystem({
    inbound: false,
    outbound: { OUTBOUND_ADDRESSES: '127.0.0.1,127.0.0.12' },
  })
  const { postel, mx } = system
  await ownPool(system, '203.0.113.5')
  await postel.startInbound()
  const id = await postel.submit({ to: 'reader@dest.test', data: message() })
  // What others send from another pool shows that the queue was read meanwhile, twice
  await postel.addOrganization('other.test')
  for (const reader of ['one', 'two']) {
    const [other] = await postel.sql`
      select postel.send('sender@other.test', array[${`${reader}@dest.test`}], 'x', 'y') as id`
    expect(await postel.finalStates(other!.id)).toEqual([`${reader}@dest.test delivered`])
  }
  const [why] = await postel.sql`
    select state, host(source_ip) as ip, blocked_by from postel.explain(${id}::uuid)`
  expect(why).toEqual({
    state: 'queued',
    ip: '203.0.113.5',
    blocked_by: 'no outbound process holds 203.0.113.5',
  })
  expect([mx.messages.splice(0).map(({ source }) => source), await postel.attempts(id)]).toEqual([
    ['127.0.0.1', '127.0.0.1'],
    [],
  ])

  // Another IP of its pool comes up: after five minutes the mail moves, with the reason
  await addToPool(postel, '127.0.0.12')
  await postel.sql`select pg_notify('postel_control', 'ips')`
  await waitFor(async () => {
    const [row] = await postel.sql`
      select count(*)::int as held from postel.ip_holders h join postel.ip_addresses a on a.id = h.ip_id
      where a.address = '127.0.0.12'`
    return row!.held === 1
  })
  await postel.sql`update postel.queue set queued_at = queued_at - interval '6 minutes'`
  await postel.sql`select postel.requeue_orphans()`
  await waitFor(async () => {
    await postel.sql`select postel.release_due(), pg_notify('postel_outbound', '')`
    return String(await postel.states(id)) === 'reader@dest.test delivered'
  })
  expect(mx.messages.map(({ source }) => source)).toEqual(['127.0.0.12'])
  const [after] = await postel.sql`select host(source_ip) as ip, ip_reason from postel.explain(${id}::uuid)`
  expect(after!.ip).toBe('127.0.0.12')
  expect(after!.ip_reason).toContain('203.0.113.5')
})

const lost = '192.0.2.77'
const name =
  'a node loses an IP while it sends from it: in doubt, given up within 30 s, and the rest leaves from another (D-35)'
const mayChange = changeAddress('add') && changeAddress('del')

/** For root only. */
function changeAddress(verb: 'add' | 'del'): boolean {
  try {
    execFileSync('ip', ['address', verb, `${lost}/32`, 'dev', 'lo'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

if (!mayChange) test.skip(`${name} [needs root, to take an address from an interface]`, () => {})
else {
  beforeAll(() => void changeAddress('add'))
  afterAll(() => {
    const left = Object.values(networkInterfaces()).flat()
    if (left.some((entry) => entry?.address === lost)) changeAddress('del')
  })

  test(name, async () => {
    system = await startSystem({
      inbound: false,
      outbound: false,
      mx: { dot: '' },
      retryScheduleSeconds: [1],
    })
    const { postel, mx } = system
    await ownPool(system, lost)
    await postel.startInbound()
    // The addresses of the machine's own interfaces
    await postel.startOutbound({
      ...system.outboundEnv,
      OUTBOUND_ADDRESSES: '',
      DELIVERY_FINAL_DOT_SECONDS: '4',
    })
    const id = await postel.submit({ to: 'reader@dest.test', data: message() })
    await waitFor(() => mx.messages.length === 1)
    expect(mx.messages[0]!.source).toBe(lost)

    expect(changeAddress('del')).toBe(true)
    const began = performance.now()
    const held = async () => {
      const rows = await postel.sql`
          select host(a.address) as address from postel.ip_holders h join postel.ip_addresses a on a.id = h.ip_id
          where h.expires_at > now() order by 1`
      return rows.map(({ address }) => address as string)
    }
    await addToPool(postel, '127.0.0.1').catch(
      () => postel.sql`
        update postel.ip_addresses set pool_id = (select id from postel.ip_pools where name = 'own')
        where address = '127.0.0.1'`,
    )
    await waitUntilEqual(held, ['127.0.0.1'], 30)
    expect(performance.now() - began).toBeLessThan(60_000)

    expect((await postel.settled(id, 15)).map(({ state, attempts }) => [state, attempts])).toEqual([
      ['deferred', 1],
    ])
    expect((await postel.attempts(id)).map(({ inDoubt, ip }) => [inDoubt, ip])).toEqual([[true, lost]])

    mx.script = {}
    await postel.retry(id)
    const next = await postel.submit({ to: 'next@dest.test', data: message() })
    expect(await postel.finalStates(next)).toEqual(['next@dest.test delivered'])
    expect(await postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
    expect(mx.messages.map(({ source }) => source)).toEqual([lost, '127.0.0.1', '127.0.0.1'])
  })
}
