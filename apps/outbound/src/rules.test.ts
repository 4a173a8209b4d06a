/** Which rule counts, and what its columns fall back on. */
import { describe, expect, test } from '@jest/globals'
import type { DestinationRuleRow } from '@postel/db/queries/policies'
import { DestinationRules } from './rules.ts'

function row(name: string, columns: Partial<DestinationRuleRow> = {}): DestinationRuleRow {
  return {
    name,
    origin: 'shipped',
    domains: [],
    mx: [],
    connectionsMax: null,
    messagesPerConnection: null,
    messagesPerMinute: null,
    recipientsPerTransaction: null,
    tls: null,
    smarthost: null,
    ...columns,
  }
}

const plain = (smarthost: string) => smarthost

describe('the rule of a destination', () => {
  const rules = new DestinationRules(
    [
      row('google', { domains: ['gmail.com'], mx: ['google.com'] }),
      row('microsoft', { mx: ['protection.outlook.com'] }),
      row('below', { domains: ['*.corp.test'] }),
    ],
    20,
    plain,
  )
  test.each([
    ['by its domain', rules.ofDomain('gmail.com')?.name, 'google'],
    ['not for what is below an exact domain', rules.ofDomain('x.gmail.com')?.name, undefined],
    ['for all below a wildcard', rules.ofDomain('a.b.corp.test')?.name, 'below'],
    ['not for the wildcard’s own name', rules.ofDomain('corp.test')?.name, undefined],
    ['by an exchanger below its host', rules.ofHosts(['aspmx.l.google.com'])?.name, 'google'],
    ['by the host itself', rules.ofHosts(['protection.outlook.com'])?.name, 'microsoft'],
    ['not by a host that only ends alike', rules.ofHosts(['notgoogle.com'])?.name, undefined],
    [
      'only where all exchangers are its',
      rules.ofHosts(['mx.other.test', 'aspmx.l.google.com'])?.name,
      undefined,
    ],
  ])('%s', (_name, found, expected) => expect(found).toBe(expected))
})

describe('columns', () => {
  test('an operator’s rule comes before the shipped one, column by column, and before default', () => {
    const rules = new DestinationRules(
      [
        row('google', { domains: ['gmail.com'], connectionsMax: 5, messagesPerMinute: 100 }),
        row('google', { origin: 'operator', domains: ['g.test'], connectionsMax: 2 }),
        row('default', { messagesPerConnection: 50, tls: 'enforced' }),
      ],
      20,
      plain,
    )
    const expected = {
      name: 'google',
      limits: {
        connectionsMax: 2,
        messagesPerConnection: 50,
        messagesPerMinute: 100,
        recipientsPerTransaction: 100,
      },
      tls: 'enforced',
      smarthost: undefined,
    }
    expect(rules.ofDomain('gmail.com')).toEqual(expected)
    expect(rules.ofDomain('g.test')).toEqual(expected)
    expect(rules.fallback.limits.connectionsMax).toBe(20)
  })

  test.each(['smtp://[', 'smtp://h:99999', 'smtp://u:p%@h', 'smtp://u:sealed.lost@h'])(
    'the mail of a rule whose smarthost is %s waits, with the limits of the rule, and the others are as they were',
    (smarthost) => {
      const bad: string[] = []
      const rules = new DestinationRules(
        [
          row('broken', { domains: ['broken.test'], smarthost, connectionsMax: 3 }),
          row('default', { smarthost }),
          row('good', { domains: ['good.test'], smarthost: 'smtps://us:sealed.p%40ss@relay.test' }),
        ],
        20,
        (text) => {
          if (text.includes('lost')) throw new Error('it cannot be opened')
          return text.replace('sealed.p', 'p')
        },
        (name) => bad.push(name),
      )
      expect(bad).toEqual(['default', 'broken'])
      expect(rules.fallback.smarthost).toEqual({ problem: expect.any(String) })
      expect(rules.ofDomain('broken.test')).toMatchObject({
        limits: { connectionsMax: 3 },
        smarthost: { problem: expect.any(String) },
      })
      expect(rules.ofDomain('good.test')?.smarthost).toEqual({
        host: 'relay.test',
        port: 465,
        implicitTls: true,
        auth: { user: 'us', pass: 'p@ss' },
      })
    },
  )
})
