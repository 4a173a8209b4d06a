// What remotes teach us of a site: to slow down, to stay away for a while; and what a person may stop.
import { afterEach, describe, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor, waitUntilEqual } from '../support/wait-for.ts'

let system: System

afterEach(() => system.stop())

async function submit(domain: string, name = 'x'): Promise<string> {
  return system.postel.submit({ to: `${name}@${domain}`, data: message() })
}

/** What people see of a domain's site, once there is something. */
async function learned(domain: string): Promise<Record<string, unknown>> {
  return waitFor(async () => {
    const [row] = await system.postel.sql`
      select s.state, s.factor, s.reason, s.until > now() as waits
      from postel.destinations d join postel.ip_sites s on s.site = d.site
      where d.domain = ${domain}`
    return row as Record<string, unknown> | undefined
  })
}

test('a request to slow down halves the rate, is shown with its reason, and mail goes on after a pause', async () => {
  // So long that the pause is still on when what it does is looked at
  const reason = '421 4.7.28 Unusual rate of mail, try again in 15 seconds'
  system = await startSystem({ mx: { mail: [reason, '250 ok'] } })
  const domain = system.freshDomain()
  const [first] = await system.postel.settled(await submit(domain))
  expect(first!.state).toBe('deferred')
  expect(await learned(domain)).toEqual({
    state: 'slowed',
    factor: 0.5,
    reason,
    waits: true,
  })
  const second = await submit(domain, 'y')
  const other = await submit(system.freshDomain())
  expect(await system.postel.finalStates(other)).toEqual([expect.stringMatching(/ delivered$/)])
  expect(await system.postel.states(second)).toEqual([`y@${domain} queued`])
  expect(await system.postel.finalStates(second, 20)).toEqual([`y@${domain} delivered`])
})

describe('repeated refusals of our IP', () => {
  const refusal = '550 5.7.1 Service unavailable; client host [127.0.0.1] blocked using zen.spamhaus.org'

  async function refused(): Promise<{ domain: string; outbound: { stop(): Promise<void> } }> {
    system = await startSystem({ outbound: false, mx: { dot: refusal } })
    const outbound = await system.postel.startOutbound(system.outboundEnv)
    const domain = system.freshDomain()
    for (let time = 0; time < 5; time++)
      expect((await system.postel.settled(await submit(domain)))[0]!.state).toBe('bounced')
    expect(await learned(domain)).toEqual({ state: 'suspended', factor: 1, reason: refusal, waits: true })
    return { domain, outbound }
  }

  test('suspend it there for a while, and nowhere else', async () => {
    const { domain } = await refused()
    const waits = await submit(domain, 'later')
    system.mx.script = {}
    const other = await submit(system.freshDomain())
    expect(await system.postel.finalStates(other)).toEqual([expect.stringMatching(/ delivered$/)])
    expect(await system.postel.states(waits)).toEqual([`later@${domain} queued`])
  })

  test('are known to the process that holds the IP next', async () => {
    const { domain, outbound } = await refused()
    await outbound.stop()
    system.mx.script = {}
    await system.postel.startOutbound(system.outboundEnv)
    const waits = await submit(domain, 'later')
    const other = await submit(system.freshDomain())
    expect(await system.postel.finalStates(other)).toEqual([expect.stringMatching(/ delivered$/)])
    expect(await system.postel.states(waits)).toEqual([`later@${domain} queued`])
  })
})

test('the policy of one domain is not that of the provider it shares with others', async () => {
  const zone = (host: string) => ({ MX: [[10, host] as const] })
  system = await startSystem({
    outbound: false,
    mx: { rcpt: { 'x@strict.test': '550 5.7.1 This organization does not take mail from outside' } },
    zones: {
      'strict.test': zone('mx.big.test'),
      'open.test': zone('mx.big.test'),
      'mx.big.test': { A: ['127.0.0.2'] },
    },
  })
  await system.postel.sql`insert into postel.destination_rules (name, mx) values ('big', '{big.test}')`
  await system.postel.startOutbound(system.outboundEnv)
  expect(await system.postel.finalStates(await submit('open.test'))).toEqual(['x@open.test delivered'])
  for (let time = 0; time < 12; time++)
    expect(await system.postel.finalStates(await submit('strict.test'))).toEqual(['x@strict.test bounced'])
  expect(await system.postel.finalStates(await submit('open.test'))).toEqual(['x@open.test delivered'])
})

test('a domain that lists a provider’s host behind its own is not that provider', async () => {
  system = await startSystem({
    outbound: false,
    zones: {
      'clever.test': {
        MX: [
          [0, 'mx.clever.test'],
          [50, 'mx.big.test'],
        ],
      },
      'mx.clever.test': { A: ['127.0.0.2'] },
      'mx.big.test': { A: ['127.0.0.2'] },
    },
  })
  await system.postel.sql`insert into postel.destination_rules (name, mx) values ('big', '{big.test}')`
  await system.postel.startOutbound(system.outboundEnv)
  expect(await system.postel.finalStates(await submit('clever.test'))).toEqual(['x@clever.test delivered'])
  const [row] = await waitFor(async () => {
    const rows = await system.postel.sql`select site from postel.destinations where domain = 'clever.test'`
    return rows.length > 0 && rows
  })
  expect(row!.site).toMatch(/^mx\.clever\.test\+/)
})

test('a site that cannot be reached is left alone for a while, and what waits for it is not tried in vain', async () => {
  system = await startSystem({
    zones: { 'dead.test': { MX: [[10, 'mx.dead.test']] }, 'mx.dead.test': { A: ['127.0.0.99'] } },
  })
  for (let time = 0; time < 3; time++)
    expect((await system.postel.settled(await submit('dead.test')))[0]!.state).toBe('deferred')
  expect(await learned('dead.test')).toMatchObject({ state: 'backing_off', waits: true })
  // Ten seconds may be over before a slow machine comes to look: then the next while is longer
  await waitFor(async () => {
    const waits = await submit('dead.test', 'later')
    expect(await system.postel.finalStates(await submit('dest.test'))).toEqual(['x@dest.test delivered'])
    return (await system.postel.attempts(waits)).length === 0
  })
})

describe('what a person suspended', () => {
  const suspend = (columns: { domain?: string; project_id?: string }) => {
    const { sql } = system.postel
    return sql`insert into postel.suspensions ${sql({ ...columns, reason: 'test' })}`
  }

  test.each([
    ['a domain', 'news.corp.test', { domain: 'news.corp.test' }],
    ['all below a domain', 'a.corp.test', { domain: '*.corp.test' }],
    ['a project', 'dest.test', undefined],
  ])('%s waits in the queue until it is resumed', async (_what, domain, columns) => {
    const zone = { MX: [[10, 'mx1.remote.test'] as const] }
    system = await startSystem({ outbound: false, zones: { [domain]: zone, 'fine.test': zone } })
    const { sql } = system.postel
    const [project] = await sql`select id from postel.projects`
    await suspend(columns ?? { project_id: project!.id })
    const ids = [await submit(domain), await submit(domain, 'y')]
    await system.postel.startOutbound(system.outboundEnv)
    if (columns)
      expect(await system.postel.finalStates(await submit('fine.test'))).toEqual(['x@fine.test delivered'])
    expect(await system.postel.states(ids[0]!)).toEqual([`x@${domain} queued`])
    await sql`delete from postel.suspensions`
    await sql`select pg_notify('postel_control', 'suspensions')`
    for (const id of ids) expect((await system.postel.settled(id))[0]!.state).toBe('delivered')
    await waitUntilEqual(() => system.mx.messages.length, columns ? 3 : 2)
  })
})
