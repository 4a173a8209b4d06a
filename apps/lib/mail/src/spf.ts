/** SPF (RFC 7208) as far as its owner needs it: whether a record lets these addresses send, and if not, what to change. */
import { BlockList, isIP, isIPv4 } from 'node:net'

/** What SPF asks DNS. Each rejects when nobody can tell, and answers with nothing when there is no such record. */
export type SpfLookups = {
  txt(name: string): Promise<readonly string[]>
  mx(name: string): Promise<readonly { priority: number; exchange: string }[]>
  addresses(name: string): Promise<readonly string[]>
}

export type SpfResult = 'pass' | 'fail' | 'softfail' | 'neutral' | 'none'

/** The record cannot be evaluated by anybody: `message` is a sentence for its owner. */
export class SpfError extends Error {
  override name = 'SpfError'
}

/** RFC 7208 §4.6.4 */
const lookupsMax = 10
const results = { '+': 'pass', '-': 'fail', '~': 'softfail', '?': 'neutral' } as const

export function isSpf(text: string): boolean {
  return /^v=spf1( |$)/i.test(text)
}

/**
 * What the record says of a client with this address. Mechanisms with macros and `ptr` match nothing here, as they do not name
 * addresses. Rejects with SpfError, or as the look-ups do.
 */
export async function evaluateSpf(
  record: string,
  domain: string,
  address: string,
  lookups: SpfLookups,
): Promise<SpfResult> {
  return evaluate(record, domain, address, lookups, { left: lookupsMax })
}

async function evaluate(
  record: string,
  domain: string,
  address: string,
  lookups: SpfLookups,
  budget: { left: number },
): Promise<SpfResult> {
  let redirect: string | undefined
  for (const term of record.trim().split(/ +/).slice(1)) {
    const modifier = /^([a-z][a-z0-9._-]*)=(.*)$/i.exec(term)
    if (modifier) {
      if (modifier[1]!.toLowerCase() === 'redirect') redirect = modifier[2]!
      continue
    }
    const [, sign = '', name = '', rest = ''] = /^([+~?-]?)([a-z0-9]+)(.*)$/i.exec(term) ?? []
    if (await matches(name.toLowerCase(), rest, term, domain, address, lookups, budget))
      return results[(sign || '+') as keyof typeof results]
  }
  if (redirect === undefined) return 'neutral'
  const next = await recordOf(redirect, lookups, budget)
  return evaluate(next, redirect, address, lookups, budget)
}

async function matches(
  name: string,
  rest: string,
  term: string,
  domain: string,
  address: string,
  lookups: SpfLookups,
  budget: { left: number },
): Promise<boolean> {
  const [, target = domain, bits4, bits6] =
    /^(?::([^/]+))?(?:\/(\d{1,2}))?(?:\/\/(\d{1,3}))?$/.exec(rest) ?? []
  const within = (own: string) =>
    isIPv4(own) === isIPv4(address) &&
    contains(own, isIPv4(own) ? (bits4 ?? '32') : (bits6 ?? '128'), address)
  switch (name) {
    case 'all':
      return true
    case 'ip4':
    case 'ip6': {
      const [, network = '', bits] = /^:([^/]+)(?:\/(\d{1,3}))?$/.exec(rest) ?? []
      if (isIP(network) !== (name === 'ip4' ? 4 : 6)) throw new SpfError(`"${term}" names no address.`)
      return (
        isIPv4(network) === isIPv4(address) &&
        contains(network, bits ?? (name === 'ip4' ? '32' : '128'), address)
      )
    }
    case 'a':
      spend(budget)
      return !target.includes('%') && (await lookups.addresses(target)).some(within)
    case 'mx': {
      spend(budget)
      if (target.includes('%')) return false
      for (const { exchange } of (await lookups.mx(target)).slice(0, lookupsMax))
        if ((await lookups.addresses(exchange)).some(within)) return true
      return false
    }
    case 'include': {
      if (rest.length < 2) throw new SpfError(`"${term}" names no domain.`)
      if (target.includes('%')) return false
      const included = await recordOf(target, lookups, budget)
      return (await evaluate(included, target, address, lookups, budget)) === 'pass'
    }
    case 'exists':
    case 'ptr':
      spend(budget)
      return false
    default:
      throw new SpfError(`"${term}" is no mechanism of SPF.`)
  }
}

async function recordOf(domain: string, lookups: SpfLookups, budget: { left: number }): Promise<string> {
  spend(budget)
  const records = (await lookups.txt(domain)).filter(isSpf)
  if (records.length === 0) throw new SpfError(`It refers to ${domain}, which has no SPF record.`)
  if (records.length > 1)
    throw new SpfError(`It refers to ${domain}, which has ${records.length} SPF records.`)
  return records[0]!
}

function spend(budget: { left: number }): void {
  if (--budget.left < 0)
    throw new SpfError(`It takes more than ${lookupsMax} look-ups, which is where receivers stop reading.`)
}

function contains(network: string, bits: string, address: string): boolean {
  const family = isIPv4(network) ? 'ipv4' : 'ipv6'
  const prefix = Number(bits)
  if (prefix > (family === 'ipv4' ? 32 : 128)) throw new SpfError(`"/${bits}" is no length of a network.`)
  const list = new BlockList()
  list.addSubnet(network, prefix, family)
  return list.check(address, family)
}
