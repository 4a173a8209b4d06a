/** The DNS records that a sender domain needs, and what is to be said of what DNS shows instead. */
import { evaluateSpf, isSpf, SpfError, type SpfLookups } from './spf.ts'

/** What is asked of DNS. Each rejects with Node's error of DNS when nobody can tell, and answers with nothing when there is no such record. */
export type DomainLookups = SpfLookups & { cname(name: string): Promise<readonly string[]> }

export type DomainKey = {
  selector: string
  algorithm: 'rsa-sha256' | 'ed25519-sha256'
  /** base64 as in the p= tag. */
  publicKey: string
  /** The domain's owner gave it to us. */
  imported: boolean
  /** When it may be taken out of DNS; null while it is in use, or to be. */
  retiresAt: Date | null
}

/** All that the records follow from. Names are lower-case A-labels. */
export type DomainFacts = {
  name: string
  /** The zone that people set the records in. */
  zone: string
  /** Null: nobody has to prove who owns it. */
  verificationToken: string | null
  /** Another organization has proved it since it was ours: its keys in DNS are no proof any more. */
  superseded: boolean
  /** The label below it that bounces come back to. */
  returnPath: string
  receiving: boolean
  /** The label below it that links are rewritten to; null: none. */
  trackingSubdomain: string | null
  keys: readonly DomainKey[]
  /** Our host that takes mail in. */
  mailHost: string
  /** A name whose SPF record has our addresses; null: they are listed one by one. */
  spfInclude: string | null
  /** The addresses that its mail leaves from. */
  addresses: readonly string[]
  /** Our host that follows links. */
  trackingHost: string
}

export const recordKinds = [
  'Ownership',
  'DKIM',
  'SPF',
  'DMARC',
  'Receiving',
  'Tracking',
  'MTA-STS',
  'BIMI',
] as const

export type WantedRecord = {
  record: (typeof recordKinds)[number]
  /** As it is typed into the zone: without the zone's name; `@` for the zone itself. */
  name: string
  /** The whole name. */
  fqdn: string
  type: 'TXT' | 'MX' | 'CNAME'
  value: string
  priority?: number
  /** Sending (or receiving, or tracking) does not work without it. */
  required: boolean
  /** Of a DKIM key. */
  selector?: string
}

export type Finding = {
  /** wrong: there is something, and it cannot be used. unknown: DNS did not answer. */
  result: 'found' | 'missing' | 'wrong' | 'unknown'
  /** A sentence for the domain's owner; null when there is nothing to say. */
  reason: string | null
}

/** The records in the order in which they are best set. */
export function wantedRecords(facts: DomainFacts): WantedRecord[] {
  const { name, returnPath, mailHost, trackingSubdomain } = facts
  const at = (label: string) => {
    const fqdn = label === '' ? name : `${label}.${name}`
    const relative = fqdn === facts.zone ? '@' : fqdn.slice(0, -facts.zone.length - 1)
    return { fqdn, name: relative }
  }
  const records: WantedRecord[] = []
  if (facts.verificationToken !== null)
    records.push({
      record: 'Ownership',
      ...at('_postel'),
      type: 'TXT',
      value: `postel-verification=${facts.verificationToken}`,
      required: true,
    })
  for (const { selector, algorithm, publicKey, retiresAt } of facts.keys)
    records.push({
      record: 'DKIM',
      ...at(`${selector}._domainkey`),
      type: 'TXT',
      value: `v=DKIM1; k=${algorithm === 'rsa-sha256' ? 'rsa' : 'ed25519'}; p=${publicKey}`,
      // Few receivers know Ed25519 yet
      required: algorithm === 'rsa-sha256' && retiresAt === null,
      selector,
    })
  records.push(
    {
      record: 'SPF',
      ...at(returnPath),
      type: 'MX',
      value: mailHost,
      priority: 10,
      required: true,
    },
    { record: 'SPF', ...at(returnPath), type: 'TXT', value: spfValue(facts), required: true },
    { record: 'DMARC', ...at('_dmarc'), type: 'TXT', value: 'v=DMARC1; p=none;', required: false },
  )
  if (facts.receiving)
    records.push(
      { record: 'Receiving', ...at(''), type: 'MX', value: mailHost, priority: 10, required: true },
      { record: 'MTA-STS', ...at('_mta-sts'), type: 'TXT', value: 'v=STSv1; id=1;', required: false },
    )
  if (trackingSubdomain !== null)
    records.push({
      record: 'Tracking',
      ...at(trackingSubdomain),
      type: 'CNAME',
      value: facts.trackingHost,
      required: true,
    })
  records.push({
    record: 'BIMI',
    ...at('default._bimi'),
    type: 'TXT',
    value: `v=BIMI1; l=https://${name}/logo.svg;`,
    required: false,
  })
  return records
}

function spfValue({ spfInclude, addresses, mailHost }: DomainFacts): string {
  if (spfInclude !== null) return `v=spf1 include:${spfInclude} ~all`
  const terms = addresses.map((address) => `${address.includes(':') ? 'ip6' : 'ip4'}:${address}`)
  return `v=spf1 ${terms.length > 0 ? terms.join(' ') : `a:${mailHost}`} ~all`
}

/** Looks at one record. A look-up that nobody answers makes the finding `unknown`. */
export async function findRecord(
  wanted: WantedRecord,
  facts: DomainFacts,
  lookups: DomainLookups,
): Promise<Finding> {
  try {
    const finding = await finders[wanted.record](wanted, facts, lookups)
    if (finding.result === 'missing' && wanted.required)
      return await misplaced(wanted, facts, lookups, finding)
    return { ...finding, reason: finding.reason && readable(finding.reason) }
  } catch (error) {
    if (error instanceof SpfError)
      return wrong(`The SPF record of ${wanted.fqdn} cannot be used. ${readable(error.message)}`)
    if (!isDnsFault(error)) throw error
    return unanswered(wanted.fqdn)
  }
}

export function unanswered(fqdn: string): Finding {
  return {
    result: 'unknown',
    reason: `The name servers of ${fqdn} did not answer; this is asked again soon.`,
  }
}

/** ESERVFAIL, ETIMEOUT, ECONNREFUSED and so on; faults of ours are called otherwise. */
function isDnsFault(error: unknown): boolean {
  return /^E[A-Z0-9]+$/.test(String((error as { code?: unknown }).code))
}

type Finder = (wanted: WantedRecord, facts: DomainFacts, lookups: DomainLookups) => Promise<Finding>

const finders: Record<WantedRecord['record'], Finder> = {
  Ownership: findOwnership,
  DKIM: findKey,
  SPF: (wanted, facts, lookups) =>
    wanted.type === 'MX' ? findMx(wanted, facts, lookups) : findSpf(wanted, facts, lookups),
  DMARC: findDmarc,
  Receiving: findMx,
  Tracking: findTracking,
  'MTA-STS': findSts,
  BIMI: findBimi,
}

const found: Finding = { result: 'found', reason: null }
const wrong = (reason: string): Finding => ({ result: 'wrong', reason })
const missing = (reason: string): Finding => ({ result: 'missing', reason })

async function findOwnership(
  { fqdn, value }: WantedRecord,
  _: DomainFacts,
  lookups: DomainLookups,
): Promise<Finding> {
  const tokens = (await lookups.txt(fqdn))
    .map((text) => text.trim())
    .filter((text) => /^postel-verification=/i.test(text))
  if (tokens.includes(value)) return found
  if (tokens.length === 0) return missing(`There is no TXT record with "${value}" at ${fqdn}.`)
  return wrong(`${fqdn} shows "${tokens[0]}", which is not yours or no longer: add "${value}".`)
}

async function findKey(
  { fqdn, selector }: WantedRecord,
  facts: DomainFacts,
  lookups: DomainLookups,
): Promise<Finding> {
  const key = facts.keys.find((each) => each.selector === selector)!
  const records = (await lookups.txt(fqdn)).map(tagsOf).filter((tags) => tags.p !== undefined)
  if (records.length === 0) return missing(`There is no DKIM key at ${fqdn}.`)
  if (records.length > 1)
    return wrong(
      `There are ${records.length} DKIM keys at ${fqdn}, and only one is allowed: remove the others.`,
    )
  const tags = records[0]!
  const shown = tags.p!.replace(/\s/g, '')
  const kind = key.algorithm === 'rsa-sha256' ? 'rsa' : 'ed25519'
  if (shown === '') return wrong(`The key at ${fqdn} is revoked: its p= is empty.`)
  if ((tags.k ?? 'rsa').toLowerCase() !== kind)
    return wrong(`The key at ${fqdn} says k=${tags.k ?? 'rsa'} and must say k=${kind}.`)
  if (shown === key.publicKey) {
    const hashes = tags.h?.toLowerCase().split(/[: ]+/)
    if (hashes && !hashes.includes('sha256'))
      return wrong(`The key at ${fqdn} does not allow SHA-256: remove h=${tags.h}.`)
    if (key.retiresAt !== null)
      return {
        result: 'found',
        reason: `A newer key signs; this one may be removed after ${key.retiresAt.toISOString().slice(0, 10)}.`,
      }
    return found
  }
  if (key.publicKey.startsWith(shown))
    return wrong(`The key at ${fqdn} is cut off after ${shown.length} of ${key.publicKey.length} characters.`)
  const at = [...shown].findIndex((character, index) => character !== key.publicKey[index])
  return wrong(
    `The key at ${fqdn} is another one: from character ${at + 1} on p= is "${shown.slice(at, at + 12)}…" and must be "${key.publicKey.slice(at, at + 12)}…".`,
  )
}

async function findMx(
  { fqdn, value }: WantedRecord,
  _: DomainFacts,
  lookups: DomainLookups,
): Promise<Finding> {
  const records = [...(await lookups.mx(fqdn))].sort((a, b) => a.priority - b.priority)
  const [first] = records
  if (!first) return missing(`There is no MX record at ${fqdn}.`)
  const ours = records.find(({ exchange }) => sameName(exchange, value))
  if (!ours) return wrong(`Mail to ${fqdn} goes to ${first.exchange}: the MX record must be ${value}.`)
  if (ours.priority > first.priority)
    return wrong(
      `Mail to ${fqdn} goes to ${first.exchange} first (priority ${first.priority}): ${value} must have the lowest number.`,
    )
  return found
}

/** Each may ask for ten more. */
const recordsJudgedMax = 4

async function findSpf(
  { fqdn, value }: WantedRecord,
  { addresses, spfInclude }: DomainFacts,
  lookups: DomainLookups,
): Promise<Finding> {
  const records = (await lookups.txt(fqdn)).filter(isSpf)
  if (records.length === 0) return missing(`There is no SPF record at ${fqdn}.`)
  if (records.length > recordsJudgedMax)
    return wrong(
      `There are ${records.length} SPF records at ${fqdn}, and only one is allowed: keep only "${value}".`,
    )
  if (records.length > 1) {
    // That there are two is wrong whatever they refer to
    const judged = await Promise.all(
      records.map((record) =>
        forbidden(record, fqdn, addresses, lookups).catch((error) => {
          if (!isDnsFault(error)) throw error
          return record
        }),
      ),
    )
    const others = records.filter((_, index) => judged[index] !== undefined)
    const advice =
      others.length === records.length - 1
        ? `remove ${others.map((record) => `"${record}"`).join(' and ')}`
        : `keep only "${value}"`
    return wrong(`There are ${records.length} SPF records at ${fqdn}, and only one is allowed: ${advice}.`)
  }
  const record = records[0]!
  if (
    spfInclude !== null &&
    record
      .toLowerCase()
      .split(/ +/)
      .some((term) => /^\+?include:/.test(term) && sameName(term.replace(/^\+?include:/, ''), spfInclude))
  )
    return found
  const address = await forbidden(record, fqdn, addresses, lookups)
  if (address === undefined) return found
  if (address instanceof SpfError) throw address
  return wrong(
    `"${record}" at ${fqdn} does not allow ${address}: add ${spfInclude === null ? `${address.includes(':') ? 'ip6' : 'ip4'}:${address}` : `include:${spfInclude}`}.`,
  )
}

/** The first address that the record does not let send, or why it cannot be used. */
async function forbidden(
  record: string,
  fqdn: string,
  addresses: readonly string[],
  lookups: DomainLookups,
): Promise<string | SpfError | undefined> {
  for (const address of addresses) {
    try {
      if ((await evaluateSpf(record, fqdn, address, lookups)) !== 'pass') return address
    } catch (error) {
      if (error instanceof SpfError) return error
      throw error
    }
  }
  return undefined
}

async function dmarcAt(domain: string, lookups: DomainLookups): Promise<string[]> {
  return (await lookups.txt(`_dmarc.${domain}`)).filter((text) => /^v=DMARC1\s*(;|$)/i.test(text))
}

async function findDmarc(
  { fqdn }: WantedRecord,
  { name, zone }: DomainFacts,
  lookups: DomainLookups,
): Promise<Finding> {
  const own = await dmarcAt(name, lookups)
  const records = own.length > 0 || zone === name ? own : await dmarcAt(zone, lookups)
  if (records.length === 0)
    return missing(`There is no DMARC record at ${fqdn}. Gmail and Yahoo ask for one of those who send much.`)
  if (records.length > 1) return wrong(`There are ${records.length} DMARC records, and only one is allowed.`)
  const { p } = tagsOf(records[0]!)
  if (!/^(none|quarantine|reject)$/i.test(p ?? ''))
    return wrong('The DMARC record has no policy: add p=none.')
  return found
}

async function findTracking(
  { fqdn, value }: WantedRecord,
  _: DomainFacts,
  lookups: DomainLookups,
): Promise<Finding> {
  const [target] = await lookups.cname(fqdn)
  if (target !== undefined)
    return sameName(target, value)
      ? found
      : wrong(`${fqdn} is a CNAME of ${target} and must be one of ${value}.`)
  if ((await lookups.addresses(fqdn)).length > 0)
    return wrong(`${fqdn} has an address of its own: it must be a CNAME of ${value}.`)
  return missing(`There is no CNAME record at ${fqdn}.`)
}

async function findSts(
  { fqdn }: WantedRecord,
  { name }: DomainFacts,
  lookups: DomainLookups,
): Promise<Finding> {
  const records = (await lookups.txt(fqdn)).filter((text) => /^v=STSv1\s*;/i.test(text))
  if (records.length === 0)
    return missing(
      `Senders cannot insist on TLS: publish this and a policy at https://mta-sts.${name}/.well-known/mta-sts.txt.`,
    )
  if (records.length > 1)
    return wrong(`There are ${records.length} MTA-STS records, and only one is allowed.`)
  return found
}

async function findBimi(
  { fqdn }: WantedRecord,
  { name, zone }: DomainFacts,
  lookups: DomainLookups,
): Promise<Finding> {
  const records = (await lookups.txt(fqdn)).filter((text) => /^v=BIMI1\s*;/i.test(text))
  if (records.length === 0) return missing('Mailboxes show no logo beside your mail.')
  if (records.length > 1) return wrong(`There are ${records.length} BIMI records, and only one is allowed.`)
  const own = await dmarcAt(name, lookups)
  const { p = 'none' } = tagsOf((own.length > 0 ? own : await dmarcAt(zone, lookups))[0] ?? '')
  return /^(quarantine|reject)$/i.test(p)
    ? found
    : wrong('Logos are shown only for domains whose DMARC policy is p=quarantine or p=reject.')
}

/** Many panels add the zone to what is typed in, and so it stands there twice. */
async function misplaced(
  wanted: WantedRecord,
  facts: DomainFacts,
  lookups: DomainLookups,
  finding: Finding,
): Promise<Finding> {
  const elsewhere = `${wanted.fqdn}.${facts.zone}`
  if (wanted.name === '@' || elsewhere.length > 253) return finding
  const there = await finders[wanted.record]({ ...wanted, fqdn: elsewhere, name: '@' }, facts, lookups).catch(
    () => finding,
  )
  return there.result === 'found'
    ? wrong(
        `It stands at ${elsewhere}: type "${wanted.name}" into the name, as ${facts.zone} is added to it.`,
      )
    : finding
}

/** `v=DKIM1; k=rsa; p=…` by name. */
function tagsOf(text: string): Partial<Record<string, string>> {
  const tags: Record<string, string> = Object.create(null)
  for (const part of text.split(';')) {
    const at = part.indexOf('=')
    if (at > 0) tags[part.slice(0, at).trim().toLowerCase()] ??= part.slice(at + 1).trim()
  }
  return tags
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase().replace(/\.$/, '') === b.toLowerCase().replace(/\.$/, '')
}

/** What strangers wrote into DNS, without what a terminal or a page might act on. */
function readable(text: string): string {
  const clean = text.toWellFormed().replace(/[\p{C}\p{Z}]+/gu, ' ')
  return clean.length > 400 ? `${clean.slice(0, 399)}…` : clean
}
