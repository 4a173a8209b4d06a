import { expect, test } from '@jest/globals'
import type { Outcome, RecipientOutcome } from '@postel/db/queries/outbound'
import { replyCategories } from '@postel/mail/reply-categories'
import { createRegistry } from '@postel/runtime/metrics'
import { DeliveryTallies } from './delivery-tallies.ts'

function outcome(recipients: Partial<RecipientOutcome>[], changes: Partial<Outcome> = {}): Outcome {
  const base = {
    number: 0,
    outcome: 'delivered',
    code: 250,
    enhancedCode: null,
    category: null,
    reply: '',
  } as const
  return {
    id: 1,
    ipId: 1,
    messageId: 'm',
    startedAt: 0,
    durationMs: 20,
    mxHost: null,
    mxAddress: null,
    tls: null,
    inDoubt: false,
    retryAfter: null,
    recipients: recipients.map((recipient) => ({ ...base, ...recipient })),
    ...changes,
  }
}

function make() {
  const registry = createRegistry('outbound')
  const tallies = new DeliveryTallies(registry)
  tallies.knowIp(1, '192.0.2.1')
  const lines = async () =>
    (await registry.metrics())
      .split('\n')
      .filter((line) => /^postel_deliver.*[^0]$/.test(line) && !/_seconds/.test(line))
  return { registry, tallies, lines }
}

test('each recipient counts once in each metric', async () => {
  const { tallies, lines } = make()
  const bounced = { outcome: 'bounced', category: 'spam' } as const
  tallies.count(outcome([{}, {}, bounced], { inDoubt: true }), { projectId: 'p', attempts: 4 }, 'google')
  expect((await lines()).map((line) => line.replace(',app="outbound"', ''))).toEqual([
    'postel_deliveries_total{outcome="delivered",category="none"} 2',
    'postel_deliveries_total{outcome="bounced",category="spam"} 1',
    'postel_deliveries_by_ip_total{ip="192.0.2.1",outcome="delivered",category="none"} 2',
    'postel_deliveries_by_ip_total{ip="192.0.2.1",outcome="bounced",category="spam"} 1',
    'postel_deliveries_by_provider_total{provider="google",outcome="delivered"} 2',
    'postel_deliveries_by_provider_total{provider="google",outcome="bounced"} 1',
    'postel_deliveries_by_project_total{project="p",outcome="delivered"} 2',
    'postel_deliveries_by_project_total{project="p",outcome="bounced"} 1',
    'postel_delivery_tries_total{attempt="4-6",outcome="delivered"} 2',
    'postel_delivery_tries_total{attempt="4-6",outcome="bounced"} 1',
    'postel_deliveries_in_doubt_total{app="outbound"} 1',
  ])
})

test.each([
  [0, '1'],
  [2, '3'],
  [3, '4-6'],
  [5, '4-6'],
  [6, '7-10'],
  [9, '7-10'],
  [10, '11+'],
  [500, '11+'],
])('after %p tries the next is counted as %p', async (attempts, label) => {
  const { tallies, lines } = make()
  tallies.count(outcome([{}]), { projectId: 'p', attempts }, 'x')
  expect((await lines()).filter((line) => line.startsWith('postel_delivery_tries_total'))).toEqual([
    `postel_delivery_tries_total{attempt="${label}",outcome="delivered",app="outbound"} 1`,
  ])
})

test('10,000 projects at 1,000 providers from 100 IPs, with every category, stay a bounded number of series', async () => {
  const { registry, tallies } = make()
  const categories = Object.keys(replyCategories)
  let recipients = 0
  for (let ipId = 0; ipId < 100; ipId++) tallies.knowIp(ipId, `198.51.100.${ipId}`)
  for (let n = 0; n < 30_000; n++) {
    const category = categories[n % categories.length]!
    const result = n % 2 ? 'deferred' : 'bounced'
    tallies.count(
      outcome([{}, { outcome: result, category }], { ipId: n % 100 }),
      { projectId: `project-${n % 10_000}`, attempts: n % 20 },
      `mx${n % 1_000}.example`,
    )
    recipients += 2
  }
  const series = (await registry.metrics()).split('\n').filter((line) => /^postel_/.test(line))
  const of = (name: string) => series.filter((line) => line.startsWith(`${name}{`))
  const sum = (lines: string[]) => lines.reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
  expect(of('postel_deliveries_by_project_total')).toHaveLength(51 * 3)
  expect(of('postel_deliveries_by_provider_total')).toHaveLength(31 * 3)
  expect(of('postel_deliveries_total').length).toBeLessThanOrEqual(1 + 2 * categories.length)
  expect(of('postel_deliveries_by_ip_total').length).toBeLessThanOrEqual(100 * (1 + 2 * categories.length))
  // Nothing is lost among the others
  for (const name of ['by_project', 'by_provider', 'by_ip'])
    expect(sum(of(`postel_deliveries_${name}_total`))).toBe(recipients)
})
